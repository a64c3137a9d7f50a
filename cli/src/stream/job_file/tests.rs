//! Tests of job files.

use std::time::Duration;

use clap::Parser;
use keymill::stream::OutputMode;

use super::*;
use crate::args::{Cli, Command as Subcommand};

/// The stream of flags.
fn of_flags(flags: &[&str]) -> StreamPlan {
    let words = ["keymill", "stream"].iter().chain(flags);
    match Cli::try_parse_from(words).unwrap().command {
        Subcommand::Stream(args) => (*args).into(),
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> String {
    let error = plan("job.toml", text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

#[test]
fn a_file_says_what_flags_say() {
    let file = "
        from = ['dir:in', \"dir:more\"]
        columns = ['site', 'count:int']
        key = 'site'
        agg = ['sum(count)', 'count']
        delimiter = ';'
        header = true
        json = false
        every = '1s'
        mode = 'update'
        to = 'files:out'
        format = 'csv'
        checkpoint = 'ck'
        max-files = 1_000
        max-bytes = 0x10
        threads = 2
        name = '--odd = name'";
    let flags = [
        "--from=dir:in",
        "--from=dir:more",
        "--columns=site,count:int",
        "--key=site",
        "--agg=sum(count)",
        "--agg=count",
        "--delimiter=;",
        "--header",
        "--every=1s",
        "--mode=update",
        "--to=files:out",
        "--format=csv",
        "--checkpoint=ck",
        "--max-files=1000",
        "--max-bytes=16",
        "--threads=2",
        "--name=--odd = name",
    ];
    let (file, flags) = (plan("job.toml", file).unwrap(), of_flags(&flags));
    assert_eq!(format!("{file:?}"), format!("{flags:?}"));
    assert_eq!(file.args.every, Some(Duration::from_secs(1)));
    assert_eq!(file.args.mode, Some(OutputMode::Update));
}

#[test]
fn every_flag_is_a_key() {
    for flag in command::<StreamArgs>().get_arguments() {
        let key = flag.get_long().unwrap();
        let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
        let value = if is_switch { "true" } else { "'?'" };
        if let Err(error) = plan("job.toml", &format!("{key} = {value}")) {
            let error = error.to_string();
            assert!(
                error.starts_with(&format!("job.toml:1: `{key}`")),
                "{error}"
            );
        }
    }
}

#[test]
fn sources_and_sinks_have_values_of_their_own() {
    let file = "
        from = 'stdin:'
        columns = 'a,b'
        top = 3
        [[source]]
        from = ['dir:1', 'dir:2']
        delimiter = '|'
        [[source]]
        from = 'dir:3'
        columns = 'b,a'
        [[sink]]
        to = 'console:'
        [[sink]]
        to = 'files:out'
        format = 'json'
        top = 4";
    let plan = plan("job.toml", file).unwrap();
    let sources = plan.sources.iter();
    let sources: Vec<_> = sources
        .map(|(url, it)| (url.as_str(), it.columns.join(","), it.delimiter))
        .collect();
    let expected = [
        ("stdin:", "a,b".to_owned(), b','),
        ("dir:1", "a,b".to_owned(), b'|'),
        ("dir:2", "a,b".to_owned(), b'|'),
        ("dir:3", "b,a".to_owned(), b','),
    ];
    assert_eq!(sources, expected);
    let sinks = plan.sinks.iter();
    let sinks: Vec<_> = sinks
        .map(|(url, it)| (url.as_str(), it.top, it.format.map(|it| it.to_string())))
        .collect();
    let json = Some("json".to_owned());
    assert_eq!(
        sinks,
        [("console:", Some(3), None), ("files:out", Some(4), json)]
    );
}

#[test]
fn mistakes_are_refused_with_their_line() {
    for (text, says) in [
        (
            "from = 'stdin:'\nevry = '1s'",
            "job.toml:2: there is no key `evry` here; did you mean `every`?",
        ),
        ("max_files = 1", "did you mean `max-files`?"),
        ("[[sinks]]\nto = 'console:'", "did you mean `sink`?"),
        (
            "zzz = 1",
            "job.toml:1: there is no key `zzz` here; the keys are the flags",
        ),
        (
            "[source]\nfrom = 'stdin:'",
            "job.toml:1: write `[[source]]` before each source",
        ),
        ("source = 'stdin:'", "write `[[source]]`"),
        (
            "\n[[source]]\nform = 'stdin:'",
            "job.toml:3: there is no key `form` here; did you mean `from`?",
        ),
        (
            "[[source]]\nevery = '1s'",
            "job.toml:2: there is no key `every` here",
        ),
        (
            "[[sink]]\nformat = 'csv'",
            "job.toml:1: this sink has no URL: `to = \"…\"`",
        ),
        (
            "\nevery = 1",
            "job.toml:2: `every`: `1`: a time is a number with ms",
        ),
        ("mode = 'completed'", "job.toml:1: `mode`: `completed`"),
        (
            "sort = 'size'",
            "job.toml:1: `sort`: `size` is not one of count, key",
        ),
        ("count = 'yes'", "job.toml:1: `count` is true or false"),
        ("mode = true", "job.toml:1: `mode` is a string or a number"),
        (
            "mode = ['update']",
            "job.toml:1: `mode` is a string or a number",
        ),
        ("key = [['a']]", "job.toml:1: `key` is an array of strings"),
        (
            "key = 1979-05-27",
            "job.toml:1: `key` is a string or an array of strings",
        ),
        ("count = true\nkey = 'a'", "cannot stand beside"),
        (
            "once = true\n\navailable-now = true",
            "job.toml:1: `once` cannot stand beside `available-now`",
        ),
        (
            "max-files = 99999999999999999999",
            "job.toml:1: `max-files`",
        ),
        (
            "from = 'stdin:'\nslide = '5s'",
            "job.toml:2: `slide` needs `window`, too",
        ),
        (
            "from = 'stdin:'\nwatermark = '1s'",
            "job.toml:2: `watermark` needs `key`, `time`, `window` or `session`, too",
        ),
        ("top = 1\ntop = 2", "job.toml:2: duplicate key"),
        ("top = ", "job.toml:1: "),
        ("name = \"\\u001b[31m\"\nx\u{1b} = 1", "job.toml:2: "),
        ("help = true", "no key `help`"),
        ("'every=1s --once' = ''", "no key `every=1s --once`"),
    ] {
        let error = refused(text);
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains(['\n', '\u{1b}']), "{error:?}");
    }
}
