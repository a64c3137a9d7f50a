//! Servers that stop to answer, and that are killed, while a query writes to them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::place::{Files, Kind, Place};
use super::sinks::{comparable, expected, make_input, query};
use crate::command::Folder;

/// A query that takes the files of the folder `in` as they come, and what it says.
struct Running {
    child: Child,
    says: Receiver<String>,
}

impl Running {
    fn start(place: &Place, folder: &Folder, to: &str) -> Self {
        let arguments = query(place, &folder.path(""), to);
        let mut command = place.keymill();
        command.args(arguments.get_args().filter(|it| *it != "--available-now"));
        let mut child = command
            .args(["--every", "50ms"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (send, says) = channel();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        Self { child, says }
    }

    /// Waits for a line that has this text.
    fn wait_for(&self, part: &str) {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.says.recv_timeout(left);
            if line
                .unwrap_or_else(|_| panic!("it did not say `{part}`"))
                .contains(part)
            {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the files are there.
fn wait_for_files(place: &Place, name: &str, expected: &Files) {
    let end = Instant::now() + Duration::from_secs(90);
    while comparable(committed(place.files(name))) != *expected {
        assert!(Instant::now() < end, "{:?}", place.files(name).keys());
        thread::sleep(Duration::from_millis(200));
    }
}

/// The files of epochs that are committed.
fn committed(files: Files) -> Files {
    let has_manifest = |name: &String| {
        let epoch = name.split('/').next().unwrap();
        epoch.starts_with("epoch=") && files.contains_key(&format!("{epoch}/_manifest.json"))
    };
    let kept = files.iter().filter(|(name, _)| has_manifest(name));
    kept.map(|(name, bytes)| (name.clone(), bytes.clone()))
        .collect()
}

fn with_outages(kind: Kind) {
    let Some(place) = Place::alone(kind, "outages") else {
        return;
    };
    let expected = expected(&place, "tsv");
    let folder = Folder::new();
    make_input(&folder.path("all"));
    fs::create_dir(folder.path("in")).unwrap();
    let add = |file: &str| {
        fs::rename(folder.path("all").join(file), folder.path("in").join(file)).unwrap();
    };
    add("000");
    let running = Running::start(&place, &folder, &place.url("out"));
    let until = |epochs: usize| {
        let files = expected.iter().take(2 * epochs);
        files
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect()
    };
    wait_for_files(&place, "out", &until(1));
    // It does not answer for some seconds.
    place.server.pause();
    add("001");
    thread::sleep(Duration::from_secs(3));
    place.server.resume();
    wait_for_files(&place, "out", &until(2));
    // It is gone, and comes back.
    place.server.kill();
    add("002");
    running.wait_for("paused, tries again");
    place.server.start_again();
    wait_for_files(&place, "out", &until(3));
    // It is killed while an epoch is written.
    add("003");
    thread::sleep(Duration::from_millis(60));
    place.server.kill();
    place.server.start_again();
    add("004");
    wait_for_files(&place, "out", &expected);
    // What was left by attempts is no epoch.
    drop(running);
    assert_eq!(comparable(committed(place.files("out"))), expected);
}

/// A query starts while the server is down, and its first epoch, which is a replay, waits for it.
fn starts_while_away(kind: Kind) {
    let Some(place) = Place::alone(kind, "starts") else {
        return;
    };
    let expected = expected(&place, "tsv");
    let folder = Folder::new();
    make_input(&folder.path("in"));
    let url = place.url("out");
    // Epoch 1 is in the store, and the checkpoint does not know it.
    let mut killed = query(&place, &folder.path(""), &url);
    let killed = killed.env("KEYMILL_TEST_KILL_AT", "sink:1").output();
    assert_eq!(killed.unwrap().status.code(), None);
    place.server.kill();
    let running = Running::start(&place, &folder, &url);
    running.wait_for("paused, tries again");
    place.server.start_again();
    wait_for_files(&place, "out", &expected);
    drop(running);
    // Another query is refused as soon as the server is there.
    fs::remove_dir_all(folder.path("ck")).unwrap();
    place.server.kill();
    let running = Running::start(&place, &folder, &url);
    running.wait_for("paused, tries again");
    place.server.start_again();
    running.wait_for("has results of another query");
    drop(running);
    assert_eq!(comparable(committed(place.files("out"))), expected);
}

#[test]
fn a_query_starts_while_hdfs_is_down() {
    starts_while_away(Kind::Hdfs);
}

#[test]
fn a_query_starts_while_s3_is_down() {
    starts_while_away(Kind::S3);
}

#[test]
fn hdfs_that_is_away_for_a_while_loses_nothing() {
    with_outages(Kind::Hdfs);
}

#[test]
fn s3_that_is_away_for_a_while_loses_nothing() {
    with_outages(Kind::S3);
}
