//! Measures the fused count at all levels, for different kinds of keys. The tables are warm and the
//! text is small, so this is the cost of the instructions and of the L2 cache. A hashbrown loop is
//! measured for comparison.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill_bench::{count_by_kernel, rival};
use keymill_kernels::stage::count::Counter;
use keymill_kernels::{Level, TokenRule, Tuning};

const BYTES: usize = 1 << 20;
const SETS: [&str; 7] = [
    "zipf-30k",
    "zipf-1m",
    "zipf-multibyte",
    "book",
    "equal",
    "prefix-16",
    "urls-200k",
];

fn counter(level: Level) -> Counter {
    Counter::new(level, &TokenRule::Whitespace, &Tuning::DEFAULT, 1)
}

fn count(criterion: &mut Criterion) {
    for name in SETS {
        let set = keymill_datasets::find(name).expect("the data set is in the registry");
        let text = set.to_vec(BYTES);
        let expected = rival::<foldhash::fast::RandomState>(&text);
        for level in Level::available() {
            assert_eq!(count_by_kernel(level, &text), expected);
            let mut counter = counter(level);
            let mut group = criterion.benchmark_group(format!("stage/count/{level}"));
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| counter.push(black_box(&text)));
            });
            group.finish();
        }
        let mut group = criterion.benchmark_group("stage/count/hashbrown-foldhash");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| rival::<foldhash::fast::RandomState>(black_box(&text)));
        });
        group.finish();
    }
}

criterion_group!(benches, count);
criterion_main!(benches);
