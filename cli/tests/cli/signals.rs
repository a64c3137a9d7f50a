//! Signals: an interrupt exits with 130 and leaves no files.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Folder, keymill, names_in};

/// The time limit for an event that takes a tenth of a second on an idle machine.
const TIME_LIMIT: Duration = Duration::from_secs(20);

fn signal(child: &Child, name: &str) {
    let process = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-s", name, &process])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Waits until the new output file is open, with or without a name. The handler is installed before.
fn wait_for_output(child: &Child, folder: &Path) {
    let started = Instant::now();
    while !is_named(folder) && !is_nameless(child, folder) {
        assert!(started.elapsed() < TIME_LIMIT, "no new output");
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_named(folder: &Path) -> bool {
    let names = names_in(folder);
    names.iter().any(|name| name.starts_with(".keymill-"))
}

/// Returns whether the process has an open file without a name in the folder.
fn is_nameless(child: &Child, folder: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id()));
    let open = open.into_iter().flatten().flatten();
    let mut paths = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    paths.any(|path| path.starts_with(folder) && !path.exists())
}

/// Waits until the process has installed its handler for interrupts.
fn wait_for_handler(child: &Child) {
    let started = Instant::now();
    let has_handler = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let Ok(status) = status else {
            // The system does not report handlers.
            return started.elapsed() > Duration::from_secs(1);
        };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.unwrap_or(0) >> 1 & 1 == 1
    };
    while !has_handler() {
        assert!(started.elapsed() < TIME_LIMIT, "no handler");
        thread::sleep(Duration::from_millis(1));
    }
}

fn counting(output: &str, input: Stdio) -> Child {
    keymill()
        .args(["count", "-o", output])
        .stdin(input)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// With a job that waits for input, and with one that always has input.
#[test]
fn an_interrupted_job_exits_with_130_and_leaves_no_file() {
    for name in ["INT", "TERM"] {
        for is_fed in [false, true] {
            let folder = Folder::new();
            let mut child = counting(&folder.name("out"), Stdio::piped());
            let mut stdin = child.stdin.take().unwrap();
            wait_for_output(&child, &folder.path(""));
            let feeding = thread::spawn(move || {
                let words = b"some words to be counted and counted ".repeat(1 << 10);
                while is_fed && stdin.write_all(&words).is_ok() {}
                stdin
            });
            thread::sleep(Duration::from_millis(20));
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            drop(feeding.join());
            assert_eq!(output.status.code(), Some(130), "{name}, fed: {is_fed}");
            assert_eq!(
                str::from_utf8(&output.stderr),
                Ok(""),
                "{name}, fed: {is_fed}"
            );
            assert_eq!(folder.names(), [""; 0], "{name}, fed: {is_fed}");
        }
    }
}

#[test]
fn an_interrupted_job_does_not_change_an_old_output() {
    let folder = Folder::new();
    let out = folder.file("out", "precious");
    let mut child = counting(&out, Stdio::piped());
    let stdin = child.stdin.take();
    wait_for_output(&child, &folder.path(""));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stdin);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "precious");
    assert_eq!(folder.names(), ["out"]);
}

/// The pipe is full, so the job blocks in the middle of its output.
#[test]
fn a_job_that_blocks_on_its_output_can_be_interrupted() {
    let folder = Folder::new();
    let unique = folder.file(
        "unique",
        keymill_datasets::find("unique").unwrap().to_vec(4 << 20),
    );
    let mut child = keymill()
        .args(["count", &unique])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Returns the bytes of a process's open files without a name.
#[cfg(target_os = "linux")]
fn spilled(child: &Child) -> u64 {
    use std::os::unix::fs::MetadataExt;

    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter();
    let found = open.flatten().flatten();
    let files = found.filter_map(|entry| std::fs::metadata(entry.path()).ok());
    files
        .filter(|file| file.is_file() && file.nlink() == 0)
        .map(|file| file.len())
        .sum()
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_job_leaves_no_spill_files() {
    let folder = Folder::new();
    let spill = folder.name("");
    let mut child = keymill()
        .args([
            "count",
            "--memory",
            "20MiB",
            "--threads",
            "2",
            "--spill-dir",
            &spill,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let feeding = thread::spawn(move || {
        let unique = keymill_datasets::find("unique").unwrap();
        drop(unique.write_to(1 << 40, &mut { stdin }));
    });
    let started = Instant::now();
    while spilled(&child) < 300 << 20 {
        assert!(started.elapsed() < 6 * TIME_LIMIT, "too little is spilled");
        thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(feeding.join());
    assert_eq!(folder.names(), [""; 0]);
}

/// On Linux the output file has no name, so the system removes it however the process ends.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_process_leaves_no_file() {
    // A shell lets programs that it starts in the background ignore QUIT; ABRT ends them as QUIT would.
    for name in ["KILL", "ABRT", "XCPU"] {
        let folder = Folder::new();
        let out = folder.file("out", "precious");
        let mut child = counting(&out, Stdio::piped());
        wait_for_output(&child, &folder.path(""));
        if is_named(&folder.path("")) {
            eprintln!("skipped: this file system has no files without a name");
            child.kill().unwrap();
            child.wait().unwrap();
            return;
        }
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), None, "{name}");
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "precious");
        assert_eq!(folder.names(), ["out"], "{name}");
    }
}

/// It also leaves no folders.
#[test]
fn an_interrupted_comparison_leaves_no_files() {
    let folder = Folder::new();
    let words = folder.file("words", "to be or not to be\n".repeat(1000));
    let target = folder.name("out/report");
    let mut child = keymill()
        .args(["compare", "--quick", "--data", &words, "-o", &target])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_handler(&child);
    thread::sleep(Duration::from_millis(100));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), ["words"]);
}

#[test]
fn generating_a_data_set_can_be_interrupted() {
    let folder = Folder::new();
    let out = folder.name("set");
    let mut child = keymill()
        .args([
            "datasets", "make", "zipf-30k", "--bytes", "1TiB", "-o", &out,
        ])
        .spawn()
        .unwrap();
    wait_for_output(&child, &folder.path(""));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), [""; 0]);
}

/// As with `nohup`.
#[test]
fn an_ignored_hang_up_stays_ignored() {
    let folder = Folder::new();
    let output = folder.name("out");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" count -o \"$1\""])
        .args([env!("CARGO_BIN_EXE_keymill"), &output])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    wait_for_output(&child, &folder.path(""));
    signal(&child, "HUP");
    thread::sleep(Duration::from_millis(50));
    stdin.write_all(b"to be to").unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read(&output).unwrap(), b"to\t2\nbe\t1\n");
}

/// Runs the binary with a limit of 100 blocks per file. It must fail with one line that names the
/// path, and write nothing to standard output.
fn assert_full(arguments: &[&str], place: &str) {
    let ended = Command::new("sh")
        .args(["-c", "ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_keymill"))
        .args(arguments)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{message}");
    let is_named = message.contains(place) && message.lines().count() == 1;
    assert!(is_named, "{message}");
    assert!(ended.stdout.is_empty());
}

#[test]
fn the_file_size_limit_is_an_error() {
    let folder = Folder::new();
    let words: String = (0..100_000).map(|i| format!("{i} ")).collect();
    let input = folder.file("input", words);
    let output = folder.name("out");
    assert_full(&["count", "-o", &output, &input], &output);
    assert_eq!(names_in(&folder.path("")), ["input"]);
}

#[test]
fn a_full_spill_disk_is_an_error_that_names_it() {
    let folder = Folder::new();
    // The keys do not fit in the minimum memory of a job.
    let words: String = (0..2_500_000).map(|i| format!("{i:x} ")).collect();
    let input = folder.file("input", words);
    let spill = folder.path("spill");
    std::fs::create_dir(&spill).unwrap();
    let spill = spill.to_str().unwrap();
    let small = ["count", "--memory", "20MiB", "--threads", "1"];
    assert_full(
        &[&small[..], &["--spill-dir", spill, &input]].concat(),
        spill,
    );
    assert!(names_in(&folder.path("spill")).is_empty());
}
