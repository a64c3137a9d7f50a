//! Epochs in HDFS and S3.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::place::{Files, KINDS, Place};
use crate::command::{Folder, text};

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

#[test]
fn kill_9_at_every_step_writes_every_epoch_once() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "kills") else {
            continue;
        };
        let expected = expected(&place, "tsv");
        let mut killed = BTreeSet::new();
        for point in keymill::KeyedStream::kill_points() {
            let folder = Folder::new();
            make_input(&folder.path("in"));
            let query = || query(&place, &folder.path(""), &place.url(point));
            let kill_at = format!("{point}:1");
            let output = query().env("KEYMILL_TEST_KILL_AT", &kill_at).output();
            if output.unwrap().status.code().is_none() {
                killed.insert(point);
            }
            let output = query().output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let files = comparable(place.files(point));
            assert!(files == expected, "{kind:?} {point}: {:?}", files.keys());
        }
        assert_eq!(killed.len(), 15, "{killed:?}");
    }
}

#[test]
fn kills_at_random_moments_write_every_epoch_once() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "random") else {
            continue;
        };
        let expected = expected(&place, "tsv");
        let (mut random, mut killed, mut runs) = (11_u64, 0, 0);
        while killed < 12 {
            let folder = Folder::new();
            make_input(&folder.path("in"));
            let name = format!("run-{runs}");
            runs += 1;
            loop {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let mut child = query(&place, &folder.path(""), &place.url(&name))
                    .spawn()
                    .unwrap();
                thread::sleep(Duration::from_micros((random >> 33) % 600_000));
                if let Some(status) = child.try_wait().unwrap() {
                    assert_eq!(status.code(), Some(0));
                    break;
                }
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
            let files = comparable(place.files(&name));
            assert!(files == expected, "{kind:?}: {:?}", files.keys());
        }
    }
}
