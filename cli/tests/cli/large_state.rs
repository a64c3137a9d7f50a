//! A stream whose state does not fit in its memory, in real memory.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::command::{Folder, keymill, stdout_of, text};

const MEBIBYTE: u64 = 1 << 20;

/// The memory budget of the query, and what it may take in addition.
const BUDGET: u64 = 32 * MEBIBYTE;
const SLACK: u64 = 64 * MEBIBYTE;

/// Keys of a file. Two files that follow each other share half of them.
const KEYS: u64 = 250_000;
const FILES: u64 = 4;

fn key(number: u64) -> String {
    format!("a-key-that-takes-its-place-in-memory-and-on-disk-number-{number:08}")
}

fn write_file(folder: &Path, file: u64) {
    let out = fs::File::create(folder.join(format!("{file:03}"))).unwrap();
    let mut out = std::io::BufWriter::new(out);
    let first = file * KEYS / 2;
    (first..first + KEYS).for_each(|number| writeln!(out, "{}", key(number)).unwrap());
    out.flush().unwrap();
}

/// The largest resident memory of a process that runs, in bytes.
fn most_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kibibytes = line.trim().strip_suffix(" kB")?;
    kibibytes.parse::<u64>().ok().map(|it| it << 10)
}

#[test]
fn a_stream_stays_within_its_memory_and_exact() {
    let folder = Folder::new();
    let input = folder.path("in");
    fs::create_dir(&input).unwrap();
    let [input, out, checkpoint] =
        ["in", "out", "ck"].map(|name| folder.path(name).to_str().unwrap().to_owned());
    let mut first = 0;
    // The second process restores the state of the first one.
    for end in [2, FILES] {
        (first..end).for_each(|file| write_file(Path::new(&input), file));
        let mut child = keymill()
            .args(["stream", "--from", &format!("dir:{input}"), "--count"])
            .args(["--max-files", "1", "--available-now", "--device", "cpu"])
            .args(["--to", &format!("files:{out}"), "--checkpoint", &checkpoint])
            .args(["--memory", &BUDGET.to_string(), "--threads", "1"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut most = 0;
        let status = loop {
            most = most.max(most_memory(child.id()).unwrap_or(0));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(status.success());
        assert!(most > 0 && most < BUDGET + SLACK, "{} MiB", most / MEBIBYTE);
        first = end;
    }
    let exported = stdout_of(
        &["checkpoint", "export", &checkpoint, "--format", "tsv"],
        b"",
    );
    // Ordered by key, and all keys are as long.
    let last = (FILES - 1) * KEYS / 2 + KEYS;
    let mut numbers = 0..last;
    for line in text(&exported).lines() {
        let number = numbers.next().unwrap();
        let is_shared = (KEYS / 2..last - KEYS / 2).contains(&number);
        assert_eq!(
            line,
            format!("{}\t{}", key(number), 1 + u64::from(is_shared))
        );
    }
    assert!(numbers.is_empty(), "{numbers:?}");
}
