//! Servers that stop and come back in the middle of an epoch.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::store::{Input, Store};
use crate::command::Folder;

const FILES: u64 = 40;

/// A query under way, which is killed with this value.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Running {
    fn new(input: &Input<'_>, url: &str) -> Self {
        let options = [
            "--mode",
            "update",
            "--every",
            "20ms",
            "--to-option",
            "timeout.ms=700",
        ];
        let mut command = input.stream(url, &options);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until the query says why it is paused.
    fn until_paused(&mut self) -> String {
        let line = self.lines.next().expect("the query ended without a pause");
        let line = line.unwrap();
        assert!(line.contains("paused, tries again"), "{line}");
        line
    }

    fn until_done(mut self) {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            assert!(line.contains("paused, tries again"), "{line}");
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until some totals are there, and the last one is not.
fn until_under_way(store: &Store, place: &str) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        assert!(Instant::now() < until);
        let is_there = std::panic::catch_unwind(|| store.counts(place).len() > 10);
        if is_there.unwrap_or(false) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn stops_and_comes_back(kind: &'static str) {
    let Some(store) = Store::own(kind, &[]) else {
        return;
    };
    for is_killed in [true, false] {
        let folder = Folder::new();
        let input = Input::new(&folder, FILES);
        let place = store.place("disturbed");
        let mut query = Running::new(&input, &store.url(&place));
        until_under_way(&store, &place);
        match is_killed {
            true => store.server.kill(),
            false => store.server.pause(),
        }
        let says = query.until_paused();
        assert!(says.contains(&format!("{kind}://")), "{says}");
        thread::sleep(Duration::from_secs(1));
        match is_killed {
            true => store.server.start_again(),
            false => store.server.resume(),
        }
        query.until_done();
        assert_eq!(store.counts(&place), input.totals(), "killed: {is_killed}");
    }
}

/// A query starts while the store is down, and its first epoch waits.
fn starts_while_away(kind: &'static str) {
    let Some(store) = Store::own(kind, &[]) else {
        return;
    };
    let folder = Folder::new();
    let input = Input::new(&folder, 2);
    let place = store.place("away");
    store.server.kill();
    let mut query = Running::new(&input, &store.url(&place));
    query.until_paused();
    store.server.start_again();
    query.until_done();
    assert_eq!(store.counts(&place), input.totals());
}

#[cfg(feature = "cassandra")]
#[test]
fn a_query_starts_while_cassandra_is_down() {
    starts_while_away("cassandra");
}

#[test]
fn a_query_starts_while_redis_is_down() {
    starts_while_away("redis");
}

#[test]
fn opensearch_stops_and_comes_back() {
    stops_and_comes_back("opensearch");
}

#[test]
fn redis_stops_and_comes_back() {
    stops_and_comes_back("redis");
}

#[test]
fn hbase_stops_and_comes_back() {
    stops_and_comes_back("hbase");
}

#[cfg(feature = "cassandra")]
#[test]
fn cassandra_stops_and_comes_back() {
    stops_and_comes_back("cassandra");
}
