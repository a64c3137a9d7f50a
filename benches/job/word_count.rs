//! Counts words in memory: all levels on one core, and the engine on one and two. For comparison,
//! hashbrown loops, and a plain read of the text as the upper bound.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use keymill::{Level, Order};
use keymill_bench::{
    count_by_engine, count_by_kernel, engine, job_bytes, read_all, rival, text_of,
};

const SETS: [&str; 6] = [
    "zipf-30k",
    "zipf-1m",
    "book",
    "zipf-multibyte",
    "integers-1m",
    "urls-200k",
];

fn bench<T: PartialEq + std::fmt::Debug>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: String,
    expected: T,
    mut run: impl FnMut() -> T,
) {
    assert_eq!(run(), expected, "{id}");
    group.bench_function(id, |bencher| bencher.iter(&mut run));
}

fn word_count(criterion: &mut Criterion) {
    for name in SETS {
        let text = text_of(name, job_bytes());
        let expected = rival::<foldhash::fast::RandomState>(text);
        let mut group = criterion.benchmark_group("job/word_count");
        group
            .throughput(Throughput::Bytes(text.len() as u64))
            .sample_size(10);
        for level in Level::available() {
            let run = || count_by_kernel(level, black_box(text));
            bench(&mut group, format!("{level}/{name}"), expected, run);
        }
        for threads in [1, 2] {
            let engine = engine(threads);
            let run = || count_by_engine(&engine, black_box(text), Order::None);
            bench(
                &mut group,
                format!("engine-{threads}/{name}"),
                expected,
                run,
            );
        }
        let foldhash = || rival::<foldhash::fast::RandomState>(black_box(text));
        bench(
            &mut group,
            format!("hashbrown-foldhash/{name}"),
            expected,
            foldhash,
        );
        let rapidhash = || rival::<rapidhash::fast::RandomState>(black_box(text));
        bench(
            &mut group,
            format!("hashbrown-rapidhash/{name}"),
            expected,
            rapidhash,
        );
        let sum = read_all(text);
        bench(&mut group, format!("read-memory/{name}"), sum, || {
            read_all(black_box(text))
        });
        group.finish();
    }
}

criterion_group!(benches, word_count);
criterion_main!(benches);
