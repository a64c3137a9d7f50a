//! Topics of a real Kafka broker as sources and sinks, with real kills.
#![cfg(all(target_os = "linux", feature = "kafka"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Folder, assert_fails, keymill, run, stdout_of, text};
use crate::kills::{Moments, killed_at, wanted};
use crate::server::Server;

/// Files of the input, and so epochs.
const FILES: u64 = 4;

pub(crate) fn produce(server: &Server, topic: &str, lines: &str) {
    let url = server.topic(topic);
    let output = run(&["kafka", "produce", &url], lines.as_bytes());
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// The committed messages of a topic, key and value, in the order of the lines.
pub(crate) fn messages(server: &Server, topic: &str) -> Vec<String> {
    let url = server.topic(topic);
    let all = stdout_of(
        &[
            "kafka",
            "consume",
            &url,
            "--until-end",
            "--committed",
            "--keys",
        ],
        b"",
    );
    let mut all: Vec<String> = text(&all).lines().map(str::to_owned).collect();
    all.sort();
    all
}

/// The counts in messages such as `key⇥{"count":3}`, added by key.
pub(crate) fn added(messages: &[String]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for message in messages {
        let (key, value) = message.split_once("\t{\"count\":").unwrap();
        let count: u64 = value.strip_suffix('}').unwrap().parse().unwrap();
        *sums.entry(key.to_owned()).or_default() += count;
    }
    sums
}

pub(crate) fn counted(lines: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for word in lines.split_whitespace() {
        *sums.entry(word.to_owned()).or_default() += 1;
    }
    sums
}

pub(crate) fn stream(from: &str, to: &str, checkpoint: &Path, more: &[&str]) -> Command {
    let mut command = keymill();
    command
        .args(["stream", "--from", from, "--count", "--to", to])
        .args(["--guarantee", "exactly-once", "--checkpoint"])
        .arg(checkpoint)
        .args(more);
    command
}

pub(crate) fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn lines_become_messages_and_counts() {
    let Some(server) = Server::shared_kafka("lines_become_messages_and_counts") else {
        return;
    };
    produce(&server, "test_topic", "Hello, World!\n");
    let url = server.topic("test_topic");
    let consumed = stdout_of(&["kafka", "consume", &url, "--until-end"], b"");
    assert_eq!(text(&consumed), "Hello, World!\n");
    let counted = stdout_of(&["kafka", "consume", &url, "--until-end", "--count"], b"");
    assert_eq!(text(&counted), "1\t13\n");

    // An empty message, and one of nearly the maximum size.
    let large = "x".repeat(999_000);
    produce(
        &server,
        "lines",
        &format!("to be or\n\nnot to be\n{large}\n"),
    );
    let folder = Folder::new();
    let broker = format!("metadata.broker.list={}", &server.url["kafka://".len()..]);
    let output = keymill()
        .args([
            "stream",
            "--from",
            &format!("kafka://127.0.0.1:1/{}", server.name("lines")),
            "--from-option",
            &broker,
        ])
        .args([
            "--from-option",
            "auto.offset.reset=smallest",
            "--count",
            "--once",
        ])
        .args(["--mode", "complete", "--top", "2"])
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    let shown = text(&output.stdout);
    assert!(
        shown.contains("| be|    2|") && shown.contains("| to|    2|"),
        "{shown}"
    );

    // Rows, and totals that go on after a restart, into files.
    let rows = |to: &str, lines: &str| {
        produce(&server, "website_logs", lines);
        let from = server.topic("website_logs");
        let checkpoint = folder.path("ck");
        succeeds(
            keymill()
                .args([
                    "stream",
                    "--from",
                    &from,
                    "--columns",
                    "site,count",
                    "--key",
                    "site",
                ])
                .args([
                    "--agg",
                    "sum(count)",
                    "--mode",
                    "complete",
                    "--available-now",
                ])
                .args(["--to", to, "--checkpoint"])
                .arg(checkpoint),
        );
    };
    let out = folder.path("out");
    let to = format!("files:{}", out.display());
    rows(&to, "a,3\nb,5\n");
    rows(&to, "a,4\nc,1\n");
    let part = out.join("epoch=00000001/part-00000.tsv");
    assert_eq!(fs::read_to_string(part).unwrap(), "a\t7\nb\t5\nc\t1\n");
}

fn make_input(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for file in 0..FILES {
        let words = (0..300).map(|word: u64| format!("w{} ", word * word * (file + 3) % 41));
        // A word that comes only once: no later epoch heals its loss.
        let text = words.collect::<String>() + &format!("\nonly-in-{file}\n");
        fs::write(folder.join(format!("{file:03}")), text).unwrap();
    }
}

#[test]
fn kill_9_at_every_step_writes_every_epoch_once() {
    let Some(server) = Server::shared_kafka("kill_9_at_every_step_writes_every_epoch_once") else {
        return;
    };
    let query = |folder: &Path, topic: &str| {
        let from = format!("dir:{}", folder.join("in").display());
        let to = server.topic(topic);
        let more = [
            "--mode",
            "update",
            "--max-files",
            "1",
            "--snapshot-every",
            "2",
        ];
        let mut query = stream(&from, &to, &folder.join("ck"), &more);
        query.arg("--available-now");
        query
    };
    let folder = Folder::new();
    make_input(&folder.path("in"));
    succeeds(&mut query(&folder.path(""), "expected"));
    let expected = messages(&server, "expected");
    assert!(
        expected.contains(&"only-in-0\t{\"count\":1}".to_owned()),
        "{expected:?}"
    );
    let mut killed = BTreeSet::new();
    for point in keymill::KeyedStream::kill_points() {
        let folder = Folder::new();
        make_input(&folder.path("in"));
        let query = || query(&folder.path(""), point);
        assert!(killed_at(&format!("{point}:1"), query), "{point}");
        killed.insert(point);
        assert_eq!(messages(&server, point), expected, "{point}");
    }
    assert_eq!(killed.len(), keymill::KeyedStream::kill_points().len());
}

#[test]
fn kills_at_random_moments_lose_and_double_nothing() {
    let Some(server) = Server::shared_kafka("kills_at_random_moments_lose_and_double_nothing")
    else {
        return;
    };
    let lines: String = (0..2000_u64)
        .map(|line| format!("w{} only-{line}\n", line * line % 97))
        .collect();
    produce(&server, "in", &lines);
    let mut moments = Moments::new(5, Duration::from_millis(2500));
    let mut queries = 0;
    while moments.kills < wanted(6) {
        let folder = Folder::new();
        let topic = format!("out{queries}");
        let (from, to) = (server.topic("in"), server.topic(&topic));
        let more = ["--per-epoch", "--available-now", "--max-bytes", "2000"];
        moments.kill_until_done(|| stream(&from, &to, &folder.path("ck"), &more));
        assert_eq!(
            added(&messages(&server, &topic)),
            counted(&lines),
            "{topic}"
        );
        queries += 1;
    }
    println!("{} kills of {queries} queries", moments.kills);
}

/// A query that is killed with this value.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_broker_that_crashes_is_waited_for() {
    let Some(server) = Server::kafka("a_broker_that_crashes_is_waited_for") else {
        return;
    };
    let folder = Folder::new();
    produce(&server, "in", "a b\nc\n");
    let (from, to) = (server.topic("in"), server.topic("out"));
    let mut query = stream(&from, &to, &folder.path("ck"), &["--per-epoch"]);
    let mut query = Running(query.args(["--every", "50ms"]).spawn().unwrap());
    let mut committed = |lines: &str| {
        let until = Instant::now() + Duration::from_secs(120);
        while added(&messages(&server, "out")) != counted(lines) {
            assert!(Instant::now() < until, "{:?}", messages(&server, "out"));
            assert_eq!(query.0.try_wait().unwrap(), None);
            thread::sleep(Duration::from_millis(100));
        }
    };
    // The topic of the results is made by the first message.
    while run(&["kafka", "consume", &to, "--until-end"], b"")
        .status
        .code()
        != Some(0)
    {
        thread::sleep(Duration::from_millis(100));
    }
    committed("a b c");
    server.crash();
    thread::sleep(Duration::from_millis(500));
    server.start_again();
    produce(&server, "in", "c d\n");
    committed("a b c c d");
}

#[test]
fn deleted_messages_are_missed_loudly() {
    let Some(server) = Server::shared_kafka("deleted_messages_are_missed_loudly") else {
        return;
    };
    let lines = |lines: std::ops::Range<u32>| lines.map(|line| format!("w{line}\n")).collect();
    let all: String = lines(0..1000);
    produce(&server, "in", &all);
    let folder = Folder::new();
    let from = server.topic("in");
    let to = format!("sqlite:{}", folder.path("words.db").display());
    let query = |more: &[&str]| {
        let mut query = stream(&from, &to, &folder.path("ck"), more);
        query.arg("--available-now").output().unwrap()
    };
    assert_eq!(query(&[]).status.code(), Some(0));
    let more: String = lines(1000..2000);
    produce(&server, "in", &more);
    // Partition 0 or 1 has most of them; all of both are deleted.
    for partition in [0, 1] {
        server.forget("in", partition);
    }
    let output = query(&[]);
    let says = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{says}");
    assert!(
        says.contains(&format!("topic `{}`, partition ", server.name("in")))
            && says.contains(" comes next"),
        "{says}"
    );
    let output = query(&["--from-option", "on.gap=skip", "--progress"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn wrong_topics_and_settings_are_refused() {
    let stream = |url: &str, option: &str, code: i32, says: &str| {
        let arguments = [
            "stream",
            "--from",
            url,
            "--from-option",
            option,
            "--count",
            "--once",
        ];
        assert_fails(&arguments, code, &[says]);
    };
    let url = "kafka://127.0.0.1:1/x";
    stream("kafka://127.0.0.1:1", "a=b", 2, "is not a topic of Kafka");
    stream(
        "kafka://127.0.0.1:1/a/b",
        "a=b",
        2,
        "is not a topic of Kafka",
    );
    stream(
        url,
        "no.such.setting=1",
        2,
        "No such configuration property",
    );
    stream(
        url,
        "auto.offset.reset=middle",
        2,
        "use earliest, latest or error",
    );
    stream(url, "starting.offsets=7", 2, "use JSON");
    stream("dir:/", "a=b", 2, "`a` is a setting, and `dir:/` has none");
    let Some(server) = Server::shared_kafka("wrong_topics_and_settings_are_refused") else {
        return;
    };
    let url = server.topic("nowhere");
    stream(
        &url,
        "socket.timeout.ms=5000",
        1,
        &format!("there is no such topic as `{}`", server.name("nowhere")),
    );
}
