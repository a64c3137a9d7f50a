//! What it costs to make text lower case; `str::to_lowercase` is the rival.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill_kernels::stage::lowercase::lowercase;
use keymill_kernels::{Level, oracle};

const BYTES: usize = 256 << 10;

fn one(criterion: &mut Criterion, text: &str, name: &str) {
    let expected = oracle::lowercase(text.as_bytes());
    let mut group = criterion.benchmark_group("stage/lowercase");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(format!("to_lowercase/{name}"), |bencher| {
        bencher.iter(|| black_box(text).to_lowercase());
    });
    let mut out = Vec::new();
    for level in Level::available() {
        out.clear();
        assert_eq!(lowercase(level, text.as_bytes(), &mut out), level);
        assert_eq!(out, expected);
        group.bench_function(format!("{level}/{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                lowercase(level, black_box(text.as_bytes()), &mut out)
            });
        });
    }
    group.finish();
}

fn lower(criterion: &mut Criterion) {
    for name in ["zipf-30k", "zipf-multibyte"] {
        let set = keymill_datasets::find(name).expect("the data set is in the registry");
        let text = String::from_utf8(set.to_vec(BYTES)).expect("the data set is UTF-8");
        one(criterion, &text, name);
        one(criterion, &text.to_uppercase(), &format!("{name}-upper"));
    }
}

criterion_group!(benches, lower);
criterion_main!(benches);
