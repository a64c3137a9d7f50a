//! A service that counts words on eight threads, publishes the changed counts every 100 ms, and stores
//! its state on disk, so that it continues after a restart.
//!
//! ```console
//! cargo run --release -p keymill --example service
//! ```
//!
//! Every thread has its own operator, so that threads do not wait for each other. At each tick the
//! operators are drained to state columns, which a state store merges.
#![forbid(unsafe_code)]

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use keymill::arrow::ipc::reader::FileReader;
use keymill::arrow::ipc::writer::FileWriter;
use keymill::prelude::*;
use keymill::{Drain, Operator, StateStore, TextCount};

const THREADS: usize = 8;
const TICKS: u64 = 3;
const TICK: Duration = Duration::from_millis(100);
const MESSAGES: [&str; 3] = ["login alice", "login bob", "logout alice"];

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.arrow");
    let first = run(&file)?;
    // The second run simulates the service after a restart.
    let second = run(&file)?;
    let login = |store: &StateStore| total_of(store, "login");
    println!(
        "login: {} before the restart, {} after it",
        login(&first)?,
        login(&second)?
    );
    assert_eq!(login(&second)?, 2 * login(&first)?);
    Ok(())
}

/// Runs the service for a few ticks, from the state in `file` if there is one.
fn run(file: &Path) -> Result<StateStore, Failure> {
    let store = StateStore::for_counts()?.build()?;
    restore(&store, file)?;
    let engine = Engine::builder()
        .threads(THREADS)
        .memory(256 << 20)
        .build()?;
    let resources = engine.resources();
    let operators: Vec<_> = (0..THREADS)
        .map(|_| {
            Ok(Arc::new(Mutex::new(TextCount::new(
                &whitespace(),
                &resources,
            )?)))
        })
        .collect::<keymill::Result<_>>()?;
    for tick in 0..TICKS {
        count_for_a_tick(&operators)?;
        for operator in &operators {
            let mut operator = operator.lock().expect("no thread has panicked");
            for states in operator.drain(Drain::State, &Order::None, BatchLimits::default())? {
                store.merge(&states?, tick)?;
            }
        }
        for changed in store.changed()? {
            publish(tick, &changed);
        }
        store.commit()?;
    }
    save(&store, file)?;
    Ok(store)
}

/// Counts messages on every thread, and waits for the end of the tick.
fn count_for_a_tick(operators: &[Arc<Mutex<TextCount>>]) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = operators
            .iter()
            .map(|operator| {
                scope.spawn(move || -> keymill::Result<()> {
                    let mut operator = operator.lock().expect("no thread has panicked");
                    for message in MESSAGES {
                        operator.push(message)?;
                    }
                    std::thread::sleep(TICK);
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no thread has panicked")?;
        }
        Ok(())
    })
}

/// Prints the new totals.
fn publish(tick: u64, changed: &RecordBatch) {
    let keys = changed.column(0).as_binary_view();
    let totals = changed.column(1).as_primitive::<UInt64Type>();
    for (key, total) in keys.iter().flatten().zip(totals.values()) {
        println!("{tick} {:<8} {total}", String::from_utf8_lossy(key));
    }
}

/// Writes a snapshot to a new file, which then replaces the old one.
fn save(store: &StateStore, file: &Path) -> Result<(), Failure> {
    let unfinished = file.with_extension("unfinished");
    let mut writer = FileWriter::try_new(File::create(&unfinished)?, &store.snapshot_schema())?;
    for batch in store.snapshot()? {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    std::fs::rename(unfinished, file)?;
    Ok(())
}

fn restore(store: &StateStore, file: &Path) -> Result<(), Failure> {
    if file.exists() {
        let batches = FileReader::try_new(File::open(file)?, None)?;
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        store.restore(&batches)?;
    }
    Ok(())
}

fn total_of(store: &StateStore, key: &str) -> Result<u64, Failure> {
    let mut total = 0;
    for batch in store.snapshot()? {
        let batch = batch?;
        let keys = batch.column(0).as_binary_view();
        let counts = batch.column(1).as_primitive::<UInt64Type>();
        for (found, count) in keys.iter().flatten().zip(counts.values()) {
            total += if found == key.as_bytes() { *count } else { 0 };
        }
    }
    Ok(total)
}
