//! How the tests run the binary, and the count that every result is compared with.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// The binary, with no choice of level from outside, and no cache.
pub(crate) fn keymill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keymill"));
    command
        .env_remove("KEYMILL_LEVEL")
        .env_remove("KEYMILL_SHADERS")
        .env("KEYMILL_CACHE", "off")
        .stdin(Stdio::null());
    command
}

/// Runs the binary with arguments and something on its standard input.
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
    // A process that ends before it has read everything is no failure here.
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

/// What a run that must be without fault and without a word wrote.
pub(crate) fn stdout_of(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(arguments, input);
    assert_eq!(text(&output.stderr), "", "{arguments:?}");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    output.stdout
}

/// Asserts that a run failed with a code, said why in a first line, and wrote nothing.
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

/// The levels of this machine, by the program's own list, in which adapters follow them.
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

/// The obvious word count, by count and then by key, as TSV of keys that need no escape.
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

/// A gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder of its own for a test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path of a file, as an argument.
    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// Makes a file and gives its path as an argument.
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
