//! Measures conversion to lower case, compared with `str::to_lowercase`.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::probe::{self, Resident, Stage};
use keymill_bench::probed;
use keymill_kernels::Level;

const BYTES: usize = 256 << 10;

fn one(criterion: &mut Criterion, text: &str, name: &str) {
    let mut group = criterion.benchmark_group("stage/lowercase");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(format!("to_lowercase/{name}"), |bencher| {
        bencher.iter(|| black_box(text).to_lowercase());
    });
    let (stage, data) = (Stage::Lowercase, Resident::text(text));
    let expected = probe::expected(&stage, &data).expect("the stage accepts text");
    for level in Level::available() {
        group.bench_function(format!("{level}/{name}"), |bencher| {
            bencher.iter_custom(probed(&stage, level, &data, expected));
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
