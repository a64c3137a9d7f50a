//! Counts tokens that are nearly all different: partitions, and the order of the output.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::Order;
use keymill_bench::{count_by_engine, engine, job_bytes, read_all, rival, text_of};

fn near_unique(criterion: &mut Criterion) {
    let text = text_of("unique", job_bytes());
    let expected = rival::<foldhash::fast::RandomState>(text);
    let mut group = criterion.benchmark_group("job/near_unique");
    group
        .throughput(Throughput::Bytes(text.len() as u64))
        .sample_size(10);
    for threads in [1, 2] {
        let engine = engine(threads);
        for (name, order) in [("unordered", Order::None), ("by-count", Order::Count)] {
            assert_eq!(count_by_engine(&engine, text, order.clone()), expected);
            group.bench_function(format!("engine-{threads}/{name}"), |bencher| {
                bencher.iter(|| count_by_engine(&engine, black_box(text), order.clone()));
            });
        }
    }
    group.bench_function("hashbrown-foldhash/unordered", |bencher| {
        bencher.iter(|| rival::<foldhash::fast::RandomState>(black_box(text)));
    });
    assert_eq!(rival::<rapidhash::fast::RandomState>(text), expected);
    group.bench_function("hashbrown-rapidhash/unordered", |bencher| {
        bencher.iter(|| rival::<rapidhash::fast::RandomState>(black_box(text)));
    });
    group.bench_function("read-memory/unordered", |bencher| {
        bencher.iter(|| read_all(black_box(text)));
    });
    group.finish();
}

criterion_group!(benches, near_unique);
criterion_main!(benches);
