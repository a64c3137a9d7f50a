//! Files: ends, names, folders and patterns.

use std::fs;

use keymill::prelude::*;
use keymill::read::{FileSource, Find};

use crate::texts::texts;
use crate::{count, engine, oracle};

#[test]
fn a_file_without_a_last_newline_ends_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("a"), folder.path().join("b")];
    fs::write(&paths[0], "to foo").unwrap();
    fs::write(&paths[1], "bar to").unwrap();
    for threads in [1, 2, 7] {
        for chunk_bytes in [1, 3, 4096] {
            let counts = count(
                engine(threads, chunk_bytes).read_text(&paths[..]),
                whitespace(),
            );
            let rows: Vec<_> = counts.iter().map(|(key, n)| (key.as_slice(), *n)).collect();
            assert_eq!(rows, [(&b"bar"[..], 1), (b"foo", 1), (b"to", 2)]);
        }
    }
}

#[test]
fn many_files_of_all_sizes_agree_with_the_oracle() {
    let folder = tempfile::tempdir().unwrap();
    let texts = texts();
    for (index, text) in texts.iter().enumerate() {
        fs::write(folder.path().join(format!("{index:03}.txt")), text).unwrap();
    }
    let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    for rule in [whitespace(), lines(), split(b",")] {
        let expected = oracle(&slices, &rule);
        for threads in [1, 2, 7] {
            for chunk_bytes in [1, 64, 4096] {
                let engine = engine(threads, chunk_bytes);
                let pattern = folder.path().join("*.txt");
                assert_eq!(count(engine.read_text(pattern), rule.clone()), expected);
            }
        }
    }
}

#[test]
fn folders_are_read_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("inner/b"), "b").unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();

    let engine = Engine::new().unwrap();
    let job = engine
        .read_text(folder.path())
        .tokenize(whitespace())
        .count_by_key();
    let error = job.collect().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(
        error
            .to_string()
            .contains(&folder.path().display().to_string()),
        "{error}"
    );

    let find = Find {
        recursive: true,
        ..Find::default()
    };
    let source = FileSource::find(&[folder.path().to_path_buf()], find).unwrap();
    let counts = count(engine.read_source(source), whitespace());
    assert_eq!(counts.len(), 2);
}

#[test]
fn an_existing_file_is_preferred_to_a_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("what[1].txt");
    fs::write(&path, "this").unwrap();
    fs::write(folder.path().join("what1.txt"), "that").unwrap();
    let counts = count(Engine::new().unwrap().read_text(path), whitespace());
    assert_eq!(counts.keys().collect::<Vec<_>>(), [b"this"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_reports_no_length_is_read() {
    let path = "/proc/self/status";
    if fs::metadata(path).is_err() {
        return println!("skipped: no {path}");
    }
    let counts = count(Engine::new().unwrap().read_text(path), whitespace());
    assert!(counts.contains_key(&b"Pid:"[..]));
}
