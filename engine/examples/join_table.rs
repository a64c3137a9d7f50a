//! Visits per country: rows of a stream joined with a table in memory.
//!
//! ```console
//! cargo run --release -p keymill --example join_table
//! ```
#![forbid(unsafe_code)]

use keymill::aggregate::sum as sum_of;
use keymill::arrow::array::{RecordBatch, record_batch};
use keymill::arrow::schema::DataType;
use keymill::prelude::*;
use keymill::stream::{
    ConsoleSink, JoinKind, MemoryStream, OutputMode, RowSource, StaticTable, Trigger, sum,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sites: RecordBatch = record_batch!(
        ("name", Utf8, ["a.no", "b.no", "c.it"]),
        ("country", Utf8, ["Norway", "Norway", "Italy"])
    )?;
    let (source, input) = MemoryStream::new();
    input.push("a.no,3\nc.it,5\n");
    input.push("b.no,4\nunknown.org,9\n");

    let columns = [("site", DataType::Utf8), ("visits", DataType::Int64)];
    Engine::new()?
        .stream(RowSource::csv(source, columns)?)
        .trigger(Trigger::AvailableNow)
        .join(
            StaticTable::new("sites", &[sites])?,
            JoinKind::Inner,
            [("site", "name")],
        )
        .group_by(["country"], [sum_of("visits")])
        .update_state(sum())
        .mode(OutputMode::Complete)
        .sink(ConsoleSink::new())
        .run()?;
    Ok(())
}
