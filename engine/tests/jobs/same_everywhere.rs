//! The answer is the same for every number of threads, chunk size and kind of source.

use std::io::{Cursor, Read, Write};

use keymill::Tuning;
use keymill::prelude::*;

use crate::texts::texts;
use crate::{CHUNKS, assert_same, count, engine, oracle};

fn rules() -> Vec<TokenRule> {
    vec![
        whitespace(),
        words(),
        lines(),
        split(b","),
        split(b",,"),
        split(b"\r"),
        field(2, b',').unwrap(),
    ]
}

/// Returns few bytes per read, and sometimes `Interrupted`.
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
                        assert_same(
                            &count(source, rule.clone()),
                            &expected,
                            format_args!(
                                "{name}, {threads} threads, {chunk_bytes} bytes, {rule:?}"
                            ),
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
            let counts = count(engine.read_bytes(text.clone()), rule.clone());
            assert_same(&counts, &expected, format_args!("{level}, {rule:?}"));
        }
    }
}

#[test]
fn chunks_do_not_change_the_lower_case() {
    let text = "Der \u{c4}rger, DER \u{130}X,AXB\r\n\u{212a}elvin der,\u{c4}RGER ".repeat(40);
    let lowered = keymill_kernels::oracle::lowercase(text.as_bytes());
    for rule in [
        whitespace(),
        words(),
        lines(),
        split(b"x"),
        split(b"X"),
        split(b"k"),
        split(b","),
    ] {
        let expected = oracle(&[&lowered], &rule);
        for threads in [1, 2, 7] {
            for chunk_bytes in CHUNKS {
                let engine = engine(threads, chunk_bytes);
                let job = engine
                    .read_bytes(text.clone())
                    .tokenize(rule.clone())
                    .lowercase();
                let counts = job.count_by_key().collect().unwrap();
                let rows = counts.iter().map(|(key, n)| (key.to_vec(), n));
                assert!(
                    rows.eq(expected.clone()),
                    "{threads} threads, {chunk_bytes} bytes, {rule:?}"
                );
            }
        }
    }
}

#[test]
fn tiny_limits_and_budgets_do_not_change_the_answer() {
    let text = texts().concat();
    for rule in rules() {
        let expected = oracle(&[&text], &rule);
        for limits in [
            Tuning::TINY,
            Tuning::TINY.all_colliding(),
            Tuning::DEFAULT.all_colliding(),
        ] {
            for threads in [1, 2, 7] {
                let engine = Engine::builder().threads(threads).tuning(limits).memory(
                    threads
                        * match limits.table_slots {
                            0..100 => 11 << 10,
                            _ => 10 << 20,
                        },
                );
                let job = engine.build().unwrap().read_bytes(text.clone());
                assert_same(
                    &count(job, rule.clone()),
                    &expected,
                    format_args!("{threads} threads, {limits:?}, {rule:?}"),
                );
            }
        }
    }
}
