//! A file that grows, is renamed, truncated and written anew.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use keymill::ErrorKind;
use keymill::prelude::*;
use keymill::stream::{MemorySink, TailSource, Trigger, sum};

use crate::fixtures::{Counts, counts_of, engine, plain_counts, word_count};

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Reads what is there, with a checkpoint, and returns the totals that changed.
fn read(path: &Path, checkpoint: &Path, most: u64) -> keymill::Result<Counts> {
    let sink = MemorySink::new();
    let stream = engine(1)
        .stream(TailSource::new(path))
        .trigger(Trigger::AvailableNow);
    let query = stream
        .tokenize(whitespace())
        .count_by_key()
        .update_state(sum());
    let query = query.max_bytes_per_epoch(most).checkpoint(checkpoint);
    query.sink(sink.clone()).run()?;
    let mut last = Counts::new();
    for (_, batches) in sink.epochs() {
        last.extend(counts_of(&batches));
    }
    Ok(last)
}

#[test]
fn appended_lines_are_read_once_and_a_partial_line_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (log, checkpoint) = (folder.path().join("log"), folder.path().join("ck"));
    assert_eq!(read(&log, &checkpoint, u64::MAX).unwrap(), Counts::new());
    append(&log, "a b\nc par");
    assert_eq!(
        read(&log, &checkpoint, u64::MAX).unwrap(),
        plain_counts(["a b"])
    );
    assert_eq!(read(&log, &checkpoint, u64::MAX).unwrap(), Counts::new());
    append(&log, "tial\na\n");
    let expected = Counts::from([
        ("a".to_owned(), 2),
        ("c".to_owned(), 1),
        ("partial".to_owned(), 1),
    ]);
    assert_eq!(read(&log, &checkpoint, u64::MAX).unwrap(), expected);
}

#[test]
fn limits_cut_at_line_ends() {
    for (most, lines) in [
        (1, 12),
        (10, 12),
        (100, 30),
        (70_000, 4000),
        (1 << 30, 4000),
    ] {
        let lines: String = (0..lines)
            .map(|line| format!("w{} {}\n", line % 7, "x".repeat(line % 90)))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log, &lines);
        let totals = read(&log, &folder.path().join("ck"), most).unwrap();
        assert_eq!(totals, plain_counts([lines.as_str()]), "{most}");
    }
}

#[cfg(unix)]
#[test]
fn the_rest_of_a_renamed_file_is_read_before_the_new_one() {
    for most in [1, 5, u64::MAX] {
        let folder = tempfile::tempdir().unwrap();
        let (log, checkpoint) = (folder.path().join("log"), folder.path().join("ck"));
        append(&log, "old first\n");
        read(&log, &checkpoint, most).unwrap();
        append(&log, "old rest\nold end");
        fs::rename(&log, folder.path().join("log.1")).unwrap();
        // Nobody has opened a new file yet: more may come into the old one.
        let expected = Counts::from([("old".to_owned(), 2), ("rest".to_owned(), 1)]);
        assert_eq!(read(&log, &checkpoint, most).unwrap(), expected, "{most}");
        append(&log, "new\nold\n");
        let expected = Counts::from([
            ("end".to_owned(), 1),
            ("new".to_owned(), 1),
            ("old".to_owned(), 4),
        ]);
        assert_eq!(read(&log, &checkpoint, most).unwrap(), expected, "{most}");
        // The old file may go now.
        fs::remove_file(folder.path().join("log.1")).unwrap();
        append(&log, "new\n");
        assert_eq!(
            read(&log, &checkpoint, most).unwrap(),
            Counts::from([("new".to_owned(), 2)])
        );
    }
}

#[test]
fn a_truncated_file_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let (log, checkpoint) = (folder.path().join("log"), folder.path().join("ck"));
    append(&log, "one two three\n");
    read(&log, &checkpoint, u64::MAX).unwrap();
    fs::write(&log, "one\n").unwrap();
    assert_eq!(
        read(&log, &checkpoint, u64::MAX).unwrap(),
        Counts::from([("one".to_owned(), 2)])
    );
    // Written anew, and longer than it was.
    fs::write(&log, "two longer than before\n").unwrap();
    let totals = read(&log, &checkpoint, u64::MAX).unwrap();
    assert_eq!((totals["two"], totals.len()), (2, 4));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_gone_with_its_rest_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (log, checkpoint) = (folder.path().join("log"), folder.path().join("ck"));
    append(&log, "read\n");
    read(&log, &checkpoint, u64::MAX).unwrap();
    append(&log, "unread\n");
    // The new file is there before the old one is gone, so that it has another number.
    append(&folder.path().join("new"), "new\n");
    fs::rename(folder.path().join("new"), &log).unwrap();
    let error = read(&log, &checkpoint, u64::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    let message = error.to_string();
    assert!(
        message.contains("was read until byte 5 and is gone"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_running_query_follows_rotations() {
    use keymill::stream::StreamQuery;

    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let sink = MemorySink::new();
    let query = word_count(&engine(1), TailSource::new(&log))
        .sink(sink.clone())
        .start()
        .unwrap();
    let total = |sink: &MemorySink| {
        let mut totals = Counts::new();
        for (_, batches) in sink.epochs() {
            totals.extend(counts_of(&batches));
        }
        totals.get("w").copied().unwrap_or(0)
    };
    let wait_for = |query: &StreamQuery, wanted: u64| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while total(&sink) < wanted {
            assert!(
                query.is_active() && std::time::Instant::now() < end,
                "{:?}",
                query.exception()
            );
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    };
    let mut written = 0;
    for rotation in 0..10 {
        for _ in 0..20 {
            append(&log, "w w\nw");
            append(&log, " w\n");
            written += 4;
        }
        if rotation % 2 == 0 {
            wait_for(&query, written);
        }
        fs::rename(&log, folder.path().join(format!("log.{rotation}"))).unwrap();
        append(&log, "w\n");
        written += 1;
        wait_for(&query, written);
    }
    assert_eq!(total(&sink), written);
    query.stop(true);
}
