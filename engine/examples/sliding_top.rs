//! The most frequent words of sliding windows: ten seconds long, a new one every five.
//!
//! ```console
//! cargo run --release -p keymill --example sliding_top
//! ```
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::aggregate::count_rows;
use keymill::arrow::schema::DataType;
use keymill::prelude::*;
use keymill::stream::{ConsoleSink, MemoryStream, OutputMode, RowSource, Trigger, sliding};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (source, input) = MemoryStream::new();
    input.push("1,rust\n2,arrow\n4,rust\n");
    input.push("6,arrow\n7,arrow\n9,wgpu\n");
    input.push("30,rust\n");

    let columns = [("second", DataType::Int64), ("word", DataType::Utf8)];
    let seconds = Duration::from_secs;
    Engine::new()?
        .stream(RowSource::csv(source, columns)?)
        .trigger(Trigger::AvailableNow)
        .group_by(["word"], [count_rows()])
        .window(
            sliding(seconds(10), seconds(5))
                .on("second")
                .watermark(seconds(2)),
        )
        .mode(OutputMode::Append)
        .order_by(Order::Columns(vec![OrderBy::new("count(*)").descending()]))
        .top(1)
        .sink(ConsoleSink::new())
        .run()?;
    Ok(())
}
