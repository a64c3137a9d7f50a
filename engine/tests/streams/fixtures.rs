//! What the tests of streams share.

use std::collections::BTreeMap;

use keymill::KeyedStream;
use keymill::arrow::array::RecordBatch;
use keymill::arrow::array::cast::AsArray;
use keymill::arrow::array::types::UInt64Type;
use keymill::prelude::*;
use keymill::stream::{StreamSource, sum};

pub(crate) type Counts = BTreeMap<String, u64>;

/// An engine that is small and deterministic.
pub(crate) fn engine(threads: usize) -> Engine {
    let engine = Engine::builder().threads(threads).memory(64 << 20);
    let engine = engine.device(DeviceChoice::Cpu).build();
    engine.expect("an engine on the processor")
}

/// A running word count.
pub(crate) fn word_count(engine: &Engine, source: impl StreamSource + 'static) -> KeyedStream {
    let tokens = engine.stream(source).tokenize(whitespace());
    tokens.count_by_key().update_state(sum())
}

pub(crate) fn counts_of(batches: &[RecordBatch]) -> Counts {
    let mut counts = Counts::new();
    for batch in batches {
        let keys = batch.column(0).as_binary_view();
        let totals = batch.column(1).as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            let key = String::from_utf8(keys.value(row).to_vec()).expect("words");
            let before = counts.insert(key, totals.value(row));
            assert_eq!(before, None, "a key is there once");
        }
    }
    counts
}

/// The counts of a plain loop.
pub(crate) fn plain_counts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Counts {
    let mut counts = Counts::new();
    for word in texts.into_iter().flat_map(str::split_whitespace) {
        *counts.entry(word.to_owned()).or_insert(0) += 1;
    }
    counts
}
