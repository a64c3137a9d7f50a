//! Files, patterns, folders, standard input, gzip and zstd.

use crate::command::{Folder, gzip, keymill, levels, oracle, run, stdout_of, text};

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn the_documented_form_of_count_works() {
    if !levels().iter().any(|level| level == "avx2") {
        eprintln!("skipped: this machine does not run avx2");
        return;
    }
    let folder = Folder::new();
    let book =
        String::from_utf8(keymill_datasets::find("zipf-30k").unwrap().to_vec(300_000)).unwrap();
    let file = folder.file("book", &book);
    let arguments = [
        "count",
        "--device",
        "cpu",
        "--level",
        "avx2",
        "--threads",
        "2",
        "--memory",
        "16MiB",
        "--format",
        "tsv",
        &file,
    ];
    assert!(text(&stdout_of(&arguments, b"")) == oracle(&book));
}

#[test]
fn words_are_split_like_the_standard_library_does() {
    let book = keymill_datasets::find("zipf-multibyte")
        .unwrap()
        .to_vec(200_000);
    let expected = oracle(text(&book));
    assert!(text(&stdout_of(&["count"], &book)) == expected);
    assert!(text(&stdout_of(&["count", "-"], &book)) == expected);
}

#[test]
fn the_end_of_a_file_ends_a_token() {
    let folder = Folder::new();
    let (first, second) = (folder.file("1", "foo"), folder.file("2", "bar"));
    assert_eq!(
        stdout_of(&["count", &first, &second], b""),
        b"bar\t1\nfoo\t1\n"
    );
    let both = stdout_of(&["count", &first, "-", &first], b"baz");
    assert_eq!(text(&both), "foo\t2\nbaz\t1\n");
}

#[test]
fn patterns_and_folders_are_read() {
    let folder = Folder::new();
    folder.file("a.txt", "a");
    folder.file("b.txt", "b");
    folder.file("c.log", "c");
    folder.file("deep/er/d.txt", "d");
    let pattern = folder.name("*.txt");
    assert_eq!(stdout_of(&["count", &pattern], b""), b"a\t1\nb\t1\n");
    let all = stdout_of(&["count", "-r", &folder.name("")], b"");
    assert_eq!(text(&all), "a\t1\nb\t1\nc\t1\nd\t1\n");
}

/// With hidden files and names that are not UTF-8.
#[cfg(target_os = "linux")]
#[test]
fn patterns_match_like_a_shell() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    folder.file("a.txt", "a");
    folder.file(".hidden", "h");
    std::fs::write(
        folder
            .path("")
            .join(std::ffi::OsStr::from_bytes(b"\xff.log")),
        "odd",
    )
    .unwrap();
    for (pattern, expected) in [
        ("*.txt", "a\t1\n"),
        ("*.log", "odd\t1\n"),
        (".hid*", "h\t1\n"),
        ("./.hid*", "h\t1\n"),
        ("./a*", "a\t1\n"),
        ("*", "a\t1\nodd\t1\n"),
    ] {
        let mut command = keymill();
        command
            .current_dir(folder.path(""))
            .args(["count", pattern]);
        let output = command.output().unwrap();
        assert_eq!(text(&output.stderr), "", "{pattern}");
        assert_eq!(text(&output.stdout), expected, "{pattern}");
    }
}

#[cfg(unix)]
#[test]
fn broken_symlinks_are_skipped_with_one_remark() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    folder.file("a.txt", "a");
    symlink("nowhere", folder.path("b.txt")).unwrap();
    symlink("circle.txt", folder.path("circle.txt")).unwrap();
    let pattern = folder.name("*.txt");
    for arguments in [&["count", "-r", &folder.name("")][..], &["count", &pattern]] {
        let output = run(arguments, b"");
        assert_eq!(text(&output.stdout), "a\t1\n");
        assert_eq!(output.status.code(), Some(0));
        let message = text(&output.stderr);
        assert!(
            message.starts_with("keymill: 2 symlinks skipped"),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains("b.txt`") && message.contains("circle.txt`"));
        stdout_of(&[arguments, &["--quiet"]].concat(), b"");
    }
    // A broken symlink that is named as an argument is an error.
    let named = run(&["count", &folder.name("b.txt")], b"");
    assert_eq!(named.status.code(), Some(1));
}

/// Files in `/sys` report one page as their length.
#[cfg(target_os = "linux")]
#[test]
fn files_in_sys_are_read_to_their_end() {
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    let Ok(content) = std::fs::read_to_string(path) else {
        eprintln!("skipped: this system has no {path}");
        return;
    };
    let found = stdout_of(&["count", path], b"");
    assert_eq!(text(&found), oracle(&content));
}

#[test]
fn an_existing_file_is_preferred_to_a_pattern() {
    let folder = Folder::new();
    folder.file("[a].txt", "bracket");
    folder.file("a.txt", "letter");
    assert_eq!(
        stdout_of(&["count", &folder.name("[a].txt")], b""),
        b"bracket\t1\n"
    );
}

#[test]
fn compressed_files_are_recognized_by_their_bytes() {
    let folder = Folder::new();
    let cases = [
        ("plain", b"to be or not to be".to_vec()),
        ("gzip", gzip(b"to be or not to be")),
        (
            "two members",
            [gzip(b"to be or n"), gzip(b"ot to be")].concat(),
        ),
        ("zstd", zstd(b"to be or not to be")),
        (
            "two frames",
            [zstd(b"to be or n"), zstd(b"ot to be")].concat(),
        ),
    ];
    for (name, bytes) in cases {
        let file = folder.file(name, &bytes);
        let expected = "be\t2\nto\t2\nnot\t1\nor\t1\n";
        assert_eq!(text(&stdout_of(&["count", &file], b"")), expected, "{name}");
        assert_eq!(
            text(&stdout_of(&["count"], &bytes)),
            expected,
            "{name} on standard input"
        );
    }
}

#[test]
fn every_token_rule_works() {
    for (rule, input, expected) in [
        ("whitespace", "a,b c", "a,b\t1\nc\t1\n"),
        ("words", "a,b c", "a\t1\nb\t1\nc\t1\n"),
        ("lines", "a b\r\na b\n", "a b\t2\n"),
        ("split:,", "a,b,,a\n", "a\t2\n\t1\nb\t1\n"),
        (r"split:\x2c", "a,b\n", "a\t1\nb\t1\n"),
        ("field:2,,", "a,b\nc,b\n", "b\t2\n"),
        (r"field:2,\t", "a\tb\n", "b\t1\n"),
    ] {
        let found = stdout_of(&["count", "--tokens", rule], input.as_bytes());
        assert_eq!(text(&found), expected, "{rule}");
    }
    let lower = stdout_of(&["count", "--lowercase"], "Be bE ÉÉ éé".as_bytes());
    assert_eq!(text(&lower), "be\t2\néé\t2\n");
}

#[test]
fn rejected_lines_are_reported() {
    let arguments = ["count", "--tokens", "field:2,,"];
    let output = run(&arguments, b"a,b\nc\nd\n");
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b"b\t1\n"[..])
    );
    let message = text(&output.stderr);
    assert_eq!(
        message,
        "keymill: 2 lines without the field that is counted\n"
    );
    let quiet = [&arguments[..], &["--quiet"]].concat();
    assert_eq!(text(&stdout_of(&quiet, b"a,b\nc\nd\n")), "b\t1\n");
}

#[test]
fn empty_input_has_no_words() {
    assert_eq!(keymill().arg("count").output().unwrap().stdout, b"");
    let folder = Folder::new();
    assert_eq!(stdout_of(&["count", &folder.file("empty", "")], b""), b"");
    assert_eq!(run(&["count", "/dev/null"], b"").status.code(), Some(0));
}

#[test]
fn unusual_bytes_are_counted() {
    let giant = "x".repeat(3 << 20);
    let input = format!("{giant} \0 {giant}");
    let expected = format!("{giant}\t2\n\0\t1\n");
    assert!(text(&stdout_of(&["count", "--memory", "1MiB"], input.as_bytes())) == expected);
    assert_eq!(
        stdout_of(&["count"], b"\xff\xfe \xff\xfe"),
        b"\xff\xfe\t2\n"
    );
}

#[test]
fn an_empty_file_of_objects_has_the_columns_that_are_set() {
    let folder = Folder::new();
    let (empty, full) = (folder.path("a.ndjson"), folder.path("b.ndjson"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&full, "{\"site\":\"x\",\"n\":2}\n").unwrap();
    let (empty, full) = (empty.to_str().unwrap(), full.to_str().unwrap());
    let reduce = |files: &[&str], more: &[&str]| {
        let aggregate = ["--key", "site", "--agg", "sum(n)", "--format", "csv"];
        stdout_of(&[&["reduce"], files, &aggregate, more].concat(), b"")
    };
    let columns = ["--columns", "site,n:int"];
    assert_eq!(text(&reduce(&[empty], &columns)), "site,sum(n)\n");
    assert_eq!(
        text(&reduce(&[empty, full], &columns)),
        "site,sum(n)\nx,2\n"
    );
    assert_eq!(text(&reduce(&[empty, full], &[])), "site,sum(n)\nx,2\n");
    let unknown = ["reduce", empty, "--key", "site"];
    crate::command::assert_fails(
        &unknown,
        1,
        &["its columns are unknown; name them with their types"],
    );
}
