//! Measures tokenizing: all rules at all levels, and records of a column. For comparison,
//! `str::split_whitespace`, and a plain read of the text as the upper bound.
//!
//! Text and spans fit in the L2 cache, so this is the cost of the instructions.
#![forbid(unsafe_code)]

use core::num::NonZeroUsize;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::probe::{self, Resident, Stage};
use keymill_bench::{probed, read_all};
use keymill_kernels::stage::tokenize::{Records, Span, Tokenizer};
use keymill_kernels::{Level, TokenRule, Tuning, oracle};

const BYTES: usize = 256 << 10;

fn data(name: &str) -> Vec<u8> {
    let set = keymill_datasets::find(name).expect("the data set is in the registry");
    set.to_vec(BYTES)
}

/// Collects spans with the standard library.
fn split_whitespace(text: &str, out: &mut Vec<Span>) {
    out.clear();
    let base = text.as_ptr() as usize;
    out.extend(text.split_whitespace().map(|token| {
        let start = token.as_ptr() as usize - base;
        Span {
            start: start as u32,
            end: (start + token.len()) as u32,
        }
    }));
}

fn rival(criterion: &mut Criterion, data_name: &str) {
    let text = String::from_utf8(data(data_name)).expect("the data set is UTF-8");
    let mut spans = Vec::new();
    split_whitespace(&text, &mut spans);
    let found = spans.iter().map(|span| span.of(text.as_bytes()));
    assert!(found.eq(oracle::tokenize(&TokenRule::Whitespace, text.as_bytes())));
    let mut group = criterion.benchmark_group("stage/tokenize/split_whitespace");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(data_name, |bencher| {
        bencher.iter(|| split_whitespace(black_box(&text), &mut spans));
    });
    group.finish();
    let mut group = criterion.benchmark_group("stage/tokenize/read");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(data_name, |bencher| {
        bencher.iter(|| read_all(black_box(text.as_bytes())));
    });
    group.finish();
}

fn one(criterion: &mut Criterion, level: Level, rule: &TokenRule, text: &[u8], name: &str) {
    let (stage, data) = (Stage::Tokenize(rule.clone()), Resident::text(text));
    let expected = probe::expected(&stage, &data).expect("the stage accepts text");
    let mut group = criterion.benchmark_group(format!("stage/tokenize/{level}"));
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(probed(&stage, level, &data, expected));
    });
    group.finish();
}

/// Measures a column of strings of five bytes.
fn column(criterion: &mut Criterion, level: Level) {
    const ROWS: usize = 100_000;
    let text: Vec<u8> = (0..ROWS)
        .flat_map(|row| format!("{row:05}").into_bytes())
        .collect();
    let offsets: Vec<i32> = (0..=ROWS as i32).map(|row| row * 5).collect();
    let records = Records::from_i32(&offsets).expect("offsets ascend");
    let mut tokenizer = Tokenizer::new(level, &TokenRule::Whitespace, &Tuning::DEFAULT);
    let mut spans = Vec::new();
    let done = tokenizer.tokenize(&text, Some(records), &mut spans);
    assert_eq!(done.expect("records are within the text").tokens, ROWS);
    let mut group = criterion.benchmark_group(format!("stage/tokenize/{level}"));
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("records-5-bytes", |bencher| {
        bencher.iter(|| tokenizer.tokenize(&text, Some(black_box(records)), &mut spans));
    });
    group.finish();
}

fn tokenize(criterion: &mut Criterion) {
    for name in ["zipf-30k", "zipf-multibyte"] {
        rival(criterion, name);
        let text = data(name);
        for level in Level::available() {
            one(criterion, level, &TokenRule::Whitespace, &text, name);
        }
    }
    let visits = data("visits");
    let book = &keymill_datasets::book()[..BYTES];
    let comma = || b",".as_slice().into();
    let second = TokenRule::Field {
        index: NonZeroUsize::MIN.saturating_add(1),
        separator: comma(),
    };
    for level in Level::available() {
        one(criterion, level, &TokenRule::Words, book, "words/book");
        one(criterion, level, &TokenRule::Lines, book, "lines/book");
        one(
            criterion,
            level,
            &TokenRule::Split(comma()),
            &visits,
            "split/visits",
        );
        let two_bytes = TokenRule::Split(b", ".as_slice().into());
        one(criterion, level, &two_bytes, book, "split-2-bytes/book");
        one(criterion, level, &second, &visits, "field/visits");
        column(criterion, level);
    }
}

criterion_group!(benches, tokenize);
criterion_main!(benches);
