//! Several topics, offsets, columns of messages, dead letters and transactions of a real Kafka broker.
#![cfg(all(target_os = "linux", feature = "kafka"))]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Folder, assert_fails, keymill, stdout_of, text};
use crate::kafka::{Running, messages, produce, stream, succeeds};
use crate::server::Server;

/// The results of a query of one epoch, as TSV.
fn results(folder: &Path, from: &str, options: &[&str], more: &[&str]) -> String {
    let _ = fs::remove_dir_all(folder.join("out"));
    let mut query = keymill();
    query
        .current_dir(folder)
        .args(["stream", "--from", from, "--once", "--quiet"]);
    options.iter().for_each(|option| {
        query.args(["--from-option", option]);
    });
    succeeds(
        query
            .args(["--mode", "complete", "--to", "files:out"])
            .args(more),
    );
    fs::read_to_string(folder.join("out/epoch=00000000/part-00000.tsv")).unwrap_or_default()
}

#[test]
fn topics_offsets_and_columns() {
    let Some(server) = Server::shared_kafka("topics_offsets_and_columns") else {
        return;
    };
    let folder = Folder::new();
    let here = folder.path("");
    produce(&server, "visits-de", "a\nb\n");
    produce(&server, "visits-fr", "b\nc\n");
    produce(&server, "other", "d\n");
    // A name, several names, or a pattern of names.
    let url = |topics: &str| match topics.strip_prefix('^') {
        Some(pattern) => format!("{}/^{}", server.url, server.name(pattern)),
        None => {
            let names: Vec<String> = topics.split(',').map(|it| server.name(it)).collect();
            format!("{}/{}", server.url, names.join(","))
        }
    };
    let count =
        |topics: &str, options: &[&str]| results(&here, &url(topics), options, &["--count"]);
    assert_eq!(count("visits-de,other", &[]), "a\t1\nb\t1\nd\t1\n");
    assert_eq!(count("^visits-.*", &[]), "b\t2\na\t1\nc\t1\n");
    assert_eq!(count("visits-de", &["auto.offset.reset=largest"]), "");
    assert_eq!(
        count("visits-de", &["starting.timestamp=0"]),
        "a\t1\nb\t1\n"
    );
    assert_eq!(
        count("visits-de", &["starting.timestamp=99999999999999"]),
        ""
    );
    // Both messages are in one of two partitions, or one in each.
    let name = server.name("visits-de");
    let none = format!("starting.offsets={{\"{name}\":{{\"0\":-1,\"1\":-1}}}}");
    assert_eq!(count("visits-de", &[&none]), "");
    assert_eq!(
        count("visits-de", &["starting.offsets={\"0\":-2}"]),
        "a\t1\nb\t1\n"
    );
    let none = "starting.offsets={\"0\":0}";
    let query = [
        "stream",
        "--from",
        &url("^v"),
        "--count",
        "--from-option",
        none,
    ];
    assert_fails(&query, 2, &["of several topics has their names"]);
    assert_fails(
        &["stream", "--from", &url("^x"), "--count", "--once"],
        1,
        &["no topic matches"],
    );
    let sink = ["stream", "--from", "stdin:", "--count", "--to", &url("a,b")];
    assert_fails(&sink, 2, &["names several topics"]);

    // A key, which a message of the sink has.
    let words = url("words");
    let mut query = keymill();
    query.args([
        "stream",
        "--from",
        &url("visits-de"),
        "--count",
        "--once",
        "--to",
        &words,
    ]);
    succeeds(query.arg("--checkpoint").arg(folder.path("ck")));
    let columns = ["--key", "topic,key", "--agg", "count,min(offset)"];
    let rows = results(&here, &words, &["message.columns=true"], &columns);
    let rows: Vec<&str> = rows
        .lines()
        .map(|row| row.rsplit_once('\t').unwrap().0)
        .collect();
    let words = server.name("words");
    let expected = ["a", "b"].map(|key| format!("{words}\t{key}\t1"));
    assert_eq!(rows, expected);
}

#[test]
fn new_partitions_are_found_and_old_ones_go_on() {
    let Some(server) = Server::shared_kafka("new_partitions_are_found_and_old_ones_go_on") else {
        return;
    };
    let folder = Folder::new();
    let from = server.topic("in");
    produce(&server, "in", "a\n");
    let to = format!("sqlite:{}", folder.path("words.db").display());
    let mut query = stream(
        &from,
        &to,
        &folder.path("ck"),
        &["--from-option", "discovery.ms=300"],
    );
    let _running = Running(query.args(["--every", "50ms"]).spawn().unwrap());
    let total = || {
        let database = rusqlite::Connection::open(folder.path("words.db")).unwrap();
        let sum = database.query_row("SELECT sum(count) FROM results", [], |row| row.get(0));
        sum.unwrap_or(0_i64)
    };
    let wait_for = |wanted: i64| {
        let until = Instant::now() + Duration::from_secs(60);
        while total() != wanted {
            assert!(Instant::now() < until, "{}", total());
            thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for(1);
    server.set_partitions("in", 8);
    let lines: String = (0..400).map(|line| format!("w{line}\n")).collect();
    produce(&server, "in", &lines);
    wait_for(401);
}

#[test]
fn poison_messages_are_kept_with_their_places() {
    let Some(server) = Server::shared_kafka("poison_messages_are_kept_with_their_places") else {
        return;
    };
    let folder = Folder::new();
    produce(&server, "website_logs", "a,3\nb,many\na,4\n\nb,1,1\nb,5\n");
    let from = server.topic("website_logs");
    let rows = [
        "--columns",
        "site,count:int",
        "--key",
        "site",
        "--agg",
        "sum(count)",
    ];
    let sums = results(&folder.path(""), &from, &["dead.letters=dead"], &rows);
    assert_eq!(sums, "a\t7\nb\t5\n");
    let mut letters = Vec::new();
    for entry in fs::read_dir(folder.path("dead")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        letters.extend(text.lines().map(str::to_owned));
    }
    letters.sort_by_key(|letter| letter.contains("b,1,1"));
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(
        letters[0].contains("column `count`: `many` is not of the type Int64"),
        "{letters:?}"
    );
    assert!(
        letters[0].contains(&format!("\"topic\":\"{}\"", server.name("website_logs")))
            && letters[0].contains("\"offset\":")
    );
    let count = [
        "stream",
        "--from",
        &from,
        "--count",
        "--from-option",
        "dead.letters=dead",
    ];
    assert_fails(&count, 2, &["name the columns with --columns"]);
}

#[test]
fn running_totals_of_a_topic_go_to_files_and_a_topic() {
    let Some(server) = Server::shared_kafka("running_totals_of_a_topic_go_to_files_and_a_topic")
    else {
        return;
    };
    let folder = Folder::new();
    let from = server.topic("website_logs");
    let totals = server.topic("totals");
    let run = || {
        let mut query = keymill();
        query
            .current_dir(folder.path(""))
            .args(["stream", "--from", &from]);
        query.args([
            "--columns",
            "site,count:int",
            "--key",
            "site",
            "--agg",
            "sum(count)",
        ]);
        query.args(["--mode", "update", "--to", "files:out", "--to", &totals]);
        succeeds(query.args([
            "--checkpoint",
            "ck",
            "--available-now",
            "--guarantee",
            "exactly-once",
        ]));
    };
    produce(&server, "website_logs", "a,3\nb,5\n");
    run();
    produce(&server, "website_logs", "a,4\n");
    run();
    let part = folder.path("out/epoch=00000001/part-00000.tsv");
    assert_eq!(fs::read_to_string(part).unwrap(), "a\t7\n");
    let sent = [
        "a\t{\"sum(count)\":3}",
        "a\t{\"sum(count)\":7}",
        "b\t{\"sum(count)\":5}",
    ];
    assert_eq!(messages(&server, "totals"), sent);
}

#[test]
fn open_transactions_are_listed_and_ended() {
    let Some(server) = Server::kafka("open_transactions_are_listed_and_ended") else {
        return;
    };
    let folder = Folder::new();
    produce(&server, "in", "a b\n");
    let (from, to) = (server.topic("in"), server.topic("out"));
    let query = || {
        let mut query = stream(&from, &to, &folder.path("ck"), &["--available-now"]);
        query.args(["--to-option", "transactional.id=keymill-test"]);
        query
    };
    let listed = || text(&stdout_of(&["kafka", "txn", "list", &server.url], b"")).to_owned();
    let state = || {
        let listed = listed();
        let mut lines = listed
            .lines()
            .filter(|line| line.starts_with("keymill-test\t"));
        lines
            .next()
            .map(|line| line.rsplit_once('\t').unwrap().1.to_owned())
    };
    let killed = query()
        .env("KEYMILL_TEST_KILL_AT", "prepared:0")
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None, "{}", text(&killed.stderr));
    assert_eq!(state().as_deref(), Some("Ongoing"));
    let other = ["kafka", "txn", "abort", &server.url, "--id", "other"];
    assert_eq!(text(&stdout_of(&other, b"")), "");
    assert_eq!(state().as_deref(), Some("Ongoing"));
    let ended = stdout_of(&["kafka", "txn", "abort", &server.url], b"");
    assert_eq!(text(&ended), "keymill-test\n");
    assert_ne!(state().as_deref(), Some("Ongoing"));
    succeeds(&mut query());
    let sent = ["a\t{\"count\":1}", "b\t{\"count\":1}"];
    assert_eq!(messages(&server, "out"), sent);
    assert_fails(
        &["kafka", "txn", "list", "kafka://a/b"],
        2,
        &["is not a cluster"],
    );
}

#[test]
fn a_second_query_fences_the_first() {
    let Some(server) = Server::shared_kafka("a_second_query_fences_the_first") else {
        return;
    };
    let folder = Folder::new();
    produce(&server, "in", "a\n");
    let (from, to) = (server.topic("in"), server.topic("out"));
    let query = |checkpoint: &str| -> Command {
        let id = [
            "--to-option",
            "transactional.id=shared",
            "--every",
            "50ms",
            "--per-epoch",
        ];
        stream(&from, &to, &folder.path(checkpoint), &id)
    };
    let mut first = query("ck1");
    let mut first = Running(first.stderr(std::process::Stdio::piped()).spawn().unwrap());
    let wait_for = |wanted: usize| {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let consumed = crate::command::run(
                &["kafka", "consume", &to, "--until-end", "--committed"],
                b"",
            );
            if text(&consumed.stdout).lines().count() >= wanted {
                return;
            }
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(100));
        }
    };
    wait_for(1);
    let mut second = query("ck2");
    let _second = Running(second.spawn().unwrap());
    wait_for(2);
    produce(&server, "in", "b\n");
    let until = Instant::now() + Duration::from_secs(60);
    while first.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "the first query goes on");
        thread::sleep(Duration::from_millis(50));
    }
    let mut says = String::new();
    std::io::Read::read_to_string(first.0.stderr.as_mut().unwrap(), &mut says).unwrap();
    assert_eq!(
        first.0.try_wait().unwrap().unwrap().code(),
        Some(1),
        "{says}"
    );
    assert!(says.contains("transactional id `shared`"), "{says}");
}
