//! Measures all stages on all adapters, with all shader variants: the kernels only, and the whole
//! path from host memory and back. Then copies only, an empty run, and what `auto` costs if no
//! device is used.
//!
//! On a machine without an adapter, only the last is measured.
#![forbid(unsafe_code)]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use keymill::probe::{self, Adapter, AdapterInfo, Answer, Resident, ShaderVariant, Stage, Times};
use keymill::{DeviceChoice, Engine, Order, TokenRule};
use keymill_bench::{Rows, TextRows, count_by_engine, probed_on, text_of};

/// Bytes of text and of rows: 16 MiB when measuring, 256 KiB when benches run as tests.
fn bytes() -> usize {
    match std::env::args().any(|arg| arg == "--bench") {
        true => 16 << 20,
        false => 256 << 10,
    }
}

/// A stage, its data, and the name of the data.
struct Case {
    stage: Stage,
    data: Resident,
    name: &'static str,
    expected: Answer,
}

fn text(stage: Stage, name: &'static str) -> Case {
    let set = keymill_datasets::find(name).expect("the data set is in the registry");
    case(stage, Resident::text(set.to_vec(bytes())), name)
}

fn rows(stage: Stage, groups: u64, name: &'static str) -> Case {
    let Rows { keys, values } = Rows::random(bytes() / 16, groups, false);
    let data = Resident::rows(keys, values).expect("as many values as keys");
    case(stage, data, name)
}

/// Each row has a key of up to 16 bytes, a span of 8 bytes, and a value.
fn text_rows(groups: u64, name: &'static str) -> Case {
    let rows = Rows::random(bytes() / 32, groups, false);
    case(
        Stage::ReduceByKey,
        TextRows::spelled(&rows).resident(),
        name,
    )
}

fn case(stage: Stage, data: Resident, name: &'static str) -> Case {
    let expected = probe::expected(&stage, &data).expect("the stage takes this data");
    Case {
        stage,
        data,
        name,
        expected,
    }
}

fn cases() -> Vec<Case> {
    let comma = || TokenRule::Split(b",".as_slice().into());
    vec![
        text(Stage::Frame, "visits"),
        text(Stage::Tokenize(TokenRule::Whitespace), "zipf-30k"),
        text(Stage::Tokenize(comma()), "visits"),
        rows(Stage::HashPartition(256), 1 << 31, "spread-keys"),
        rows(Stage::ReduceByKey, 100, "100-groups"),
        rows(Stage::ReduceByKey, 100_000, "100k-groups"),
        text_rows(100, "100-texts"),
        text_rows(100_000, "100k-texts"),
        text(Stage::Count(TokenRule::Whitespace), "zipf-30k"),
        text(Stage::Count(TokenRule::Whitespace), "zipf-1m"),
        text(Stage::Count(TokenRule::Whitespace), "unique"),
    ]
}

/// A part of a run's time, and its name.
type Part = (&'static str, fn(&Times) -> std::time::Duration);

fn bench_parts(
    group: &mut BenchmarkGroup<'_, WallTime>,
    adapter: &Adapter,
    name: &str,
    case: &Case,
    parts: &[Part],
) {
    group.throughput(Throughput::Bytes(case.data.bytes() as u64));
    for (part_name, part) in parts {
        group.bench_function(format!("{name}/{part_name}/{}", case.name), |bencher| {
            bencher.iter_custom(probed_on(
                adapter,
                &case.stage,
                &case.data,
                case.expected,
                *part,
            ));
        });
    }
}

/// Returns the adapter's name for use in a benchmark's name.
fn name_of(info: &AdapterInfo) -> String {
    let software = if info.is_software { "software-" } else { "" };
    format!("{software}{}", info.name.replace(['/', ' '], "-"))
}

/// Returns the suffix of a stage's name for a shader variant, empty for the base; `raw` is
/// unchecked. Suffixes are short because Criterion truncates long names.
fn name_of_variant(variant: ShaderVariant) -> String {
    let parts = [
        (variant.subgroups, "+subgroups"),
        (variant.wide_atomics, "+wide"),
        (variant.is_unchecked, "+raw"),
    ];
    let parts = parts.into_iter().filter(|(is_on, _)| *is_on);
    parts.map(|(_, name)| name).collect()
}

/// Measures all stages with a shader variant. Only `reduce_by_key` uses 64-bit atomics.
fn stages(criterion: &mut Criterion, info: &AdapterInfo, variant: ShaderVariant, cases: &[Case]) {
    let adapter = Adapter::open_with(info, variant).expect("it passes its self-test");
    let (name, suffix) = (name_of(info), name_of_variant(variant));
    let is_of_use = |case: &&Case| !variant.wide_atomics || case.stage == Stage::ReduceByKey;
    for case in cases.iter().filter(is_of_use) {
        let stage = case.stage.name();
        let mut group = criterion.benchmark_group(format!("stage/{stage}{suffix}"));
        group.sample_size(10);
        let parts: [Part; 2] = [("kernel", |times| times.kernel), ("whole", |it| it.whole)];
        bench_parts(&mut group, &adapter, &name, case, &parts);
        group.finish();
    }
}

fn adapters(criterion: &mut Criterion) {
    let usable = probe::adapters();
    let usable: Vec<_> = usable.iter().filter(|it| it.refused.is_none()).collect();
    let cases = match usable.is_empty() {
        true => Vec::new(),
        false => cases(),
    };
    for info in usable {
        for variant in info.variants() {
            stages(criterion, info, variant, &cases);
        }
        let adapter = Adapter::open(info).expect("it passed its self-test");
        let name = name_of(info);
        let mut group = criterion.benchmark_group("adapter");
        group.sample_size(10);
        let parts: [Part; 3] = [
            ("upload", |times| times.upload),
            ("readback", |times| times.readback),
            ("launch", |times| times.launch),
        ];
        bench_parts(&mut group, &adapter, &name, &cases[1], &parts);
        group.finish();
    }
}

/// Measures what the search for devices costs a job that does not use one.
fn chooser(criterion: &mut Criterion) {
    let text = text_of("zipf-30k", 64 << 10);
    let mut group = criterion.benchmark_group("job/chooser");
    for choice in [DeviceChoice::Cpu, DeviceChoice::Auto] {
        let name = choice.to_string();
        let engine = Engine::builder().threads(1).device(choice).build();
        let engine = engine.expect("an engine starts");
        group.bench_function(name, |bencher| {
            bencher.iter(|| count_by_engine(&engine, text, Order::None));
        });
    }
    group.finish();
}

criterion_group!(benches, adapters, chooser);
criterion_main!(benches);
