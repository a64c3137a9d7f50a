//! Sums a column of a CSV file by another one: `cargo run --example read_csv -- visits.csv site count`.
#![forbid(unsafe_code)]

use keymill::aggregate::{mean, sum};
use keymill::prelude::*;
use keymill::write::Format;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, key, value] = &arguments[..] else {
        return Err("name a CSV file, a key column and a column of numbers".into());
    };
    let job = Engine::new()?
        .read_csv(file.as_str())
        .group_by([key.as_str()]);
    let job = job.agg([sum(value.as_str()).alias("total"), mean(value.as_str())]);
    let largest = Order::Columns(vec![OrderBy::new("total").descending()]);
    let stream = job.stream(largest, BatchLimits::default().top(10))?;

    let mut out = std::io::stdout();
    let mut writer = Format::Csv.writer(&stream.schema(), &mut out)?;
    for batch in stream {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    Ok(())
}
