//! Exit codes and the messages on standard error.

use crate::command::{Folder, assert_fails, gzip, keymill, levels, run, stdout_of, text};

#[test]
fn a_wrong_command_line_exits_with_2() {
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
fn invalid_sizes_are_explained() {
    let make = ["datasets", "make", "equal", "--bytes"];
    for (size, says) in [
        ("-5", "a size is a number of bytes"),
        ("-5M", "a size is a number of bytes"),
        ("99999999999T", "too large"),
    ] {
        for before in [&["count", "--memory"][..], &make] {
            let arguments = [before, &[size]].concat();
            assert_fails(&arguments, 2, &[size, says]);
            let said = run(&arguments, b"").stderr;
            assert!(!text(&said).contains("tip:"), "{}", text(&said));
        }
    }
}

#[test]
fn top_without_an_order_exits_with_2() {
    let arguments = ["count", "--sort", "none", "--top", "3"];
    assert_fails(&arguments, 2, &["--top", "--sort none", "--sort count"]);
    assert_eq!(stdout_of(&["count", "--sort", "none"], b"a"), b"a\t1\n");
}

#[test]
fn a_missing_level_exits_with_2_and_lists_the_levels() {
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
fn unknown_shaders_exit_with_2() {
    let mut command = keymill();
    let output = command.args(["count"]).env("KEYMILL_SHADERS", "fast");
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    for part in ["KEYMILL_SHADERS=fast", "base, checked or unchecked"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn adjusted_memory_and_threads_are_reported_on_request() {
    assert_fails(&["count", "--memory", "0"], 2, &["--memory", "20MiB"]);
    let said = "keymill: memory is 20.0 MiB, the minimum, not 1 B; \
                threads: 2, not 1024, as each needs 10 MiB of memory\n";
    let arguments = ["count", "--memory", "1", "--threads", "1024"];
    for option in ["--stats", "--explain"] {
        let output = run(&[&arguments[..], &[option]].concat(), b"to be");
        assert_eq!(text(&output.stdout), "be\t1\nto\t1\n");
        assert_eq!(text(&output.stderr).matches(said).count(), 1, "{option}");
        let quiet = run(&[&arguments[..], &[option, "--quiet"]].concat(), b"to be");
        assert!(!text(&quiet.stderr).contains("not 1024"), "{option}");
    }
    // In a pipe there are no remarks without --stats or --explain.
    stdout_of(&arguments, b"to be");
    let fits = ["count", "--memory", "64MiB", "--threads", "2", "--stats"];
    assert!(!text(&run(&fits, b"to be").stderr).contains("keymill: "));
}

#[test]
fn every_level_can_be_chosen_by_name() {
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
fn unreadable_input_exits_with_1_and_is_named() {
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

#[test]
fn errors_say_what_to_do() {
    let folder = Folder::new();
    let good = folder.file("good", "a b");
    assert_fails(&["count", &folder.name("missing")], 1, &["check the name"]);
    assert_fails(&["count", &folder.name("no*match")], 1, &["the pattern"]);
    let nowhere = folder.name("missing/out");
    assert_fails(&["count", &good, "-o", &nowhere], 1, &["check its folder"]);
    assert_fails(&["count", "--top", "-1"], 2, &["--top", "0 or more"]);
    assert_fails(&["count", "--top", "many"], 2, &["--top", "0 or more"]);
}

#[test]
fn bytes_after_a_compressed_stream_are_reported() {
    let folder = Folder::new();
    let forms = [
        ("not gzip", gzip(b"to be")),
        ("not zstd", zstd::encode_all(&b"to be"[..], 1).unwrap()),
    ];
    for (form, whole) in forms {
        for tail in [&b"x"[..], b"\0\0and a whole line of something else\n"] {
            let file = folder.file("tail", [&whole[..], tail].concat());
            let zeros = tail.iter().take_while(|&&byte| byte == 0).count();
            let place = format!("at compressed byte {}", whole.len() + zeros);
            assert_fails(
                &["count", &file],
                1,
                &[form, &place, "tail", "cut them off"],
            );
        }
        let zeros = folder.file("zeros", [&whole[..], &[0; 5]].concat());
        assert_eq!(stdout_of(&["count", &zeros], b""), b"be\t1\nto\t1\n");
        let cut = folder.file("cut", &whole[..whole.len() - 3]);
        assert_fails(&["count", &cut], 1, &["is incomplete", "cut"]);
    }
}

#[cfg(unix)]
#[test]
fn standard_input_is_named_in_messages() {
    let folder = std::fs::File::open("/").unwrap();
    let output = keymill().arg("count").stdin(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("`standard input`"), "{message}");
    let explained = run(&["count", "--explain"], b"to be");
    assert!(text(&explained.stderr).contains("source      standard input\n"));
}

#[cfg(unix)]
#[test]
fn control_characters_in_names_are_escaped() {
    let folder = Folder::new();
    let names = ["two\nlines", "\u{1b}[31mred", "é\r\u{9b}0m.gz"];
    let shown = [r"two\nlines", r"\x1b[31mred", r"é\r\u{9b}0m.gz"];
    for (name, shown) in names.into_iter().zip(shown) {
        let missing = folder.name(name);
        let inside = folder.name(&format!("{name}/out"));
        let broken = folder.file(&format!("broken {name}"), [0x1f, 0x8b, 8, 0, 1, 2, 3]);
        for arguments in [
            &["count", &missing][..],
            &["count", &broken],
            &["count", "-o", &inside],
            &["count", "--spill-dir", "/", "--explain", &missing],
            &[
                "compare",
                "--quick",
                "--data",
                "/dev/null",
                "-o",
                &format!("{broken}/x"),
            ],
        ] {
            let output = run(arguments, b"a");
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            let message = text(&output.stderr);
            assert_eq!(message.lines().count(), 1, "{message:?}");
            assert!(message.contains(shown), "{message:?}");
            let controls = message.trim_end().chars().filter(|it| it.is_control());
            assert_eq!(controls.count(), 0, "{message:?}");
        }
    }
    assert_fails(&["count", "--\u{1b}[31mred"], 2, &[r"--\x1b[31mred"]);
}

#[cfg(unix)]
#[test]
fn a_file_without_read_permission_exits_with_1() {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let private = folder.file("private", "a b");
    fs::set_permissions(&private, Permissions::from_mode(0o000)).unwrap();
    if File::open(&private).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_fails(&["count", &private], 1, &["private"]);
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
fn explain_also_runs_the_job() {
    let output = run(&["count", "--explain", "--threads", "2"], b"to be");
    assert_eq!(text(&output.stdout), "be\t1\nto\t1\n");
    assert!(text(&output.stderr).contains("tokenize"));
}

/// Runs a shell command line in which `$0` is the binary and `$1` a file.
#[cfg(target_os = "linux")]
fn in_shell(line: &str, file: &str) -> std::process::Output {
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_keymill"), file]);
    shell.output().unwrap()
}

/// `ulimit -v`: the default budget respects it, and a giant token is an error.
#[cfg(target_os = "linux")]
#[test]
fn the_address_space_limit_is_respected() {
    let folder = Folder::new();
    let unique = keymill_datasets::find("unique").unwrap().to_vec(24 << 20);
    let file = folder.file("unique", &unique);
    let output = in_shell(
        "ulimit -v 400000; exec \"$0\" count --device cpu \"$1\"",
        &file,
    );
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(output.stdout == stdout_of(&["count", &file], b""));
    let output = in_shell(
        "ulimit -v 400000; head -c 500000000 /dev/zero | tr '\\0' x | \"$0\" count --device cpu",
        &file,
    );
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("a long token needs"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn missing_threads_and_spill_folders_exit_with_1() {
    let folder = Folder::new();
    let words: String = (0..2_500_000).map(|i| format!("{i:x} ")).collect();
    let file = folder.file("words", words);
    let count = "exec \"$0\" count --memory 20MiB --threads 1 --device cpu";
    let missing = format!("export TMPDIR=/no/such/folder; {count} \"$1\"");
    let output = in_shell(&missing, &file);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("create it"), "{message}");
    // Standard input is read on its own thread, and no system has memory for such a stack.
    let output = in_shell(
        &format!("export RUST_MIN_STACK={}; {count}", 1_u64 << 46),
        &file,
    );
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot start a thread"), "{message}");
}
