//! Several processes that share the partitions of a topic of a real Kafka broker.
#![cfg(all(target_os = "linux", feature = "kafka"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Folder, assert_fails, keymill, run, text};
use crate::kafka::{Running, added, counted, messages, produce, succeeds};
use crate::server::Server;

/// A process that counts words of the topic `lines` per epoch, and of which others soon notice that it died.
fn member(server: &Server, to: &[&str]) -> Command {
    member_for(server, "2000", to)
}

/// The same, with the milliseconds after which others notice.
fn member_for(server: &Server, session: &str, to: &[&str]) -> Command {
    let session = format!("session.timeout.ms={session}");
    let mut command = keymill();
    command
        .args(["stream", "--from", &server.topic("lines")])
        .args([
            "--share",
            &server.name("words"),
            "--count",
            "--per-epoch",
            "--every",
            "50ms",
        ])
        .args(["--from-option", &session])
        .args(["--from-option", "heartbeat.interval.ms=200"])
        .args(to);
    command
}

fn exactly_once(server: &Server) -> Command {
    let to = server.topic("out");
    let options = [
        "--to",
        &to,
        "--to-option",
        "transaction.timeout.ms=3000",
        "--guarantee",
        "exactly-once",
    ];
    member(server, &options)
}

/// Words that come once each, in many messages and so in all partitions.
struct Input<'a> {
    server: &'a Server,
    lines: String,
    words: u32,
}

impl<'a> Input<'a> {
    fn new(server: &'a Server) -> Self {
        produce(server, "lines", "first\n");
        server.set_partitions("lines", 4);
        Self {
            server,
            lines: "first\n".to_owned(),
            words: 0,
        }
    }

    fn send(&mut self, words: u32) {
        let lines = (self.words..self.words + words).map(|word| format!("w{word}\n"));
        let lines: String = lines.collect();
        // A message a batch: each batch goes to a partition of its own.
        let url = self.server.topic("lines");
        let small = [
            "--option",
            "batch.num.messages=5",
            "--option",
            "sticky.partitioning.linger.ms=0",
        ];
        let produced = run(
            &[&["kafka", "produce", &url][..], &small].concat(),
            lines.as_bytes(),
        );
        assert_eq!(
            produced.status.code(),
            Some(0),
            "{}",
            text(&produced.stderr)
        );
        self.words += words;
        self.lines += &lines;
    }

    /// Waits until the committed results are those of all lines, and none comes twice.
    fn is_counted(&self) {
        let until = Instant::now() + Duration::from_secs(240);
        let expected = counted(&self.lines);
        let url = self.server.topic("out");
        loop {
            let is_there = run(&["kafka", "consume", &url, "--until-end"], b"");
            let found = match is_there.status.code() {
                Some(0) => added(&messages(self.server, "out")),
                _ => BTreeMap::new(),
            };
            let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
            assert_eq!(doubled, Vec::new(), "written twice");
            if found == expected {
                return;
            }
            let missing = expected.len() - found.len();
            assert!(Instant::now() < until, "{missing} words are missing");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn signal(running: &Running, signal: Signal) {
    let process = Pid::from_raw(running.0.id() as i32).unwrap();
    kill_process(process, signal).unwrap();
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process has stopped itself.
fn is_stopped(running: &Running) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.0.id())).unwrap_or_default();
    let state = stat.rsplit_once(") ");
    state.is_some_and(|(_, state)| state.starts_with('T'))
}

#[test]
fn a_killed_process_hands_its_partitions_over() {
    let Some(server) = Server::shared_kafka("a_killed_process_hands_its_partitions_over") else {
        return;
    };
    let mut input = Input::new(&server);
    let mut first = exactly_once(&server);
    let mut first = Running(
        first
            .env("KEYMILL_TEST_KILL_AT", "prepared:3")
            .spawn()
            .unwrap(),
    );
    input.send(200);
    input.is_counted();
    // The second one takes partitions of the first one, which is at work.
    let _second = Running(exactly_once(&server).spawn().unwrap());
    let mut ended = None;
    for _ in 0..100 {
        input.send(40);
        ended = first.0.try_wait().unwrap();
        if ended.is_some() {
            break;
        }
    }
    // It died with its results and offsets in an open transaction.
    assert_eq!(ended.unwrap().code(), None);
    input.send(100);
    input.is_counted();
    // Others come and die at any moment.
    for round in 0..4_u64 {
        let mut other = Running(exactly_once(&server).spawn().unwrap());
        let until = Instant::now() + Duration::from_millis(1500 + 431 * round);
        while Instant::now() < until {
            input.send(20);
        }
        other.0.kill().unwrap();
        input.send(20);
    }
    input.is_counted();
    // Some have no partition, and wait for one.
    let mut others: Vec<Running> = (0..4)
        .map(|_| Running(exactly_once(&server).spawn().unwrap()))
        .collect();
    for _ in 0..10 {
        input.send(20);
    }
    input.is_counted();
    for other in &mut others {
        assert_eq!(other.0.try_wait().unwrap(), None);
    }
}

#[test]
fn a_process_that_is_asked_to_end_hands_its_partitions_over_at_once() {
    let name = "a_process_that_is_asked_to_end_hands_its_partitions_over_at_once";
    let Some(server) = Server::shared_kafka(name) else {
        return;
    };
    let mut input = Input::new(&server);
    let to = ["--to", &server.topic("out")];
    // With this session time-out, a member that dies is not noticed before the test ends.
    let member = || Running(member_for(&server, "300000", &to).spawn().unwrap());
    let mut first = member();
    input.send(100);
    input.is_counted();
    let _second = member();
    for _ in 0..10 {
        input.send(40);
    }
    input.is_counted();
    signal(&first, Signal::TERM);
    assert_eq!(first.0.wait().unwrap().code(), Some(130));
    let ended = Instant::now();
    input.send(200);
    // All partitions are read again, long before the session of the first one is over.
    input.is_counted();
    let took = ended.elapsed();
    println!("the partitions were handed over within {took:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_process_that_lost_its_partitions_writes_nothing() {
    let Some(server) = Server::shared_kafka("a_process_that_lost_its_partitions_writes_nothing")
    else {
        return;
    };
    let mut input = Input::new(&server);
    let mut first = exactly_once(&server);
    // It has read messages, and has written no results.
    first.env("KEYMILL_TEST_STOP_AT", "computed:2");
    let mut first = Running(first.stderr(Stdio::piped()).spawn().unwrap());
    while !is_stopped(&first) {
        input.send(40);
        assert_eq!(first.0.try_wait().unwrap(), None);
    }
    let mut second = Running(exactly_once(&server).spawn().unwrap());
    input.is_counted();
    signal(&first, Signal::CONT);
    input.send(200);
    input.is_counted();
    // It goes on as a member, also alone.
    assert_eq!(first.0.try_wait().unwrap(), None);
    second.0.kill().unwrap();
    input.send(200);
    input.is_counted();
    assert_eq!(first.0.try_wait().unwrap(), None);
}

#[test]
fn other_sinks_get_everything_at_least_once() {
    let Some(server) = Server::shared_kafka("other_sinks_get_everything_at_least_once") else {
        return;
    };
    let mut input = Input::new(&server);
    let folder = Folder::new();
    // Each process has a table of its own.
    let member = |name: &str| {
        let to = format!("sqlite:{}", folder.path(name).display());
        Running(member(&server, &["--to", &to]).spawn().unwrap())
    };
    let found = || {
        let mut words = BTreeSet::new();
        for name in ["1.db", "2.db"] {
            let database = rusqlite::Connection::open(folder.path(name)).unwrap();
            if let Ok(mut rows) = database.prepare("SELECT key FROM results") {
                let keys = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
                words.extend(keys.flatten());
            }
        }
        words.len()
    };
    let first = member("1.db");
    input.send(100);
    wait_until("words are missing", || found() == 101);
    thread::sleep(Duration::from_millis(300));
    drop(first);
    input.send(100);
    let _second = member("2.db");
    wait_until("words are missing", || found() == 201);
    // The group continued after what the first one had committed.
    let database = rusqlite::Connection::open(folder.path("2.db")).unwrap();
    let again = "SELECT count(*) FROM results WHERE key IN ('first', 'w0', 'w1', 'w2')";
    let again: i64 = database.query_row(again, [], |row| row.get(0)).unwrap();
    assert_eq!(again, 0);
}

#[test]
fn fixed_shares_keep_running_totals() {
    let Some(server) = Server::shared_kafka("fixed_shares_keep_running_totals") else {
        return;
    };
    let mut input = Input::new(&server);
    let folder = Folder::new();
    let share = |share: &str, checkpoint: &str, out: &str| {
        let mut query = keymill();
        query.current_dir(folder.path(""));
        query.args(["stream", "--from", &server.topic("lines")]);
        query.args([
            "--share",
            share,
            "--count",
            "--available-now",
            "--mode",
            "complete",
        ]);
        query.args(["--checkpoint", checkpoint, "--to", &format!("files:{out}")]);
        query.args(["--guarantee", "exactly-once"]);
        query
    };
    let totals = |epoch: u32| {
        let mut all = BTreeMap::new();
        for out in ["out1", "out2", "out3"] {
            let part = folder.path(&format!("{out}/epoch={epoch:08}/part-00000.tsv"));
            for line in fs::read_to_string(part).unwrap_or_default().lines() {
                let (word, count) = line.split_once('\t').unwrap();
                *all.entry(word.to_owned()).or_default() += count.parse::<u64>().unwrap();
            }
        }
        all
    };
    for epoch in 0..2 {
        input.send(200);
        for number in 1..=3 {
            let (ck, out) = (format!("ck{number}"), format!("out{number}"));
            succeeds(&mut share(&format!("{number}/3"), &ck, &out));
        }
        assert_eq!(totals(epoch), counted(&input.lines));
    }
    let other = share("1/2", "ck1", "out1").output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    let says = text(&other.stderr);
    assert!(
        says.contains("the checkpoint is of share 1/3, and the query reads share 1/2"),
        "{says}"
    );
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let from = ["stream", "--from", "kafka://127.0.0.1:1/x", "--count"];
    let refused = |more: &[&str], says: &str| {
        assert_fails(&[&from[..], more].concat(), 2, &[says]);
    };
    let group = ["--share", "g", "--per-epoch"];
    let grouped = |more: &[&str], says: &str| refused(&[&group[..], more].concat(), says);
    refused(&["--share", "g"], "each epoch must stand alone");
    refused(
        &["--share", "g", "--window", "1s"],
        "each epoch must stand alone",
    );
    refused(&["--share", "4/3"], "one of the shares");
    grouped(&["--once"], "one process does not know when all is read");
    grouped(&["--checkpoint", "ck"], "a checkpoint would not be read");
    grouped(
        &["--from", "kafka://127.0.0.1:1/y"],
        "it must be the only source",
    );
    grouped(
        &["--to", "files:out", "--guarantee", "exactly-once"],
        "the offsets of a shared source are committed after the results",
    );
    let both = [
        "--to",
        "kafka://127.0.0.1:1/y",
        "--to",
        "kafka://127.0.0.1:1/z",
    ];
    grouped(
        &[&both[..], &["--guarantee", "exactly-once"]].concat(),
        "the offsets of a shared source are committed after the results",
    );
    grouped(
        &["--from-option", "starting.timestamp=0"],
        "a group continues with its own offsets",
    );
    grouped(
        &[
            "--from-option",
            "partition.assignment.strategy=cooperative-sticky",
        ],
        "`partition.assignment.strategy` cannot be `cooperative-sticky`",
    );
    let tcp = [
        "stream",
        "--from",
        "stdin:",
        "--count",
        "--share",
        "g",
        "--per-epoch",
    ];
    assert_fails(&tcp, 2, &["`stdin:` cannot be shared"]);
}
