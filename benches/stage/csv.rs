//! Measures the search for the fields of comma-separated values. For comparison, the `csv` crate, and a
//! plain read of the text as the upper bound.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill_bench::read_all;
use keymill_kernels::Level;
use keymill_kernels::stage::csv::FieldIndex;

const BYTES: usize = 256 << 10;

/// Rows of a text, an integer and a decimal; every `quoted`-th text has quotes.
fn rows(quoted: usize) -> Vec<u8> {
    let mut text = String::new();
    for row in 0.. {
        let quote = if row % quoted == 0 { "\"" } else { "" };
        writeln!(
            text,
            "{quote}site-{}{quote},{row},{}.5",
            row * 7919 % 413,
            row % 100
        )
        .expect("a text takes more");
        if text.len() >= BYTES {
            break;
        }
    }
    text.into_bytes()
}

/// Counts fields by the `csv` crate.
fn by_crate(text: &[u8]) -> usize {
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text);
    let records = reader.into_byte_records();
    records
        .map(|record| record.expect("the text is whole").len())
        .sum()
}

fn fields(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stage/csv");
    for (name, quoted) in [("plain", usize::MAX), ("quoted", 2)] {
        let text = rows(quoted);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("read/{name}"), |bencher| {
            bencher.iter(|| read_all(black_box(&text)));
        });
        let expected = by_crate(&text);
        group.bench_function(format!("crate/{name}"), |bencher| {
            bencher.iter(|| by_crate(black_box(&text)));
        });
        for level in Level::available() {
            let mut index = FieldIndex::default();
            index.read(level, &text, b',');
            assert_eq!(index.fields(index.rows() - 1).end, expected);
            group.bench_function(format!("{level}/{name}"), |bencher| {
                bencher.iter(|| index.read(level, black_box(&text), b','));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, fields);
criterion_main!(benches);
