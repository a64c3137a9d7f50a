//! The same answer for every thread count, chunk size and kind of source.

use std::io::{Cursor, Read, Write};

use keymill::prelude::*;

use crate::texts::texts;
use crate::{CHUNKS, count, engine, oracle};

fn rules() -> Vec<TokenRule> {
    vec![
        whitespace(),
        words(),
        lines(),
        split(b","),
        split(b",,"),
        split(b"\r"),
        field(2, b','),
    ]
}

/// Gives few bytes at a time, and is interrupted now and then.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(5) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let room = into.len().min(1 + self.1 % 97);
        self.0.read(&mut into[..room])
    }
}

#[test]
fn memory_files_and_streams_agree_with_the_oracle() {
    for text in texts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&text).unwrap();
        for rule in rules() {
            let expected = oracle(&[&text], &rule);
            for threads in [1, 2, 7] {
                for chunk_bytes in CHUNKS {
                    let engine = engine(threads, chunk_bytes);
                    let sources = [
                        ("memory", engine.read_bytes(text.clone())),
                        ("file", engine.read_text(file.path())),
                        ("stream", engine.read(Trickle(Cursor::new(text.clone()), 0))),
                    ];
                    for (name, source) in sources {
                        assert_eq!(
                            count(source, rule.clone()),
                            expected,
                            "{name}, {threads} threads, {chunk_bytes} bytes, {rule:?}, {}",
                            text.escape_ascii()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn all_levels_agree() {
    let text = texts().concat();
    for rule in rules() {
        let expected = oracle(&[&text], &rule);
        for level in Level::available() {
            let engine = Engine::builder().level(level).threads(2).build().unwrap();
            assert_eq!(
                count(engine.read_bytes(text.clone()), rule.clone()),
                expected,
                "{level}"
            );
        }
    }
}
