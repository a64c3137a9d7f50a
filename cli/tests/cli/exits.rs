//! Exit codes, and what stands on standard error.

use crate::command::{Folder, assert_fails, keymill, levels, run, text};

#[test]
fn a_wrong_command_line_is_2() {
    for arguments in [
        &["frobnicate"][..],
        &["count", "--no-such-option"],
        &["count", "--level", "sse9"],
        &["count", "--threads", "0"],
        &["count", "--memory", "lots"],
        &["count", "--format", "xml"],
        &["count", "--sort", "size"],
        &["count", "--tokens", "split:"],
        &["count", "--tokens", "field:0,;"],
        &["count", "--device", "abacus"],
        &["count", "--top", "-1"],
        &["datasets", "make", "dwarf", "--bytes", "10"],
        &["datasets", "make", "giant"],
        &["man", "frobnicate"],
        &["completions", "cmd"],
        &[],
    ] {
        let output = run(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_level_that_this_machine_lacks_is_2_and_says_what_it_runs() {
    let missing = if cfg!(target_arch = "aarch64") {
        "avx2"
    } else {
        "neon"
    };
    assert_fails(&["count", "--level", missing], 2, &[missing, "scalar"]);
    let output = keymill()
        .args(["count"])
        .env("KEYMILL_LEVEL", missing)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("scalar"));
}

#[test]
fn shaders_that_there_are_not_are_2_and_are_named() {
    let mut command = keymill();
    let output = command.args(["count"]).env("KEYMILL_SHADERS", "fast");
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    for part in ["KEYMILL_SHADERS=fast", "base, checked and unchecked"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn every_level_of_this_machine_runs_by_name() {
    let levels = levels();
    assert!(levels.iter().any(|level| level == "scalar"));
    for level in &levels {
        let explained = run(&["count", "--explain", "--level", level], b"to be to");
        assert_eq!(text(&explained.stdout), "to\t2\nbe\t1\n", "{level}");
        let ran = format!("level       {level} (");
        assert!(text(&explained.stderr).contains(&ran), "{level}");
    }
}

#[test]
fn what_cannot_be_read_is_1_and_named() {
    let folder = Folder::new();
    let good = folder.file("good", "a b");
    let missing = folder.name("missing");
    assert_fails(&["count", &missing], 1, &["missing"]);
    assert_fails(&["count", &good, &missing], 1, &["missing"]);
    assert_fails(&["count", &folder.name("")], 1, &["-r"]);
    assert_fails(&["count", &folder.name("no*match")], 1, &["no*match"]);
    let broken = folder.file("broken.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    assert_fails(&["count", &broken], 1, &["broken.gz"]);
    let broken = folder.file("broken.zst", [0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]);
    assert_fails(&["count", &broken], 1, &["broken.zst"]);
}

#[cfg(unix)]
#[test]
fn a_file_without_the_right_to_read_it_is_1_and_named() {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let secret = folder.file("secret", "a b");
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    if File::open(&secret).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_fails(&["count", &secret], 1, &["secret"]);
}

#[test]
fn stats_end_with_the_chunks() {
    let output = run(&["count", "--stats"], b"to be or not to be");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("be\t2\nto\t2\n"));
    let last = text(&output.stderr).lines().last().unwrap();
    let numbers = last
        .strip_prefix("chunks: cpu ")
        .and_then(|rest| rest.strip_suffix(", gpu 0"));
    assert!(numbers.unwrap().parse::<u64>().unwrap() > 0, "{last}");
}

#[test]
fn explain_runs_the_job_too() {
    let output = run(&["count", "--explain", "--threads", "2"], b"to be");
    assert_eq!(text(&output.stdout), "be\t1\nto\t1\n");
    assert!(text(&output.stderr).contains("tokenize"));
}
