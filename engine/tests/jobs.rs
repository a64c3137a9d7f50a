//! Whole jobs: every source, number of threads and chunk size gives the oracle's answer.
#![forbid(unsafe_code)]

#[path = "jobs/columns.rs"]
mod columns;
#[path = "jobs/compressed.rs"]
mod compressed;
#[path = "jobs/failures.rs"]
mod failures;
#[path = "jobs/files.rs"]
mod files;
#[path = "jobs/group_by.rs"]
mod group_by;
#[path = "jobs/group_plans.rs"]
mod group_plans;
#[cfg(feature = "csv")]
#[path = "jobs/keyed_csv.rs"]
mod keyed_csv;
#[path = "jobs/results.rs"]
mod results;
#[path = "jobs/same_everywhere.rs"]
mod same_everywhere;
#[cfg(all(feature = "csv", feature = "sql"))]
#[path = "jobs/shapes.rs"]
mod shapes;
#[path = "jobs/texts.rs"]
mod texts;
#[path = "jobs/two_jobs.rs"]
mod two_jobs;

use std::collections::BTreeMap;

use keymill::prelude::*;
use keymill::{TextJob, Tuning};

/// Chunk sizes that cause edge cases.
const CHUNKS: [usize; 8] = [1, 2, 7, 63, 64, 65, 4096, 256 << 10];

/// Returns an engine with small chunks. Below 4 KiB the other limits are tiny as well, and all keys
/// collide.
fn engine(threads: usize, chunk_bytes: usize) -> Engine {
    let limits = match chunk_bytes {
        0..4096 => Tuning::TINY.all_colliding(),
        _ => Tuning::DEFAULT,
    };
    let limits = Tuning {
        chunk_bytes,
        ..limits
    };
    Engine::builder()
        .threads(threads)
        .tuning(limits)
        .build()
        .expect("the options are good")
}

fn count(text: TextJob, rule: TokenRule) -> BTreeMap<Vec<u8>, u64> {
    let counts = text
        .tokenize(rule)
        .count_by_key()
        .collect()
        .expect("the job succeeds");
    let rows: Vec<(Vec<u8>, u64)> = counts.iter().map(|(key, n)| (key.to_vec(), n)).collect();
    assert!(
        rows.is_sorted_by(|a, b| a.0 < b.0),
        "ordered by key, each once"
    );
    rows.into_iter().collect()
}

/// Returns the oracle's answer for texts. The end of each text ends a token.
fn oracle(texts: &[&[u8]], rule: &TokenRule) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    for text in texts {
        for (key, n) in keymill_kernels::oracle::count(rule, text) {
            *counts.entry(key).or_default() += n;
        }
    }
    counts
}

/// Compares counts and shows only the first difference.
fn assert_same(
    actual: &BTreeMap<Vec<u8>, u64>,
    expected: &BTreeMap<Vec<u8>, u64>,
    context: std::fmt::Arguments<'_>,
) {
    let differs = |key: &&Vec<u8>| actual.get(*key) != expected.get(*key);
    if let Some(key) = actual.keys().chain(expected.keys()).find(differs) {
        panic!(
            "`{}` was counted {:?} times instead of {:?}: {context}",
            key.escape_ascii(),
            actual.get(key),
            expected.get(key)
        );
    }
}
