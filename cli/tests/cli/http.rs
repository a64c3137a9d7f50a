//! HTTP as a source and as a sink, with real kills.
#![cfg(all(unix, feature = "http"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Folder, assert_fails, keymill, text};

/// A stream that listens; it is killed with this value.
struct Listening {
    child: Child,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn listen(port: u16, arguments: &[&str], folder: &Path) -> Listening {
    let from = format!("http-listen://127.0.0.1:{port}");
    let mut command = keymill();
    command.args(["stream", "--from", &from]).args(arguments);
    let child = command.current_dir(folder).spawn().unwrap();
    let mut listening = Listening { child };
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until);
        assert_eq!(listening.child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(10));
    }
    listening
}

/// An answer: its status, its head and its body.
struct Answer(u16, String, String);

fn request(port: u16, head: &str, body: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let length = body.len();
    let head =
        format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    // A server that refuses a body may not read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        read?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Answer(status, head.to_lowercase(), body.to_owned()))
}

fn post(port: u16, headers: &str, body: &[u8]) -> Answer {
    request(port, &format!("POST /ingest HTTP/1.1{headers}"), body).unwrap()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The results in the last epoch of a folder.
fn last_results(folder: &Path) -> String {
    let epochs = fs::read_dir(folder.join("out")).into_iter().flatten();
    let epochs = epochs.map(|it| it.unwrap().path());
    let last = epochs
        .filter(|it| it.to_string_lossy().contains("epoch="))
        .max();
    let part = last.map(|it| it.join("part-00000.tsv"));
    part.and_then(|it| fs::read_to_string(it).ok())
        .unwrap_or_default()
}

fn wait_for(folder: &Path, expected: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while last_results(folder) != expected {
        assert!(Instant::now() < until, "{}", last_results(folder));
        thread::sleep(Duration::from_millis(20));
    }
}

const TOTALS: [&str; 9] = [
    "--mode",
    "complete",
    "--every",
    "20ms",
    "--to",
    "files:out",
    "--checkpoint",
    "ck",
    "--quiet",
];

#[test]
fn bodies_become_lines() {
    let folder = Folder::new();
    let port = free_port();
    let arguments = ["--count", "--wal", "wal", "--from-option", "token=secret"];
    let arguments = [&arguments[..], &TOTALS[..]].concat();
    let server = listen(port, &arguments, &folder.path(""));
    let key = "\r\nAuthorization: Bearer secret";
    let answer = post(port, key, b"to be or\nnot to be");
    assert_eq!((answer.0, answer.2.as_str()), (200, "{\"bytes\":19}\n"));
    let packed =
        format!("{key}\r\nContent-Encoding: gzip\r\nContent-Type: text/plain; charset=utf-8");
    assert_eq!(post(port, &packed, &gzip(b"be")).0, 200);
    let headed = format!("{key}\r\nContent-Type: text/csv; header=present");
    assert_eq!(post(port, &headed, b"name\nor\n").0, 200);
    assert_eq!(post(port, key, b"").0, 200);
    wait_for(&folder.path(""), "be\t3\nor\t2\nto\t2\nnot\t1\n");

    // A body without a length, in chunks, slowly.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head =
        format!("POST /ingest HTTP/1.1{key}\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for chunk in ["2\r\nno\r\n", "1\r\nt\r\n", "0\r\n\r\n"] {
        thread::sleep(Duration::from_millis(30));
        stream.write_all(chunk.as_bytes()).unwrap();
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    wait_for(&folder.path(""), "be\t3\nnot\t2\nor\t2\nto\t2\n");

    let refused = |head: &str, body: &[u8], status: u16, says: &str| {
        let answer = request(port, head, body).unwrap();
        assert_eq!(answer.0, status, "{head}: {}", answer.2);
        assert!(
            format!("{}{}", answer.1, answer.2).contains(says),
            "{head}: {}",
            answer.1
        );
    };
    let to = "POST /ingest HTTP/1.1";
    refused(to, b"a", 401, "www-authenticate: bearer");
    refused(
        &format!("{to}\r\nAuthorization: Bearer secre"),
        b"a",
        401,
        "bearer",
    );
    refused(
        &format!("{to}\r\nAuthorization: Basic secret"),
        b"a",
        401,
        "bearer",
    );
    refused(
        &format!("GET /ingest HTTP/1.1{key}"),
        b"",
        405,
        "allow: post",
    );
    refused("POST /other HTTP/1.1", b"a", 404, "/ingest");
    refused("GET /healthz HTTP/1.1", b"", 200, "ok");
    refused(
        &format!("{to}{key}\r\nContent-Type: image/png"),
        b"a",
        415,
        "text/plain",
    );
    refused(
        &format!("{to}{key}\r\nContent-Encoding: br"),
        b"a",
        415,
        "accept-encoding: gzip",
    );
    refused(
        &format!("{to}{key}\r\nContent-Encoding: gzip"),
        b"a",
        400,
        "gzip",
    );
    refused("nonsense", b"", 400, "");
    let bomb = gzip(&vec![b'x'; 65 << 20]);
    refused(
        &format!("{to}{key}\r\nContent-Encoding: gzip"),
        &bomb,
        413,
        "max.decompressed.bytes",
    );
    let large = vec![b'x'; (16 << 20) + 1];
    refused(&format!("{to}{key}"), &large, 413, "max.body.bytes");
    wait_for(&folder.path(""), "be\t3\nnot\t2\nor\t2\nto\t2\n");
    drop(server);
}

#[test]
fn rows_are_added_up() {
    let folder = Folder::new();
    let port = free_port();
    let arguments = [
        "--columns",
        "site,count",
        "--json",
        "--key",
        "site",
        "--agg",
        "sum(count)",
    ];
    let arguments = [&arguments[..], &TOTALS[..], &["--wal", "wal"]].concat();
    let server = listen(port, &arguments, &folder.path(""));
    let json = "\r\nContent-Type: application/x-ndjson";
    assert_eq!(
        post(port, json, b"{\"site\":\"a\",\"count\":2}\nnonsense\n").0,
        200
    );
    assert_eq!(post(port, json, b"{\"site\":\"a\",\"count\":0.5}").0, 200);
    wait_for(&folder.path(""), "a\t2.5\n");
    drop(server);
}

#[test]
fn what_was_answered_survives_kills() {
    let folder = Folder::new();
    let port = free_port();
    let arguments = ["--count", "--wal", "wal", "--guarantee", "exactly-once"];
    let arguments = [&arguments[..], &TOTALS[..]].concat();
    let mut server = listen(port, &arguments, &folder.path(""));
    let (mut random, mut sent, mut kept, mut open) = (3_u64, 0, BTreeSet::new(), BTreeSet::new());
    for _ in 0..10 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let end = Instant::now() + Duration::from_millis((random >> 33) % 300);
        let killer = thread::spawn(move || {
            thread::sleep(end.saturating_duration_since(Instant::now()));
            drop(server);
        });
        loop {
            sent += 1;
            let word = format!("w{sent}");
            match request(port, "POST /ingest HTTP/1.1", word.as_bytes()) {
                Ok(Answer(200, ..)) => assert!(kept.insert(word)),
                _ => {
                    open.insert(word);
                    break;
                }
            }
        }
        killer.join().unwrap();
        server = listen(port, &arguments, &folder.path(""));
    }
    assert!(kept.len() > 20, "{}", kept.len());
    assert_eq!(post(port, "", b"the-end").0, 200);
    kept.insert("the-end".to_owned());
    let until = Instant::now() + Duration::from_secs(60);
    while !last_results(&folder.path("")).contains("the-end") {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(20));
    }
    let results = last_results(&folder.path(""));
    let found: BTreeMap<&str, &str> = results
        .lines()
        .filter_map(|it| it.split_once('\t'))
        .collect();
    for (word, count) in &found {
        assert_eq!(*count, "1", "{word}");
        assert!(kept.contains(*word) || open.contains(*word), "{word}");
    }
    for word in &kept {
        assert!(found.contains_key(word.as_str()), "{word}");
    }
    // The log keeps only bodies that no epoch has committed.
    let files = fs::read_dir(folder.path("wal/0")).unwrap().count();
    assert!(files <= 2, "{files}");
    drop(server);
}

#[test]
fn a_query_that_has_enough_to_do_says_when_to_come_back() {
    let folder = Folder::new();
    let port = free_port();
    let arguments = [
        "--count",
        "--from-option",
        "ack=accepted",
        "--memory",
        "64MiB",
    ];
    let server = listen(
        port,
        &[&arguments[..], &["--every", "1h"]].concat(),
        &folder.path(""),
    );
    let body = b"word\n".repeat(1 << 19);
    let mut answers = (0..40).map(|_| post(port, "", &body));
    let full = answers.find(|answer| answer.0 != 200).unwrap();
    assert_eq!(full.0, 503);
    assert!(full.1.contains("retry-after: 1"), "{}", full.1);
    drop(server);
}

#[test]
fn a_graceful_end_keeps_what_was_answered() {
    let folder = Folder::new();
    let port = free_port();
    let arguments = [&["--count", "--wal", "wal"][..], &TOTALS[..]].concat();
    let mut server = listen(port, &arguments, &folder.path(""));
    assert_eq!(post(port, "", b"a b a").0, 200);
    let pid = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(server.child.wait().unwrap().code(), Some(130));
    assert_eq!(last_results(&folder.path("")), "a\t2\nb\t1\n");
}

#[test]
fn wrong_settings_are_refused() {
    let refused = |from: &str, option: &str, says: &str| {
        let arguments = [
            "stream",
            "--from",
            from,
            "--from-option",
            option,
            "--count",
            "--once",
        ];
        assert_fails(&arguments, 2, &[says]);
    };
    let from = "http-listen://127.0.0.1:1";
    refused(from, "ack=durable", "--wal DIR");
    refused(from, "ack=maybe", "write durable or accepted");
    let accepted = [
        "stream",
        "--from",
        from,
        "--from-option",
        "ack=accepted",
        "--count",
    ];
    let with = |more: &[&'static str]| [&accepted[..], more].concat();
    let zero = with(&["--from-option", "max.body.bytes=0"]);
    assert_fails(&zero, 2, &["whole number from 1 on"]);
    assert_fails(
        &with(&["--from-option", "tokn=x"]),
        2,
        &["`tokn` is not a setting here"],
    );
    assert_fails(&with(&["--from-option", "token="]), 2, &["visible ASCII"]);
    assert_fails(&with(&["--wal", "wal"]), 2, &["needs no log"]);
    assert_fails(&with(&["--to", "http:/x"]), 2, &["is not a URL"]);
    assert_fails(
        &with(&["--to", "http://x/", "--to-option", "compression=br"]),
        2,
        &["none or gzip"],
    );
    let strict = [
        "--to",
        "http://x/",
        "--guarantee",
        "exactly-once",
        "--checkpoint",
        "ck",
    ];
    assert_fails(&with(&strict), 2, &["exactly"]);
}

/// Requests that a receiver has taken: the idempotency key and the body of each.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

/// A receiver that refuses or drops some requests.
fn receiver(trouble: bool) -> (u16, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Taken::default();
    let shared = taken.clone();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            match number % 4 {
                0 if trouble => drop(stream),
                1 if trouble => drop(take(
                    stream,
                    &shared,
                    "503 Service Unavailable\r\nRetry-After: 0",
                )),
                // The request has arrived, and the sender does not hear of it.
                2 if trouble => drop(take(stream, &shared, "")),
                _ => drop(take(stream, &shared, "204 No Content")),
            }
        }
    });
    (port, taken)
}

fn take(stream: TcpStream, taken: &Taken, status: &str) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().to_lowercase().split_once(": ") {
            Some(("idempotency-key", value)) => key = value.to_owned(),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !status.starts_with("503") {
        let body = String::from_utf8(body).unwrap();
        taken.lock().unwrap().push((key, body));
    }
    if !status.is_empty() {
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// What a receiver has that takes every key once.
fn once(taken: &Taken) -> Vec<String> {
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for (key, body) in taken.lock().unwrap().iter() {
        let first = bodies.entry(key.clone()).or_insert_with(|| body.clone());
        assert_eq!(first, body, "{key}");
    }
    let mut bodies: Vec<(Vec<u64>, String)> = bodies
        .into_iter()
        .map(|(key, body)| {
            let numbers = key.rsplit('-').take(2).map(|it| it.parse().unwrap());
            let mut numbers: Vec<u64> = numbers.collect();
            numbers.reverse();
            (numbers, body)
        })
        .collect();
    bodies.sort();
    bodies.into_iter().map(|(_, body)| body).collect()
}

fn send(folder: &Path, port: u16) -> Command {
    let mut command = keymill();
    let to = format!("http://127.0.0.1:{port}/results");
    command
        .current_dir(folder)
        .args([
            "stream",
            "--from",
            "dir:in",
            "--count",
            "--mode",
            "update",
            "--max-files",
            "1",
        ])
        .args([
            "--available-now",
            "--snapshot-every",
            "2",
            "--checkpoint",
            "ck",
            "--to",
            &to,
            "--quiet",
        ])
        .args([
            "--to-option",
            "max.part.bytes=100",
            "--to-option",
            "idempotent=true",
        ])
        .args(["--guarantee", "idempotent"])
        .stderr(Stdio::piped());
    command
}

fn make_input(folder: &Path) {
    fs::create_dir(folder.join("in")).unwrap();
    for file in 0..3 {
        let words = (0..60).map(|word| format!("w{} ", word * word * (file + 3) % 17));
        fs::write(folder.join(format!("in/{file}")), words.collect::<String>()).unwrap();
    }
}

#[test]
fn every_part_arrives_whatever_goes_wrong() {
    let expected = {
        let folder = Folder::new();
        make_input(&folder.path(""));
        let (port, taken) = receiver(false);
        assert!(send(&folder.path(""), port).status().unwrap().success());
        once(&taken)
    };
    assert!(expected.len() > 6, "{expected:?}");
    assert!(expected[0].starts_with("{\"key\":\"w"), "{expected:?}");

    let folder = Folder::new();
    make_input(&folder.path(""));
    let (port, taken) = receiver(true);
    let output = send(&folder.path(""), port).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(once(&taken), expected);

    for point in keymill::KeyedStream::kill_points() {
        let folder = Folder::new();
        make_input(&folder.path(""));
        let (port, taken) = receiver(false);
        let mut killed = send(&folder.path(""), port);
        let killed = killed
            .env("KEYMILL_TEST_KILL_AT", format!("{point}:1"))
            .output();
        assert_eq!(killed.unwrap().status.code(), None, "{point}");
        let output = send(&folder.path(""), port).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(once(&taken), expected, "{point}");
    }
}

#[test]
fn a_receiver_that_refuses_ends_the_query() {
    let folder = Folder::new();
    make_input(&folder.path(""));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(take(
                stream.unwrap(),
                &Taken::default(),
                "422 Unprocessable Content",
            ));
        }
    });
    let output = send(&folder.path(""), port).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("answers 422"),
        "{}",
        text(&output.stderr)
    );
}
