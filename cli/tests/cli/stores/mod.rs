//! `keymill stream` into real stores, with real kills.
#![cfg(all(
    target_os = "linux",
    feature = "opensearch",
    feature = "redis",
    feature = "hbase",
    feature = "memcached"
))]

mod answers;
#[cfg(feature = "cassandra")]
mod cassandra;
#[cfg(feature = "cassandra")]
mod cassandra_login;
mod faults;
mod flume;
mod https;
mod mapping;
mod secrets;
mod store;
mod textbook;
mod tls;

use std::collections::BTreeSet;

use crate::command::{Folder, text};
use crate::kills::killed_at;
use store::{Input, Store, counts};

/// The running totals of sites arrive, in the modes that write changed and all groups.
fn totals_arrive(store: &Store) {
    for (mode, name) in [("update", "totals-update"), ("complete", "totals-complete")] {
        let folder = Folder::new();
        let input = Input::new(&folder, 5);
        let place = store.place(name);
        let output = input.stream(&store.url(&place), &["--mode", mode]).output();
        let output = output.unwrap();
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(store.counts(&place), input.totals(), "{mode}");
    }
}

/// Kills a query at steps of an epoch, and starts it again.
fn kill_at(store: &Store, points: &[&'static str]) {
    let mut killed = BTreeSet::new();
    for point in points {
        let folder = Folder::new();
        let input = Input::new(&folder, 3);
        let place = store.place(&format!("killed-at-{point}"));
        let query = || input.stream(&store.url(&place), &["--mode", "update"]);
        if killed_at(&format!("{point}:1"), query) {
            killed.insert(*point);
        }
        assert_eq!(store.counts(&place), input.totals(), "{point}");
    }
    // The other steps are of snapshots, which are written in other epochs.
    assert!(killed.len() * 2 > points.len(), "{killed:?}");
}

/// A place has one query; a new one is refused before it writes.
fn another_query_is_refused(store: &Store) {
    let folder = Folder::new();
    let input = Input::new(&folder, 2);
    let place = store.place("owned");
    let query = || input.stream(&store.url(&place), &["--mode", "update"]);
    assert_eq!(query().output().unwrap().status.code(), Some(0));
    let before = store.counts(&place);
    std::fs::remove_dir_all(folder.path("ck")).unwrap();
    let output = query().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let says = text(&output.stderr);
    assert!(says.contains("has results of another query"), "{says}");
    assert_eq!(store.counts(&place), before);
}

fn all_of(kind: &'static str, points: &[&'static str]) {
    let Some(store) = Store::shared(kind) else {
        return;
    };
    totals_arrive(&store);
    kill_at(&store, points);
    if kind != "memcached" {
        another_query_is_refused(&store);
    }
}

#[test]
fn totals_in_opensearch() {
    all_of("opensearch", keymill::KeyedStream::kill_points());
}

#[test]
fn totals_in_redis() {
    all_of("redis", keymill::KeyedStream::kill_points());
}

#[test]
fn totals_in_memcached() {
    all_of(
        "memcached",
        &["offsets", "delta", "prepared", "sink", "commit"],
    );
}

#[cfg(feature = "cassandra")]
#[test]
fn totals_in_cassandra() {
    all_of("cassandra", keymill::KeyedStream::kill_points());
}

/// A new table takes a second, so that there are few.
#[test]
fn totals_in_hbase() {
    all_of("hbase", &["delta", "prepared", "sink"]);
}

/// A batch of another query that is late changes nothing: versions of epochs go up only.
#[test]
fn a_late_write_of_an_earlier_epoch_is_refused() {
    let Some(store) = Store::shared("opensearch") else {
        return;
    };
    let folder = Folder::new();
    let input = Input::new(&folder, 4);
    let place = store.place("late");
    let output = input
        .stream(&store.url(&place), &["--mode", "update"])
        .output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    // Epoch 0 of the same query, as a process that was paused would write it.
    let path = format!("/{place}/_doc/all?version=1&version_type=external_gte");
    let (status, _) = store.http("PUT", &path, r#"{"site":"all","sum(count)":1}"#);
    assert_eq!(status, 409);
    assert_eq!(counts(&store.counts(&place), "all"), 4);
}
