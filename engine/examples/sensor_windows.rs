//! Mean temperatures per station and ten seconds of event time. Readings that come too late are counted.
//!
//! ```console
//! cargo run --release -p keymill --example sensor_windows
//! ```
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::aggregate::{count_rows, mean};
use keymill::arrow::schema::DataType;
use keymill::prelude::*;
use keymill::stream::{ConsoleSink, MemoryStream, OutputMode, RowSource, Trigger, tumbling};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (source, input) = MemoryStream::new();
    input.push("1,oslo,4.5\n3,oslo,6.5\n12,rome,19\n");
    // Reading 2 is late: the first window was closed when the second epoch began. Reading 11 is not.
    input.push("2,oslo,-80\n11,rome,21\n25,oslo,7\n");

    let columns = [
        ("second", DataType::Int64),
        ("station", DataType::Utf8),
        ("celsius", DataType::Float64),
    ];
    let window = tumbling(Duration::from_secs(10)).on("second");
    let mut query = Engine::new()?
        .stream(RowSource::csv(source, columns)?)
        .trigger(Trigger::AvailableNow)
        .group_by(["station"], [mean("celsius"), count_rows()])
        .window(window.watermark(Duration::from_secs(2)))
        .mode(OutputMode::Append)
        .sink(ConsoleSink::new())
        .start()?;
    query.await_termination()?;

    let late: u64 = query
        .recent_progress()
        .iter()
        .map(|epoch| epoch.state_operators[0].num_rows_dropped_by_watermark)
        .sum();
    println!("late readings: {late}");
    Ok(())
}
