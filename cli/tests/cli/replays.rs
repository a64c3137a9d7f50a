//! Streams whose sources are made replayable, with real kills.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Folder, keymill, stdout_of, text};

const LINES: u64 = 6;

struct Query<'f> {
    folder: &'f Folder,
    child: Child,
}

impl<'f> Query<'f> {
    fn start(folder: &'f Folder, source: &[&str], kill_at: Option<&str>) -> Self {
        let mut command = keymill();
        command
            .arg("stream")
            .args(source)
            .args(["--count", "--snapshot-every", "2"]);
        command.args(["--require", "exactly-once", "--quiet"]);
        command.args(["--to", &format!("files:{}", folder.name("out"))]);
        command.args(["--checkpoint", &folder.name("ck")]);
        if let Some(point) = kill_at {
            command.env("KEYMILL_TEST_KILL_AT", point);
        }
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self { folder, child }
    }

    /// Waits for the commit of an epoch.
    fn wait_for(&mut self, epoch: u64) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let commits = fs::read_dir(self.folder.path("ck/commits"))
                .into_iter()
                .flatten();
            let numbers = commits.filter_map(|it| it.unwrap().file_name().to_str()?.parse().ok());
            if numbers.max().is_some_and(|last: u64| last >= epoch) {
                return;
            }
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
            assert!(Instant::now() < end, "epoch {epoch} was not committed");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the process has killed itself.
    fn wait_for_kill(&mut self) {
        assert_eq!(self.child.wait().unwrap().code(), None, "it was not killed");
    }

    fn stop(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn line(number: u64) -> String {
    format!("all twice twice\nonly-{number}\n")
}

/// Checks the totals after all lines.
fn check_totals(folder: &Folder, point: &str) {
    let exported = stdout_of(&["checkpoint", "export", &folder.name("ck")], b"");
    let totals: BTreeMap<&str, &str> = text(&exported)
        .lines()
        .filter_map(|it| it.split_once('\t'))
        .collect();
    let only: Vec<String> = (0..LINES).map(|number| format!("only-{number}")).collect();
    let (all, twice) = (LINES.to_string(), (2 * LINES).to_string());
    let mut expected: BTreeMap<&str, &str> = only.iter().map(|word| (word.as_str(), "1")).collect();
    expected.extend([("all", all.as_str()), ("twice", twice.as_str())]);
    assert_eq!(totals, expected, "{point}");
    // Every epoch is there once: the words that come once stand in one part each.
    let mut seen = BTreeMap::<String, u32>::new();
    for epoch in fs::read_dir(folder.path("out")).unwrap() {
        let part = epoch.unwrap().path().join("part-00000.tsv");
        for line in fs::read_to_string(part).unwrap_or_default().lines() {
            if line.starts_with("only-") {
                *seen.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(seen.len() as u64, LINES, "{point}");
    assert!(seen.values().all(|times| *times == 1), "{point}: {seen:?}");
}

/// Whether a process is killed at a step of an epoch: every second one has a snapshot.
#[cfg(target_os = "linux")]
fn kills(point: &str, epoch: u64) -> bool {
    let is_of_snapshot = point.starts_with("snapshot") || point == "collected";
    !is_of_snapshot || epoch % 2 == 1
}

#[cfg(target_os = "linux")]
#[test]
fn a_logged_socket_survives_kill_9_at_every_step() {
    for point in keymill::KeyedStream::kill_points() {
        for epoch in [2, 3] {
            let folder = Folder::new();
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("tcp://{}", server.local_addr().unwrap());
            let log = folder.name("log");
            let source = ["--from", &address, "--wal", &log];
            let mut query = Query::start(&folder, &source, Some(&format!("{point}:{epoch}")));
            let (mut client, _) = server.accept().unwrap();
            for number in 0..LINES {
                client.write_all(line(number).as_bytes()).unwrap();
                if number == epoch && kills(point, epoch) {
                    query.wait_for_kill();
                    query = Query::start(&folder, &source, None);
                    // Input of past epochs comes from the log, because the sender does not send it again.
                    (client, _) = server.accept().unwrap();
                }
                query.wait_for(number);
            }
            query.stop();
            check_totals(&folder, point);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_followed_file_survives_kill_9_at_every_step() {
    for point in keymill::KeyedStream::kill_points() {
        for epoch in [2, 3] {
            let folder = Folder::new();
            let (name, url) = (folder.path("log"), format!("tail:{}", folder.name("log")));
            let source = ["--from", &url];
            let mut query = Query::start(&folder, &source, Some(&format!("{point}:{epoch}")));
            for number in 0..LINES {
                // Every second line goes into a new file.
                if number % 2 == 1 {
                    fs::rename(&name, folder.path(&format!("log.{number}"))).unwrap();
                }
                let mut log = fs::OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(&name)
                    .unwrap();
                log.write_all(line(number).as_bytes()).unwrap();
                if number == epoch && kills(point, epoch) {
                    query.wait_for_kill();
                    query = Query::start(&folder, &source, None);
                }
                query.wait_for(number);
            }
            query.stop();
            check_totals(&folder, point);
        }
    }
}

#[test]
fn data_sets_are_sources() {
    let folder = Folder::new();
    let made = stdout_of(&["datasets", "make", "zipf-30k", "--bytes", "300KiB"], b"");
    let counted = stdout_of(&["count", "--sort", "key", "-"], &made);
    for (options, more) in [
        ("", &["--max-bytes", "10000"][..]),
        ("&rate=100MB", &["--every", "10ms"]),
    ] {
        let checkpoint = folder.name(&format!("ck{}", more.len() + options.len()));
        let url = format!("dataset:zipf-30k?bytes=300KiB{options}");
        let mut arguments = vec!["stream", "--from", &url, "--count", "--top", "1"];
        arguments.extend(["--checkpoint", &checkpoint]);
        arguments.extend(more);
        stdout_of(&arguments, b"");
        let exported = stdout_of(&["checkpoint", "export", &checkpoint], b"");
        assert_eq!(text(&exported), text(&counted));
    }
}
