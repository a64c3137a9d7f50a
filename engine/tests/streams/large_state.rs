//! Streams whose state is larger than the memory of the query.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use keymill::KeyedStream;
use keymill::arrow::array::{BinaryViewArray, RecordBatch};
use keymill::prelude::*;
use keymill::stream::{
    FolderSource, MemorySink, OutputMode, StreamProgress, Trigger, checkpoint, sum,
};

use crate::fixtures::{Counts, counts_of, plain_counts};

/// Words of a file; two files that follow each other share half of them.
const WORDS: u64 = 40_000;
const FILES: u64 = 6;

fn text_of(file: u64) -> String {
    let words = file * WORDS / 2..file * WORDS / 2 + WORDS;
    let words = words.map(|word| format!("a-word-of-this-number-{word}"));
    words.collect::<Vec<_>>().join(" ") + " everywhere\n"
}

/// An engine whose states get less than eight MiB of memory.
fn small_engine() -> Engine {
    let engine = Engine::builder().threads(1).memory(20 << 20);
    engine.device(DeviceChoice::Cpu).build().unwrap()
}

fn query(folder: &Path, mode: OutputMode, trigger: Trigger) -> KeyedStream {
    let engine = small_engine();
    let source = FolderSource::new(folder.join("in"));
    let words = engine
        .stream(source)
        .trigger(trigger)
        .tokenize(whitespace());
    let query = words.count_by_key().update_state(sum()).mode(mode);
    let query = query.max_files_per_epoch(1);
    query
        .snapshot_every(2)
        .checkpoint(folder.join("checkpoint"))
}

/// Runs a query until its input is read. Returns its results by epoch, and the last report.
fn run(query: KeyedStream) -> (Vec<Vec<RecordBatch>>, StreamProgress) {
    let sink = MemorySink::new();
    let mut query = query.sink(sink.clone()).start().unwrap();
    query.await_termination().unwrap();
    let epochs = sink.epochs().into_iter().map(|(_, batches)| batches);
    (epochs.collect(), query.last_progress().unwrap())
}

fn write_files(folder: &Path, files: std::ops::Range<u64>) {
    let input = folder.join("in");
    fs::create_dir_all(&input).unwrap();
    files.for_each(|file| fs::write(input.join(format!("{file:03}")), text_of(file)).unwrap());
}

fn expected(files: std::ops::Range<u64>) -> Counts {
    let texts: Vec<String> = files.map(text_of).collect();
    plain_counts(texts.iter().map(String::as_str))
}

#[test]
fn totals_are_exact_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = 0;
    for end in [FILES / 2, FILES] {
        write_files(folder.path(), first..end);
        let (epochs, last) = run(query(
            folder.path(),
            OutputMode::Update,
            Trigger::AvailableNow,
        ));
        assert_eq!(epochs.len() as u64, end - first);
        for (epoch, batches) in (first..).zip(&epochs) {
            let all = expected(0..epoch + 1);
            let changed = expected(epoch..epoch + 1).into_keys();
            let wanted: Counts = changed.map(|word| (word.clone(), all[&word])).collect();
            assert!(counts_of(batches) == wanted, "epoch {epoch}");
        }
        let state = &last.state_operators[0];
        assert_eq!(state.num_rows_total, expected(0..end).len() as u64);
        assert!(state.disk_used_bytes > 1 << 20, "{state:?}");
        assert!(state.memory_used_bytes < 9 << 20, "{state:?}");
        first = end;
    }
    let exported = checkpoint::export(folder.path().join("checkpoint")).unwrap();
    let exported: Vec<RecordBatch> = exported.collect::<keymill::Result<_>>().unwrap();
    assert!(counts_of(&exported) == expected(0..FILES));
}

#[test]
fn complete_results_have_all_groups() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), 0..FILES);
    let (epochs, last) = run(query(
        folder.path(),
        OutputMode::Complete,
        Trigger::AvailableNow,
    ));
    assert!(counts_of(epochs.last().unwrap()) == expected(0..FILES));
    assert!(last.state_operators[0].disk_used_bytes > 1 << 20);
}

#[test]
fn the_state_on_disk_is_read_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), 0..FILES);
    let query = query(folder.path(), OutputMode::Update, Trigger::AsFastAsPossible);
    let query = query.sink(MemorySink::new()).start().unwrap();
    while query
        .last_progress()
        .is_none_or(|it| it.batch_id + 1 < FILES)
    {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let state = query.state().unwrap();
    let wanted = expected(0..FILES);
    assert_eq!(state.len(), wanted.len());
    let words = ["everywhere", "nowhere", "a-word-of-this-number-30000"];
    let found = state.get(&[Arc::new(BinaryViewArray::from_iter_values(words))]);
    let found = counts_of(&[found.unwrap()]);
    assert_eq!(found["everywhere"], FILES);
    assert_eq!((found["a-word-of-this-number-30000"], found.len()), (2, 2));
    let all: keymill::Result<Vec<RecordBatch>> = state.batches().unwrap().collect();
    assert!(counts_of(&all.unwrap()) == wanted);
}
