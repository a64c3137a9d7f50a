//! Epochs in HDFS and S3.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::place::{Files, KINDS, Kind, Place};
use crate::command::{Folder, text};
use crate::kills::{Moments, killed_at, wanted};
use crate::two_queries::one_of_two_ends;

/// Files of the input, and so epochs.
const FILES: u64 = 5;

pub(super) fn make_input(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for file in 0..FILES {
        let rows = (0..200).map(|row: u64| format!("s{},{}\n", row * row * (file + 3) % 41, row));
        // A site that comes only once: no later epoch heals its loss.
        let text = rows.collect::<String>() + &format!("only-in-{file},1\nall,1\n");
        fs::write(folder.join(format!("{file:03}")), text).unwrap();
    }
}

pub(super) fn query(place: &Place, folder: &Path, to: &str) -> Command {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut command = place.keymill();
    command
        .args(["stream", "--from", &format!("dir:{}", path("in"))])
        .args(["--columns", "site,count", "--key", "site"])
        .args(["--agg", "sum(count),count", "--max-files", "1"])
        .args(["--snapshot-every", "2", "--available-now"])
        .args(["--require", "exactly-once", "--checkpoint", &path("ck")])
        .args(["--to", to]);
    command
}

/// The files of a local folder, whose names are those that a server has.
fn local_files(folder: &Path) -> Files {
    let mut files = Files::new();
    for epoch in fs::read_dir(folder).unwrap() {
        let epoch = epoch.unwrap().path();
        for part in fs::read_dir(&epoch).unwrap() {
            let part = part.unwrap().path();
            let name = part.strip_prefix(folder).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), fs::read(&part).unwrap());
        }
    }
    files
}

/// Files, whose manifests do not tell the id of the query.
pub(super) fn comparable(files: Files) -> Files {
    let file = files.into_iter().map(|(name, bytes)| {
        if !name.ends_with("_manifest.json") {
            return (name, bytes);
        }
        let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
        manifest["query"] = "id".into();
        (name, manifest.to_string().into_bytes())
    });
    file.collect()
}

/// What the plain sink of files writes without faults.
pub(super) fn expected(place: &Place, format: &str) -> Files {
    let folder = Folder::new();
    make_input(&folder.path("in"));
    let out = folder.path("out");
    let to = format!("files:{}", out.display());
    let output = query(place, &folder.path(""), &to)
        .args(["--format", format])
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    let files = comparable(local_files(&out));
    assert_eq!(files.len() as u64, 2 * FILES);
    files
}

#[test]
fn formats_are_those_of_files() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "formats") else {
            continue;
        };
        for format in ["tsv", "json", "parquet"] {
            let folder = Folder::new();
            make_input(&folder.path("in"));
            let run = || {
                query(&place, &folder.path(""), &place.url(format))
                    .args(["--format", format, "--explain"])
                    .output()
                    .unwrap()
            };
            let output = run();
            let says = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{says}");
            assert!(
                says.contains("exactly once") && !says.contains("secret"),
                "{says}"
            );
            let expected = expected(&place, format);
            assert_eq!(
                comparable(place.files(format)),
                expected,
                "{kind:?} {format}"
            );
            // Nothing is new.
            assert_eq!(run().status.code(), Some(0));
            assert_eq!(comparable(place.files(format)), expected);
            // Another query must not add to it.
            fs::remove_dir_all(folder.path("ck")).unwrap();
            let refused = run();
            assert_eq!(refused.status.code(), Some(1));
            let says = text(&refused.stderr);
            assert!(says.contains("has results of another query"), "{says}");
        }
    }
}

/// Parts that an attempt before has written, of other data and more of them.
#[test]
fn what_an_attempt_left_is_replaced() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "left") else {
            continue;
        };
        let epoch = match kind {
            Kind::S3 => "out/epoch=00000000",
            Kind::Hdfs => "out/_unfinished-00000000-1",
        };
        for part in ["part-00000.tsv", "part-00007.tsv"] {
            place.put(&format!("{epoch}/{part}"), b"left\t1\n");
        }
        let folder = Folder::new();
        make_input(&folder.path("in"));
        let query = query(&place, &folder.path(""), &place.url("out")).output();
        assert_eq!(text(&query.unwrap().stderr), "");
        let files = comparable(place.files("out"));
        assert!(
            files == expected(&place, "tsv"),
            "{kind:?}: {:?}",
            files.keys()
        );
    }
}

#[test]
fn one_of_two_queries_into_a_place_ends_with_an_error() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "two") else {
            continue;
        };
        one_of_two_ends(|folder, name| {
            if !folder.path("in").exists() {
                make_input(&folder.path("in"));
            }
            query(&place, &folder.path(""), &place.url(name))
        });
    }
}

fn kill_at_every_step(kind: Kind) {
    let Some(place) = Place::new(kind, "kills") else {
        return;
    };
    let expected = expected(&place, "tsv");
    let mut killed = BTreeSet::new();
    for point in keymill::KeyedStream::kill_points() {
        let folder = Folder::new();
        make_input(&folder.path("in"));
        let query = || query(&place, &folder.path(""), &place.url(point));
        if killed_at(&format!("{point}:1"), query) {
            killed.insert(point);
        }
        let files = comparable(place.files(point));
        assert!(files == expected, "{kind:?} {point}: {:?}", files.keys());
    }
    assert_eq!(killed.len(), 15, "{killed:?}");
}

fn kill_at_random_moments(kind: Kind) {
    let Some(place) = Place::new(kind, "random") else {
        return;
    };
    let expected = expected(&place, "tsv");
    let mut moments = Moments::new(11, Duration::from_millis(600));
    let mut runs = 0;
    while moments.kills < wanted(8) {
        let folder = Folder::new();
        make_input(&folder.path("in"));
        let name = format!("run-{runs}");
        runs += 1;
        moments.kill_until_done(|| query(&place, &folder.path(""), &place.url(&name)));
        let files = comparable(place.files(&name));
        assert!(files == expected, "{kind:?}: {:?}", files.keys());
    }
}

#[test]
fn kill_9_at_every_step_writes_every_epoch_once_to_hdfs() {
    kill_at_every_step(Kind::Hdfs);
}

#[test]
fn kill_9_at_every_step_writes_every_epoch_once_to_s3() {
    kill_at_every_step(Kind::S3);
}

#[test]
fn kills_at_random_moments_write_every_epoch_once_to_hdfs() {
    kill_at_random_moments(Kind::Hdfs);
}

#[test]
fn kills_at_random_moments_write_every_epoch_once_to_s3() {
    kill_at_random_moments(Kind::S3);
}
