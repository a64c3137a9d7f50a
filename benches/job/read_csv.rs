//! CSV to Arrow batches against `arrow-csv`, and a group-by of the One Billion Row shape, on one thread.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keymill::aggregate::{count_rows, max, mean, min};
use keymill::prelude::*;
use keymill::read::{Column, Table, TableFormat};
use keymill_bench::scaled;
use keymill_datasets::{Generator, Sensors};

/// Bytes of each text.
const BYTES: usize = 32 << 20;

/// Integers, texts of which some have quotes, floats, dates and booleans.
fn mixed(bytes: usize) -> Vec<u8> {
    let names = [
        "Oslo",
        "New York",
        "\"x, y\"",
        "São Paulo",
        "\"a \"\"b\"\"\"",
        "Rome",
    ];
    let mut text = String::new();
    for row in 0.. {
        let name = names[row % 7 % names.len()];
        let (count, cents) = (row * 7919 % 2_000_003, row * 104_729 % 1_000_000);
        let (ratio, flag) = (f64::from(cents as u32) / 999_983.0, row % 2 == 0);
        let (month, day) = (1 + row % 12, 1 + row % 28);
        let line = writeln!(
            text,
            "{row},{name},{count},{}.{:02},{ratio:.12},2024-{month:02}-{day:02},{flag},note {}",
            cents / 100,
            cents % 100,
            row % 1000
        );
        line.expect("a text takes more");
        if text.len() >= bytes {
            break;
        }
    }
    text.into_bytes()
}

fn table(text: &'static [u8], delimiter: u8) -> Table {
    let table = Table::of_bytes(text).format(TableFormat::Csv);
    table.delimiter(delimiter).header(false)
}

fn rows(batches: impl Iterator<Item = RecordBatch>) -> usize {
    batches.map(|batch| batch.num_rows()).sum()
}

fn by_arrow(text: &[u8], delimiter: u8, schema: &SchemaRef) -> usize {
    let reader = arrow_csv::ReaderBuilder::new(schema.clone())
        .with_delimiter(delimiter)
        .with_batch_size(8192)
        .build(text)
        .expect("the schema is supported");
    rows(reader.map(|batch| batch.expect("the text is whole")))
}

fn read_csv(criterion: &mut Criterion) {
    let mut stations = Vec::new();
    let written = Sensors::DEFAULT.write_to(scaled(BYTES) as u64, &mut stations);
    written.expect("memory takes more");
    let mut group = criterion.benchmark_group("job/read_csv");
    group.sample_size(10);
    for (name, text, delimiter) in [
        ("mixed", mixed(scaled(BYTES)), b','),
        ("stations", stations, b';'),
    ] {
        let text: &'static [u8] = text.leak();
        group.throughput(Throughput::Bytes(text.len() as u64));
        let batches = || {
            table(text, delimiter)
                .batches()
                .map(|batch| batch.expect("it is whole"))
        };
        let schema = batches()
            .next()
            .map_or_else(|| Arc::new(Schema::empty()), |first| first.schema());
        assert_eq!(by_arrow(text, delimiter, &schema), rows(batches()));
        group.bench_function(format!("arrow-csv/{name}"), |bencher| {
            bencher.iter(|| by_arrow(black_box(text), delimiter, &schema));
        });
        group.bench_function(format!("keymill/{name}"), |bencher| {
            bencher.iter(|| rows(batches()));
        });
        if name == "stations" {
            group.bench_function(format!("reduce/{name}"), |bencher| {
                bencher.iter(|| reduce(text))
            });
        }
    }
    group.finish();
}

/// Returns the number of stations.
fn reduce(text: &'static [u8]) -> usize {
    let engine = Engine::builder()
        .threads(1)
        .build()
        .expect("one thread is allowed");
    let table = table(text, b';').columns(["station", "t"].map(Column::new));
    let job = engine.read_table(table).group_by(["station"]);
    let job = job.agg([min("t"), mean("t"), max("t"), count_rows()]);
    job.collect().expect("all rows are whole").num_rows()
}

criterion_group!(benches, read_csv);
criterion_main!(benches);
