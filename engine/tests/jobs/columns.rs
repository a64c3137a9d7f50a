//! Arrow columns: every row is a record, and its end ends a token.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, RecordBatch, StringArray, StringViewArray};
use keymill::Progress;
use keymill::prelude::*;
use keymill::read::RecordBatches;

use crate::{count, engine};

#[test]
fn rows_without_separators_never_merge() {
    let rows: Vec<String> = (0..100_000).map(|row| format!("w{}", row % 10)).collect();
    let arrays: [ArrayRef; 3] = [
        Arc::new(StringArray::from(rows.clone())),
        Arc::new(StringViewArray::from_iter_values(&rows)),
        Arc::new(BinaryArray::from_iter_values(&rows)),
    ];
    for array in arrays {
        for threads in [1, 2, 7] {
            let columns =
                RecordBatches::of_arrays("text", [Arc::clone(&array), Arc::clone(&array)]);
            let counts = count(
                engine(threads, 64)
                    .read_record_batches(columns)
                    .column("text"),
                whitespace(),
            );
            assert_eq!(counts.len(), 10);
            assert!(counts.values().all(|n| *n == 20_000));
        }
    }
}

#[test]
fn metrics_and_progress_count_the_bytes_of_columns() {
    let rows: Vec<String> = (0..10_000).map(|row| format!("W{row}")).collect();
    let bytes: u64 = rows.iter().map(|row| row.len() as u64).sum();
    let arrays: [ArrayRef; 2] = [
        Arc::new(StringArray::from(rows.clone())),
        Arc::new(StringViewArray::from_iter_values(&rows)),
    ];
    for array in arrays {
        for lowercase in [false, true] {
            let progress = Progress::default();
            let columns = RecordBatches::of_arrays("text", [Arc::clone(&array)]);
            let text = engine(2, 64)
                .read_record_batches(columns)
                .column("text")
                .progress(&progress);
            let tokens = text.tokenize(whitespace());
            let job = match lowercase {
                true => tokens.lowercase(),
                false => tokens,
            };
            let metrics = job.count_by_key().collect().unwrap().metrics().clone();
            for name in ["read", "count"] {
                let stage = metrics.stage(name).unwrap();
                assert_eq!((stage.bytes, stage.rows), (bytes, 10_000), "{name}");
            }
            assert_eq!(progress.bytes(), bytes);
            let why = metrics.decisions.concat();
            assert!(why.contains("the number of batches is unknown"), "{why}");
        }
    }
}

#[test]
fn nulls_have_no_tokens() {
    let array = StringArray::from(vec![Some("to be"), None, Some(""), Some("or"), Some("be")]);
    let batch = RecordBatch::try_from_iter([("text", Arc::new(array) as ArrayRef)]).unwrap();
    let counts = count(
        engine(2, 64).read_batches([batch]).column("text"),
        whitespace(),
    );
    let rows: Vec<_> = counts.iter().map(|(key, n)| (key.as_slice(), *n)).collect();
    assert_eq!(rows, [(&b"be"[..], 2), (b"or", 1), (b"to", 1)]);
}

#[test]
fn a_missing_column_and_one_without_text_are_named() {
    let array: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("n", array)]).unwrap();
    for (column, kind) in [("text", ErrorKind::Config), ("n", ErrorKind::Format)] {
        let job = engine(1, 64).read_batches([batch.clone()]).column(column);
        let error = job
            .tokenize(whitespace())
            .count_by_key()
            .collect()
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
