//! Measures the search for lines, and for the last place to cut a block. For comparison, `split` on
//! LF, and a plain read of the text as the upper bound.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::probe::{self, Resident, Stage};
use keymill_bench::{probed, read_all};
use keymill_kernels::stage::frame::last_boundary;
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{Level, TokenRule, oracle};

const BYTES: usize = 256 << 10;

/// Collects the lines with the standard library.
fn split_lines(text: &[u8], out: &mut Vec<Span>) {
    out.clear();
    let base = text.as_ptr() as usize;
    out.extend(text.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let start = line.as_ptr() as usize - base;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Span {
            start: start as u32,
            end: (start + line.len()) as u32,
        }
    }));
}

fn assert_answer(text: &[u8], records: &[Span]) {
    let lines = records.iter().map(|record| record.of(text));
    assert!(lines.eq(oracle::frame(text)));
}

fn frame(criterion: &mut Criterion) {
    let visits = keymill_datasets::find("visits").expect("the data set is in the registry");
    let text = visits.to_vec(BYTES);
    let mut records = Vec::new();
    split_lines(&text, &mut records);
    assert_answer(&text, &records);
    let mut group = criterion.benchmark_group("stage/frame");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("split_inclusive/visits", |bencher| {
        bencher.iter(|| split_lines(black_box(&text), &mut records));
    });
    group.bench_function("read/visits", |bencher| {
        bencher.iter(|| read_all(black_box(&text)));
    });
    let (stage, data) = (Stage::Frame, Resident::text(text));
    let expected = probe::expected(&stage, &data).expect("the stage accepts text");
    for level in Level::available() {
        group.bench_function(format!("{level}/visits"), |bencher| {
            bencher.iter_custom(probed(&stage, level, &data, expected));
        });
    }
    // A block without a place to cut: the longest search.
    let solid = vec![b'x'; BYTES];
    for level in Level::available() {
        let rule = TokenRule::Whitespace;
        assert_eq!(last_boundary(level, &rule, &solid), None);
        group.bench_function(format!("{level}/no-boundary"), |bencher| {
            bencher.iter(|| last_boundary(level, &rule, black_box(&solid)));
        });
    }
    group.finish();
}

criterion_group!(benches, frame);
criterion_main!(benches);
