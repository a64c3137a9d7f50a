//! Visits per site: running totals that survive a crash.
//!
//! ```console
//! cargo run --release -p keymill --example visits
//! ```
//!
//! The example starts itself as a second process, which reads the first file and then dies without any
//! warning. The query continues from the checkpoint: no visit is lost, and none is counted twice.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keymill::aggregate::sum as sum_of;
use keymill::arrow::schema::DataType;
use keymill::prelude::*;
use keymill::stream::{
    ConsoleSink, FolderSource, OutputMode, RowSource, StreamQuery, Trigger, sum,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    if let Some(folder) = std::env::args_os().nth(1) {
        return die_after_an_epoch(Path::new(&folder));
    }
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("in"))?;
    std::fs::write(folder.path().join("in/monday"), "a.org,3\nb.org,5\n")?;
    let ended = Command::new(std::env::current_exe()?)
        .arg(folder.path())
        .status()?;
    assert!(!ended.success());

    println!("the first process has died");
    std::fs::write(folder.path().join("in/tuesday"), "a.org,4\nc.org,1\n")?;
    start(folder.path(), Trigger::AvailableNow)?.await_termination()?;
    Ok(())
}

fn die_after_an_epoch(folder: &Path) -> Result<(), Failure> {
    let query = start(folder, Trigger::Every(Duration::from_millis(10)))?;
    while query.last_progress().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::process::abort()
}

fn start(folder: &Path, trigger: Trigger) -> Result<StreamQuery, Failure> {
    let columns = [("site", DataType::Utf8), ("visits", DataType::Int64)];
    let lines = RowSource::csv(FolderSource::new(folder.join("in")), columns)?;
    let query = Engine::new()?
        .stream(lines)
        .trigger(trigger)
        .group_by(["site"], [sum_of("visits")])
        .update_state(sum())
        .mode(OutputMode::Complete)
        .sink(ConsoleSink::new())
        .checkpoint(folder.join("checkpoint"))
        .start()?;
    Ok(query)
}
