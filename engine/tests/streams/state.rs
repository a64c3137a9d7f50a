//! The state of a query that runs, read from outside.

use std::sync::Arc;
use std::time::Duration;

use keymill::arrow::array::{ArrayRef, BinaryViewArray, Int64Array, RecordBatch};
use keymill::prelude::*;
use keymill::stream::{CallbackSink, MemorySink, MemoryStream, MetricsServer, sum};
use keymill::{ErrorKind, Result};

use crate::fixtures::{counts_of, engine, plain_counts, word_count};
use crate::metrics::{get, wait_for};

fn words<const N: usize>(words: [&str; N]) -> ArrayRef {
    Arc::new(BinaryViewArray::from_iter_values(words))
}

#[test]
fn readers_see_whole_epochs() {
    let (source, input) = MemoryStream::new();
    let query = word_count(&engine(1), source).sink(MemorySink::new());
    let query = query.start().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each epoch has both words as often.
            for _ in 0..300 {
                input.push("left right\nleft right\n");
                std::thread::sleep(Duration::from_micros(300));
            }
            input.finish();
        });
        let mut last = 0;
        while query.is_active() {
            let Ok(state) = query.state() else { continue };
            let all: Result<Vec<RecordBatch>> = state.batches().unwrap().collect();
            let counts = counts_of(&all.unwrap());
            let [left, right] = ["left", "right"].map(|it| counts.get(it).copied().unwrap_or(0));
            assert_eq!(left, right);
            assert!(left >= last && left.is_multiple_of(2));
            let found = counts_of(&[state.get(&[words(["left"])]).unwrap()]);
            assert_eq!(found.get("left").copied().unwrap_or(0), left);
            last = left;
        }
    });
    let state = query.state().unwrap();
    let found = counts_of(&[state.get(&[words(["left", "right"])]).unwrap()]);
    assert_eq!(found, plain_counts(["left right "; 600]));
}

#[test]
fn a_reader_holds_up_the_next_epoch_and_not_for_ever() {
    let (source, input) = MemoryStream::new();
    let query = word_count(&engine(1), source).sink(MemorySink::new());
    let query = query.start().unwrap();
    input.push("one\n");
    wait_for(&query, 1);
    let state = query.state().unwrap();
    input.push("two\n");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(
        (state.len(), query.last_progress().unwrap().batch_id),
        (1, 0)
    );
    drop(state);
    wait_for(&query, 2);
    let state = query.state().unwrap();
    assert_eq!(state.len(), 2);
    // An epoch that waits for the reader is given up.
    input.push("three\n");
    std::thread::sleep(Duration::from_millis(50));
    drop(query);
    assert_eq!(state.len(), 2);
}

#[test]
fn windows_have_their_start_as_the_first_key() {
    let (source, input) = MemoryStream::new();
    let query = engine(1)
        .stream(source)
        .tokenize(whitespace())
        .count_by_key();
    let query = query.window(keymill::stream::tumbling(Duration::from_secs(
        3600 * 24 * 365,
    )));
    let query = query.sink(MemorySink::new()).start().unwrap();
    input.push("to be or not to be\n");
    wait_for(&query, 1);
    let state = query.state().unwrap();
    let all: Result<Vec<RecordBatch>> = state.batches().unwrap().collect();
    let all = all.unwrap();
    let rows: usize = all.iter().map(RecordBatch::num_rows).sum();
    assert_eq!((rows, state.len()), (4, 4));
    assert_eq!(all[0].schema(), state.schema());
    let start = all[0].column(0).slice(0, 1);
    let found = state.get(&[start, words(["to"])]).unwrap();
    assert_eq!((found.num_rows(), found.num_columns()), (1, 4));
    let wrong = state
        .get(&[Arc::new(Int64Array::from(vec![0]))])
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Format);
}

#[test]
fn a_query_without_state_or_in_a_failed_epoch_says_so() {
    let (source, input) = MemoryStream::new();
    let query = engine(1)
        .stream(source)
        .tokenize(whitespace())
        .count_by_key();
    let query = query.sink(MemorySink::new()).start().unwrap();
    let error = query.state().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), "this query keeps no state");
    drop((query, input));

    let (source, input) = MemoryStream::new();
    let failing = CallbackSink::new(|_, _| Err(keymill::Error::new(ErrorKind::Sink, "no")));
    let mut query = word_count(&engine(1), source)
        .sink(failing)
        .start()
        .unwrap();
    input.push("word\n");
    query.await_termination().unwrap_err();
    let error = query.state().unwrap_err();
    assert!(
        error.to_string().contains("ended within an epoch"),
        "{error}"
    );
}

#[test]
fn the_state_is_served_as_lines_of_json() {
    let server = MetricsServer::bind("127.0.0.1:0").unwrap();
    assert!(get(&server, "/state").0.contains("503"));
    let (source, input) = MemoryStream::new();
    let stream = engine(1).stream(source).tokenize(whitespace());
    let query = stream
        .count_by_key()
        .update_state(sum())
        .sink(MemorySink::new());
    let query = query.start().unwrap();
    server.watch(&query);
    input.push("be be a%b\n");
    wait_for(&query, 1);
    let ok = "HTTP/1.1 200 OK".to_owned();
    let be = "{\"key\":\"be\",\"count\":2}\n".to_owned();
    assert_eq!(get(&server, "/state?key=be"), (ok.clone(), be));
    let percent = "{\"key\":\"a%b\",\"count\":1}\n".to_owned();
    assert_eq!(get(&server, "/state?key=a%25b"), (ok.clone(), percent));
    assert_eq!(get(&server, "/state?key=none"), (ok, String::new()));
    assert_eq!(get(&server, "/state").1.lines().count(), 2);
    assert_eq!(get(&server, "/state?limit=1").1.lines().count(), 1);
    for (path, says) in [
        (
            "/state?key=a&key=b",
            "the state has 1 key columns, and 2 keys are given",
        ),
        (
            "/state?limit=many",
            "`limit=many`: there are key=VALUE and limit=N",
        ),
    ] {
        let (status, body) = get(&server, path);
        assert_eq!(status, "HTTP/1.1 400 Bad Request");
        assert!(body.starts_with(says), "{body}");
    }
}
