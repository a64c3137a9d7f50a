//! `--device`: the answer is the same on every device.
//!
//! Without an adapter most of these tests return early. With `KEYMILL_REQUIRE_GPU=1` they then fail.

use std::fs;

use crate::command::{Folder, assert_fails, keymill, run, stdout_of, text};

/// Returns whether an adapter can be used on this machine.
fn has_adapter() -> bool {
    let all = stdout_of(&["devices", "--all"], b"");
    let levels = ["scalar", "neon", "avx2", "avx512"];
    let is_adapter = |line: &&str| {
        let (name, verdict) = line.split_once('\t').unwrap();
        !levels.contains(&name) && verdict == "available"
    };
    let found = text(&all).lines().any(|line| is_adapter(&line));
    let required = std::env::var_os("KEYMILL_REQUIRE_GPU").is_some_and(|it| it == "1");
    assert!(found || !required, "no adapter: {}", text(&all));
    found
}

fn table() -> String {
    let mut table = String::new();
    for i in 0..3000 {
        table.push_str(&format!(
            "{},site-{},\u{e9}t\u{e9} {}\r\n",
            i % 17,
            i % 251,
            i % 5
        ));
        if i % 40 == 0 {
            table.push_str("no comma\n\n");
        }
    }
    table.push_str(&"long-".repeat(2000));
    table
}

#[test]
fn every_device_gives_the_same_counts() {
    if !has_adapter() {
        return;
    }
    let folder = Folder::new();
    let files = [
        folder.file("table", table()),
        folder.file("no-newline", "to be or not"),
        folder.file("empty", ""),
        folder.file("next", "to be\u{3000}or not to be\r"),
    ];
    let rules = [
        "whitespace",
        "words",
        "lines",
        "split:,",
        "split:--",
        "field:2,,",
    ];
    // Each device with some of the rules, in upper and lower case; the library tests all pairs.
    let runs = rules
        .into_iter()
        .zip(["hybrid", "auto"].into_iter().cycle());
    for (rule, other) in runs {
        let count = |device: &str, more: &[&str]| {
            let mut arguments = vec!["count", "--quiet", "--device", device, "--tokens", rule];
            arguments.extend(more);
            arguments.extend(files.iter().map(String::as_str));
            text(&stdout_of(&arguments, b"")).to_owned()
        };
        for (device, more) in [("gpu", &[][..]), (other, &["--lowercase"])] {
            let expected = count("cpu", more);
            assert!(expected.lines().count() > 3, "{rule}");
            assert_eq!(count(device, more), expected, "{rule} {device} {more:?}");
        }
    }
}

#[test]
fn stats_and_explain_name_the_adapter() {
    if !has_adapter() {
        return;
    }
    let output = run(
        &["count", "--device", "gpu", "--stats", "--explain"],
        b"to be or not to be",
    );
    assert_eq!(text(&output.stdout).lines().next(), Some("be\t2"));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("chunks: cpu 0, gpu 1 ("), "{stderr}");
    assert!(stderr.contains("device: gpu, as requested"), "{stderr}");
    let plan = stderr.lines().find(|line| line.starts_with("device  "));
    assert!(plan.unwrap().contains("as requested"), "{stderr}");
    // A part of the name is enough, in upper or lower case.
    let stats = stderr.split_once("gpu 1 (").unwrap().1;
    let name = stats.split([')', '(']).find(|part| part.len() > 4).unwrap();
    let part = name.trim().split(' ').next().unwrap().to_uppercase();
    let named = run(&["count", "--device", &format!("gpu:{part}")], b"to be");
    assert_eq!(named.status.code(), Some(0), "{}", text(&named.stderr));
}

#[test]
fn all_shaders_give_the_same_counts_and_are_named() {
    if !has_adapter() {
        return;
    }
    let explained = |shaders: &str| {
        let mut command = keymill();
        let arguments = ["count", "--device", "gpu", "--explain"];
        command.env("KEYMILL_SHADERS", shaders).args(arguments);
        let folder = Folder::new();
        let output = command.arg(folder.file("text", table())).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (
            text(&output.stdout).to_owned(),
            text(&output.stderr).to_owned(),
        )
    };
    let (expected, base) = explained("base");
    assert!(
        expected.lines().count() > 3 && !base.contains("shaders: "),
        "{base}"
    );
    let (counts, checked) = explained("checked");
    assert!(
        counts == expected && !checked.contains("unchecked"),
        "{checked}"
    );
    let (counts, unchecked) = explained("unchecked");
    assert!(
        counts == expected && unchecked.contains("unchecked"),
        "{unchecked}"
    );
}

#[test]
fn a_missing_device_exits_with_1_before_reading() {
    let output = run(&["count", "--device", "gpu:no such adapter"], b"to be");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert_fails(
        &["count", "--device", "gpu:no such adapter"],
        1,
        &["no such adapter", "keymill devices --all", "--device cpu"],
    );
}

#[test]
fn small_input_does_not_create_the_cache() {
    let folder = Folder::new();
    let cache = folder.path("cache");
    let mut command = keymill();
    command
        .env("KEYMILL_CACHE", &cache)
        .args(["count", "--stats"]);
    let output = command.arg(folder.file("small", "to be")).output().unwrap();
    assert_eq!(text(&output.stdout), "be\t1\nto\t1\n");
    let stderr = text(&output.stderr);
    let decided = stderr.lines().find(|line| line.starts_with("device: "));
    assert!(decided.unwrap().starts_with("device: cpu: "), "{stderr}");
    assert!(fs::metadata(&cache).is_err());
}
