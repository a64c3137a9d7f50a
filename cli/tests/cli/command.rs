//! Runs the binary, and the plain word count that results are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// Returns a command for the binary, without a level from the environment and without a cache.
pub(crate) fn keymill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keymill"));
    command
        .env_remove("KEYMILL_LEVEL")
        .env_remove("KEYMILL_SHADERS")
        .env("KEYMILL_CACHE", "off")
        .stdin(Stdio::null());
    command
}

/// Runs the binary with arguments and input on standard input.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = keymill()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The process may end before it has read all input.
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

/// Returns the standard output of a run that must succeed and write nothing to standard error.
pub(crate) fn stdout_of(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(arguments, input);
    assert_eq!(text(&output.stderr), "", "{arguments:?}");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    output.stdout
}

/// Asserts that a run fails with a code, names the reason in its first line, and writes no output.
pub(crate) fn assert_fails(arguments: &[&str], code: i32, says: &[&str]) {
    let output = run(arguments, b"");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    let first = stderr.lines().next().unwrap_or_default();
    for word in says {
        assert!(
            first.contains(word),
            "{arguments:?}: no `{word}` in {first:?}"
        );
    }
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
}

/// Returns the levels of this machine from the output of `keymill devices`.
pub(crate) fn levels() -> Vec<String> {
    let listed = stdout_of(&["devices"], b"");
    let is_level = |name: &&str| ["scalar", "neon", "avx2", "avx512"].contains(name);
    text(&listed)
        .lines()
        .filter(is_level)
        .map(str::to_owned)
        .collect()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// Counts words in a plain way. Returns TSV ordered by count and then by key, without escapes.
pub(crate) fn oracle(input: &str) -> String {
    let mut counts = BTreeMap::<&str, u64>::new();
    for word in input.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    rows.iter()
        .map(|(word, count)| format!("{word}\t{count}\n"))
        .collect()
}

/// Returns a gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A temporary folder for one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the path of a file as an argument.
    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// Creates a file and returns its path as an argument.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        self.name(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names_in(self.0.path())
    }
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
