//! `-o`: the file is written completely or not at all.

use std::fs;

use crate::command::{Folder, assert_fails, run, stdout_of, text};

#[test]
fn a_new_file_and_an_old_one_are_written() {
    let folder = Folder::new();
    let out = folder.name("out");
    for input in ["a", "b b"] {
        stdout_of(&["count", "-o", &out], input.as_bytes());
        assert_eq!(
            fs::read(&out).unwrap(),
            stdout_of(&["count"], input.as_bytes())
        );
    }
    assert_eq!(folder.names(), ["out"]);
}

#[test]
fn the_output_may_be_the_input() {
    let folder = Folder::new();
    let file = folder.file("both", "b a b");
    stdout_of(&["count", &file, "-o", &file], b"");
    assert_eq!(fs::read_to_string(&file).unwrap(), "b\t2\na\t1\n");
}

#[test]
fn a_failed_job_leaves_the_output_as_it_was() {
    let folder = Folder::new();
    let broken = folder.file("broken.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    let old = folder.file("old", "precious");
    let new = folder.name("new");
    for output in [&old, &new] {
        assert_fails(&["count", &broken, "-o", output], 1, &["broken.gz"]);
    }
    assert_eq!(fs::read_to_string(&old).unwrap(), "precious");
    assert_eq!(folder.names(), ["broken.gz", "old"]);
}

#[test]
fn unwritable_output_exits_with_1_and_is_named() {
    let folder = Folder::new();
    let inside = folder.name("no-such-folder/out");
    assert_fails(&["count", "-o", &inside], 1, &["no-such-folder"]);
    let itself = folder.name("");
    assert_fails(&["count", "-o", &itself], 1, &[&itself]);
    // The output is checked before the input is read, which would fail too.
    let broken = folder.file("broken.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    for new in ["new/", "new/."] {
        let new = folder.name(new);
        assert_fails(&["count", &broken, "-o", &new], 1, &[&new, "name a file"]);
    }
    assert_eq!(folder.names(), ["broken.gz"]);
}

#[test]
fn a_dash_is_standard_output() {
    assert_eq!(stdout_of(&["count", "-o", "-"], b"a"), b"a\t1\n");
    let set = stdout_of(&["datasets", "make", "equal", "--bytes", "15"], b"");
    assert_eq!(text(&set), "equal equal\n");
}

#[test]
fn datasets_are_written_to_files() {
    let folder = Folder::new();
    let path = folder.name("set");
    stdout_of(
        &[
            "datasets", "make", "zipf-30k", "--bytes", "64KiB", "-o", &path,
        ],
        b"",
    );
    let expected = keymill_datasets::find("zipf-30k").unwrap().to_vec(64 << 10);
    assert!(fs::read(&path).unwrap() == expected);
}

#[test]
fn the_file_name_chooses_the_compression() {
    use std::io::Read;
    let folder = Folder::new();
    for (name, expected) in [
        ("x.csv", "key,count\na,2\nb,1\n"),
        (
            "X.JSON",
            "{\"key\":\"a\",\"count\":2}\n{\"key\":\"b\",\"count\":1}\n",
        ),
        ("x", "a\t2\nb\t1\n"),
    ] {
        let gzip = folder.name(&format!("{name}.gz"));
        stdout_of(&["count", "-o", &gzip], b"a b a");
        let mut found = String::new();
        let mut decoder = flate2::read::GzDecoder::new(fs::File::open(&gzip).unwrap());
        decoder.read_to_string(&mut found).unwrap();
        assert_eq!(found, expected, "{gzip}");
        let zstd = folder.name(&format!("{name}.ZST"));
        stdout_of(&["count", "-o", &zstd], b"a b a");
        let found = zstd::decode_all(fs::File::open(&zstd).unwrap()).unwrap();
        assert_eq!(text(&found), expected, "{zstd}");
    }
    let set = folder.name("set.gz");
    let make = ["datasets", "make", "equal", "--bytes", "12", "-o", &set];
    stdout_of(&make, b"");
    assert_eq!(stdout_of(&["count", &set], b""), b"equal\t2\n");
}

#[test]
fn binary_formats_are_not_compressed_as_a_whole() {
    let folder = Folder::new();
    for name in ["x.parquet.gz", "x.arrow.zst"] {
        let path = folder.name(name);
        assert_fails(&["count", "-o", &path], 2, &[name, "without .gz or .zst"]);
    }
    let path = folder.name("x.gz");
    assert_fails(&["count", "--format", "arrow", "-o", &path], 2, &["arrow"]);
    assert_eq!(folder.names(), [""; 0]);
}

#[cfg(unix)]
mod unix {
    use std::fs::{File, Permissions};
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::command::keymill;

    #[test]
    fn a_symlink_stays_and_the_mode_is_kept() {
        let folder = Folder::new();
        let target = folder.file("target", "old");
        fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
        symlink("target", folder.path("link")).unwrap();
        stdout_of(&["count", "-o", &folder.name("link")], b"a");
        assert!(folder.path("link").is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "a\t1\n");
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(folder.names(), ["link", "target"]);
    }

    #[test]
    fn a_device_is_written_directly() {
        stdout_of(&["count", "-o", "/dev/null"], b"a");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert_eq!(stdout_of(&["count", "-o", "/dev/stdout"], b"a"), b"a\t1\n");
    }

    /// Runs a shell command line in which `$0` is the binary and `$1` a file.
    fn in_shell(line: &str, file: &str) -> std::process::Output {
        let mut shell = Command::new("bash");
        shell.args(["-c", line, env!("CARGO_BIN_EXE_keymill"), file]);
        shell.stdin(Stdio::null()).output().unwrap()
    }

    #[test]
    fn a_descriptor_is_written_to_and_its_file_is_not_replaced() {
        let folder = Folder::new();
        let (input, file) = (folder.file("in", "a b a"), folder.name("out"));
        for (descriptor, path) in [
            (1, "/dev/stdout"),
            (1, "/dev/fd/1"),
            (2, "/dev/stderr"),
            (2, "/dev/fd/2"),
            (3, "/dev/fd/3"),
            (3, "link"),
        ] {
            let link = folder.name("link");
            let _ = symlink("/dev/fd/3", &link);
            let path = if path == "link" { &link } else { path };
            let line = format!(
                "exec {descriptor}>\"$1\"; echo before >&{descriptor}; \"$0\" count -o {path} {input}; \
                 echo $? >&{descriptor}"
            );
            let output = in_shell(&line, &file);
            let found = fs::read_to_string(&file).unwrap();
            assert_eq!(found, "before\na\t2\nb\t1\n0\n", "{path}: {output:?}");
            assert_eq!(folder.names(), ["in", "link", "out"]);
        }
    }

    #[test]
    fn a_closed_descriptor_exits_with_1_and_is_named() {
        let output = in_shell("exec \"$0\" count -o /dev/fd/77", "");
        assert_eq!(output.status.code(), Some(1));
        let message = text(&output.stderr);
        assert!(message.contains("`/dev/fd/77`"), "{message}");
        assert!(message.contains("no descriptor"), "{message}");
    }

    /// Skipped if this process may not mount.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_point_is_written_in_place() {
        let folder = Folder::new();
        let file = folder.file("out", "x".repeat(100));
        folder.file("source", "old and long");
        let line = "unshare --mount --map-root-user bash -c '
            mount --bind \"$1/source\" \"$1/out\" || exit 77
            echo a b a | \"$0\" count -o \"$1/out\"' \"$0\" \"$(dirname \"$1\")\"";
        let output = in_shell(line, &file);
        let message = text(&output.stderr);
        if message.contains("unshare") || output.status.code() == Some(77) {
            eprintln!("skipped: this process may not mount: {message}");
            return;
        }
        assert_eq!(output.status.code(), Some(0), "{message}");
        assert_eq!(fs::read_to_string(&file).unwrap().len(), 100);
        let found = fs::read_to_string(folder.path("source")).unwrap();
        assert_eq!(found, "a\t2\nb\t1\n");
    }

    #[test]
    fn a_named_pipe_is_written_directly() {
        let folder = Folder::new();
        let pipe = folder.name("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let mut child = keymill()
            .args(["count", "-o", &pipe, &folder.file("in", "a b a")])
            .spawn()
            .unwrap();
        let mut found = String::new();
        File::open(&pipe)
            .unwrap()
            .read_to_string(&mut found)
            .unwrap();
        assert_eq!(found, "a\t2\nb\t1\n");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(folder.names(), ["in", "pipe"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_exits_with_1_and_is_named() {
        for format in ["tsv", "csv", "json", "table", "parquet", "arrow"] {
            let arguments = ["count", "--format", format, "-o", "/dev/full"];
            let output = run(&arguments, b"a b");
            assert_eq!(output.status.code(), Some(1), "{format}");
            assert!(text(&output.stderr).contains("/dev/full"), "{format}");
        }
        for arguments in [
            &["count", "/dev/null", "--format", "csv"][..],
            &["devices"],
            &["--help"],
            &["--version"],
            &["help", "count"],
            &["man"],
            &["datasets"],
            &["datasets", "make", "equal", "--bytes", "1k"],
        ] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let output = keymill().args(arguments).stdout(full).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            assert!(
                text(&output.stderr).contains("standard output"),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn a_closed_pipe_ends_quietly() {
        let folder = Folder::new();
        let unique = folder.file(
            "unique",
            keymill_datasets::find("unique").unwrap().to_vec(4 << 20),
        );
        for arguments in [
            &["count", &unique][..],
            &["count", "--sort", "none", "--format", "json", &unique],
            &["datasets", "make", "zipf-30k", "--bytes", "1GiB"],
        ] {
            let mut child = keymill()
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::with_capacity(64, child.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(!line.is_empty());
            assert_eq!(text(&output.stderr), "", "{arguments:?}");
            assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        }
    }
}
