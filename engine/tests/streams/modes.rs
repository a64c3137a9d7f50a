//! Which groups an epoch writes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keymill::ErrorKind;
use keymill::arrow::array::RecordBatch;
use keymill::arrow::array::cast::AsArray;
use keymill::arrow::array::types::Int64Type;
use keymill::arrow::schema::DataType;
use keymill::prelude::*;
use keymill::stream::{ConsoleSink, Delivery, MemorySink, MemoryStream, OutputMode, Trigger, sum};

use crate::fixtures::{Counts, counts_of, engine, plain_counts, word_count};

const TEXTS: [&str; 3] = ["to be or not", "to be", "that is the question"];

/// The results of each epoch, in a mode.
fn epochs(mode: OutputMode, has_state: bool) -> Vec<Counts> {
    let (source, input) = MemoryStream::new();
    TEXTS.iter().for_each(|text| input.push(text));
    let results = MemorySink::new();
    let stream = engine(2).stream(source).trigger(Trigger::AvailableNow);
    let counts = stream.tokenize(whitespace()).count_by_key();
    let counts = if has_state {
        counts.update_state(sum())
    } else {
        counts
    };
    counts.mode(mode).sink(results.clone()).run().unwrap();
    let epochs = results.epochs();
    let numbers: Vec<u64> = epochs.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(numbers, [0, 1, 2]);
    epochs
        .iter()
        .map(|(_, batches)| counts_of(batches))
        .collect()
}

#[test]
fn complete_writes_all_groups_of_all_epochs() {
    let written = epochs(OutputMode::Complete, true);
    for (epoch, written) in written.iter().enumerate() {
        assert_eq!(*written, plain_counts(TEXTS[..=epoch].iter().copied()));
    }
}

#[test]
fn update_writes_the_groups_that_changed() {
    let written = epochs(OutputMode::Update, true);
    for (epoch, written) in written.iter().enumerate() {
        let mut expected = plain_counts(TEXTS[..=epoch].iter().copied());
        let changed = plain_counts([TEXTS[epoch]]);
        expected.retain(|key, _| changed.contains_key(key));
        assert_eq!(*written, expected);
    }
}

#[test]
fn without_state_every_epoch_stands_alone() {
    let written = epochs(OutputMode::Append, false);
    let expected: Vec<Counts> = TEXTS.iter().map(|text| plain_counts([*text])).collect();
    assert_eq!(written, expected);
}

#[test]
fn modes_that_make_no_sense_are_refused_with_the_reason() {
    let start = |mode, has_state| {
        let (source, _) = MemoryStream::new();
        let counts = engine(1)
            .stream(source)
            .tokenize(whitespace())
            .count_by_key();
        let counts = if has_state {
            counts.update_state(sum())
        } else {
            counts
        };
        counts
            .mode(mode)
            .sink(MemorySink::new())
            .start()
            .unwrap_err()
    };
    let error = start(OutputMode::Append, true);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .message()
            .contains("a running total may always change"),
        "{error}"
    );
    let error = start(OutputMode::Complete, false);
    assert!(error.message().contains("this query keeps none"), "{error}");
}

#[test]
fn a_guarantee_that_cannot_be_kept_is_refused() {
    let (source, input) = MemoryStream::new();
    input.finish();
    let folder = tempfile::tempdir().unwrap();
    let stream = |source| word_count(&engine(1), source).sink(MemorySink::new());
    let error = stream(source)
        .require(Delivery::ExactlyOnce)
        .start()
        .unwrap_err();
    assert!(
        error.message().contains("there is no checkpoint"),
        "{error}"
    );
    let again = || MemoryStream::of(&input);
    let job = stream(again()).require(Delivery::ExactlyOnce);
    job.checkpoint(folder.path().join("a")).run().unwrap();
    let job = stream(again()).sink(ConsoleSink::new().to(std::io::sink()));
    let job = job.checkpoint(folder.path().join("b"));
    assert!(
        job.explain().contains("`console:` is at least once"),
        "{}",
        job.explain()
    );
    assert!(job.require(Delivery::Idempotent).start().is_err());
}

/// Output that a test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_console_shows_a_table_an_epoch() {
    let (source, input) = MemoryStream::new();
    input.push("b a b c c c");
    input.push("a a a");
    input.finish();
    let out = Shared::default();
    let job = word_count(&engine(1), source).mode(OutputMode::Complete);
    job.sink(ConsoleSink::top(2).to(out.clone())).run().unwrap();
    let expected = "\
-------------------------------------------
Batch: 0
-------------------------------------------
+---+-----+
|key|count|
+---+-----+
|  c|    3|
|  b|    2|
+---+-----+
only showing top 2 rows

-------------------------------------------
Batch: 1
-------------------------------------------
+---+-----+
|key|count|
+---+-----+
|  a|    4|
|  c|    3|
+---+-----+
only showing top 2 rows

";
    assert_eq!(
        String::from_utf8(out.0.lock().unwrap().clone()).unwrap(),
        expected
    );
}

#[test]
fn the_handle_tells_what_the_query_does() {
    let (source, input) = MemoryStream::new();
    let stream = engine(1).stream(source).every(Duration::from_millis(10));
    let counts = stream
        .tokenize(whitespace())
        .count_by_key()
        .update_state(sum());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = seen.clone();
    let mut query = counts
        .name("words")
        .sink(MemorySink::new())
        .on_progress(move |progress| listener.lock().unwrap().push(progress.batch_id))
        .start()
        .unwrap();
    assert!(query.is_active() && query.last_progress().is_none());
    input.push("to be or not to be");
    while query.last_progress().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let progress = query.last_progress().unwrap();
    assert_eq!((progress.batch_id, progress.num_input_rows), (0, 6));
    assert_eq!(progress.state_operators[0].num_rows_total, 4);
    let json: serde_json::Value = serde_json::from_str(&progress.to_json()).unwrap();
    assert_eq!(json["name"], "words");
    assert!(json["durationMs"]["triggerExecution"].as_f64().unwrap() > 0.0);
    assert_eq!(json["sources"][0]["endOffset"], 1);
    assert!(
        !query
            .await_termination_timeout(Duration::from_millis(20))
            .unwrap()
    );
    input.push("last words");
    query.stop(true);
    query.await_termination().unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1]);
    assert_eq!(
        (query.is_active(), query.status().message),
        (false, "ended".to_owned())
    );
}

#[test]
fn an_error_of_a_sink_ends_the_query() {
    let (source, input) = MemoryStream::new();
    input.push("x");
    let job = word_count(&engine(1), source);
    let mut query = job
        .for_each_batch(|epoch, _| {
            Err(keymill::Error::new(
                ErrorKind::Sink,
                format!("no epoch {epoch}"),
            ))
        })
        .start()
        .unwrap();
    let error = query.await_termination().unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Sink, "no epoch 0")
    );
    assert_eq!(query.exception().unwrap().message(), "no epoch 0");
}

#[test]
fn unused_groups_are_removed_after_their_time_to_live() {
    let (source, input) = MemoryStream::new();
    let sink = MemorySink::new();
    let job = word_count(&engine(1), source).mode(OutputMode::Complete);
    let ttl = Duration::from_millis(300);
    let mut query = job.state_ttl(ttl).sink(sink.clone()).start().unwrap();
    input.push("old old kept");
    let started = std::time::Instant::now();
    while started.elapsed() < 2 * ttl {
        input.push("kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    input.push("old");
    query.stop(true);
    query.await_termination().unwrap();
    let epochs = sink.epochs();
    let had_old = |batches: &[_]| counts_of(batches).get("old").copied();
    assert_eq!(had_old(&epochs[0].1), Some(2));
    assert_eq!(had_old(&epochs[epochs.len() - 2].1), None);
    assert_eq!(had_old(&epochs[epochs.len() - 1].1), Some(1));
    let kept = counts_of(&epochs[epochs.len() - 1].1)["kept"];
    assert_eq!(kept, epochs.len() as u64 - 1);
}

#[test]
fn a_function_changes_the_state_and_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (source, input) = MemoryStream::new();
    let sink = MemorySink::new();
    let run = |source: MemoryStream, sink: MemorySink| {
        let stream = engine(2).stream(source).trigger(Trigger::AvailableNow);
        let counts = stream.tokenize(whitespace()).count_by_key();
        // The product of the counts of the epochs, until a word comes three times in one.
        let state = [("product", DataType::Int64)];
        let counts = counts.update_state_with(state, |new, old| {
            let before = old.map_or(1, |old| old.int("product").unwrap());
            let count = new.int("count").unwrap();
            (count != 3).then(|| [(before * count).into()])
        });
        let job = counts
            .mode(OutputMode::Complete)
            .snapshot_every(2)
            .sink(sink);
        job.checkpoint(folder.path().join("checkpoint"))
            .run()
            .unwrap();
    };
    for text in ["a a b", "a a a a b b c", "b b b c c"] {
        input.push(text);
        // Every epoch continues from the checkpoint.
        run(MemoryStream::of(&input), sink.clone());
    }
    drop(source);
    let products = |batches: &[RecordBatch]| {
        let mut products = std::collections::BTreeMap::new();
        for batch in batches {
            let keys = batch.column(0).as_binary_view();
            let values = batch.column(1).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let key = String::from_utf8(keys.value(row).to_vec()).unwrap();
                products.insert(key, values.value(row));
            }
        }
        products.into_iter().collect::<Vec<_>>()
    };
    let written: Vec<_> = sink.epochs().iter().map(|(_, it)| products(it)).collect();
    let of = |key: &str, value: i64| (key.to_owned(), value);
    let expected = [
        vec![of("a", 2), of("b", 1)],
        vec![of("a", 8), of("b", 2), of("c", 1)],
        vec![of("a", 8), of("c", 2)],
    ];
    assert_eq!(written, expected);
}
