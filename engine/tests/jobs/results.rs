//! Results: order, top, batches, text, metrics, progress, explanations.

use arrow_array::cast::AsArray;
use keymill::prelude::*;
use keymill::{Counts, Progress};

use crate::engine;

const TEXT: &str = "the quick brown fox jumps over the lazy dog and the fox";

fn counts(text: &'static str) -> Counts {
    let job = engine(2, 7).read_bytes(text).tokenize(whitespace());
    job.count_by_key().collect().unwrap()
}

#[test]
fn top_is_by_count_and_then_by_key() {
    let counts = counts(TEXT);
    let top: Vec<_> = counts.top(4).map(|(key, n)| (key.to_string(), n)).collect();
    let expected = [("the", 3), ("fox", 2), ("and", 1), ("brown", 1)];
    assert_eq!(top, expected.map(|(key, n)| (key.to_owned(), n)));
    assert_eq!(counts.top(100).count(), counts.len());
    assert_eq!(counts.top(0).count(), 0);
}

#[test]
fn get_finds_every_key_and_no_other() {
    let counts = counts(TEXT);
    for (key, n) in counts.iter() {
        assert_eq!(counts.get(key), Some(n));
    }
    for missing in ["", "a", "cat", "zebra"] {
        assert_eq!(counts.get(missing), None);
    }
    assert_eq!(counts.total(), 12);
}

#[test]
fn empty_input_has_an_empty_result() {
    let counts = counts(" ");
    assert!(counts.is_empty());
    assert_eq!(
        (counts.total(), counts.get("x"), counts.top(3).count()),
        (0, None, 0)
    );
}

#[test]
fn a_stream_respects_order_and_limits() {
    for (order, first) in [(Order::Key, "and"), (Order::Count, "the")] {
        for (top, rows) in [(None, 9), (Some(3), 3), (Some(0), 0), (Some(50), 9)] {
            let job = engine(2, 7)
                .read_bytes(TEXT)
                .tokenize(whitespace())
                .count_by_key();
            let mut limits = BatchLimits::default();
            (limits.rows, limits.top) = (2, top);
            let stream = job.stream(order.clone(), limits).unwrap();
            let batches: Vec<_> = stream.map(|batch| batch.unwrap()).collect();
            assert!(
                batches
                    .iter()
                    .all(|batch| (1..=2).contains(&batch.num_rows()))
            );
            assert_eq!(
                batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
                rows
            );
            if let Some(batch) = batches.first() {
                assert_eq!(batch.column(0).as_binary_view().value(0), first.as_bytes());
            }
        }
    }
}

#[test]
fn keys_are_converted_to_text_strictly_or_lossily() {
    let job = engine(1, 64)
        .read_bytes(&b"good b\xffd"[..])
        .tokenize(whitespace());
    let counts = job.count_by_key().collect().unwrap();
    let error = counts.as_utf8(Utf8::Strict).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains(r"b\xffd"), "{error}");
    let batches = counts.as_utf8(Utf8::Lossy).unwrap();
    let keys: Vec<_> = batches[0]
        .column(0)
        .as_string_view()
        .iter()
        .flatten()
        .collect();
    assert_eq!(keys, ["b\u{fffd}d", "good"]);
}

#[test]
fn metrics_add_up() {
    let counts = counts(TEXT);
    let metrics = counts.metrics();
    assert_eq!(
        (metrics.tokens, metrics.groups, metrics.gpu_chunks),
        (12, 9, 0)
    );
    let stage = metrics.stage("count").unwrap();
    assert_eq!((stage.bytes, stage.rows), (TEXT.len() as u64, 12));
    let (merge, drain) = (
        metrics.stage("merge").unwrap(),
        metrics.stage("drain").unwrap(),
    );
    assert!((merge.bytes, drain.bytes) == (0, 0) && merge.rows >= 9 && drain.rows == 9);
    assert!(metrics.cpu_chunks > 1);
    let last = format!("chunks: cpu {}, gpu 0", metrics.cpu_chunks);
    assert_eq!(metrics.to_string().lines().last(), Some(last.as_str()));
}

#[test]
fn progress_ends_at_the_total() {
    let progress = Progress::default();
    let job = engine(2, 7)
        .read_bytes(TEXT)
        .progress(&progress)
        .tokenize(whitespace());
    assert_eq!((progress.bytes(), progress.total()), (0, None));
    job.count_by_key().collect().unwrap();
    assert_eq!(
        (progress.bytes(), progress.total()),
        (TEXT.len() as u64, Some(TEXT.len() as u64))
    );
}

#[test]
fn explain_describes_the_job() {
    let engine = Engine::builder()
        .threads(2)
        .level(Level::Scalar)
        .memory(64 << 20)
        .build()
        .unwrap();
    let plan = engine
        .read_bytes(TEXT)
        .tokenize(split(b";"))
        .lowercase()
        .count_by_key()
        .explain();
    for part in [
        "memory",
        "tokenize    split:; (",
        "lowercase",
        "scalar",
        "64 MiB",
        "cpu",
        "threads     2",
    ] {
        assert!(plan.contains(part), "{part} in {plan}");
    }
}

#[cfg(feature = "gpu")]
#[test]
fn explain_says_why_devices_refuse_a_rule() {
    for (choice, begins) in [
        (DeviceChoice::Auto, "auto: cpu; "),
        (DeviceChoice::Gpu, "cpu, not gpu: "),
        (DeviceChoice::Hybrid, "cpu, not hybrid: "),
    ] {
        let engine = Engine::builder().device(choice).build().unwrap();
        let job = engine.read_bytes(TEXT).tokenize(split(b"aa"));
        let plan = job.count_by_key().explain();
        let device = plan.lines().find_map(|line| line.strip_prefix("device"));
        let device = device.unwrap().trim_start();
        assert!(
            device.starts_with(begins) && device.contains("overlap"),
            "{device}"
        );
    }
}
