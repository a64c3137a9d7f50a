//! Counts in memory, ordered by key.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{BinaryViewArray, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema};

use super::ResultStream;
use crate::JobMetrics;
use crate::{Error, ErrorKind, Result};

/// How often each key was counted, ordered by key.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
///
/// let job = Engine::new()?.read_bytes("to be or not to be").tokenize(whitespace());
/// let counts = job.count_by_key().collect()?;
/// assert_eq!((counts.len(), counts.total()), (4, 6));
/// assert_eq!((counts.get("to"), counts.get("question")), (Some(2), None));
/// let top: Vec<String> = counts.top(3).map(|(word, n)| format!("{n} {word}")).collect();
/// assert_eq!(top, ["2 be", "2 to", "1 not"]);
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Counts {
    batches: Vec<RecordBatch>,
    parts: Vec<Part>,
    metrics: JobMetrics,
}

/// The columns of one batch.
#[derive(Clone, Debug)]
struct Part {
    keys: BinaryViewArray,
    counts: UInt64Array,
}

/// How to convert keys that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utf8 {
    /// They are an error.
    Strict,
    /// Invalid bytes are replaced by U+FFFD. Two keys may then look the same.
    Lossy,
}

impl Counts {
    pub(crate) fn collect(mut stream: ResultStream) -> Result<Self> {
        let batches = stream.by_ref().collect::<Result<Vec<_>>>()?;
        let parts = batches
            .iter()
            .map(|batch| Part {
                keys: batch.column(0).as_binary_view().clone(),
                counts: batch.column(1).as_primitive::<UInt64Type>().clone(),
            })
            .collect();
        Ok(Self {
            batches,
            parts,
            metrics: stream.metrics(),
        })
    }

    /// Returns the number of distinct keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.counts.values().len())
            .sum()
    }

    /// Returns whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of counted tokens.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// Returns the count of a key; `None` if it does not occur.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<u64> {
        let key = key.as_ref();
        let after = self.parts.partition_point(|part| {
            part.keys
                .iter()
                .next()
                .flatten()
                .is_some_and(|first| first <= key)
        });
        let part = self.parts.get(after.checked_sub(1)?)?;
        part.find(key).map(|row| part.counts.value(row))
    }

    /// Returns all keys and counts, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (Key<'_>, u64)> {
        self.parts.iter().flat_map(Part::iter)
    }

    /// Returns the largest `n` counts, ordered by count (largest first) and then by key.
    pub fn top(&self, n: usize) -> impl Iterator<Item = (Key<'_>, u64)> {
        let mut rows: Vec<_> = self.iter().collect();
        if n < rows.len() {
            rows.select_nth_unstable_by(n, largest_first);
            rows.truncate(n);
        }
        rows.sort_unstable_by(largest_first);
        rows.into_iter()
    }

    /// Returns the counts as record batches of `key` (binary view) and `count` (`u64`).
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Returns the counts as record batches with string keys.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] naming the first key that is not UTF-8, if `how` is strict.
    pub fn as_utf8(&self, how: Utf8) -> Result<Vec<RecordBatch>> {
        self.parts.iter().map(|part| part.as_utf8(how)).collect()
    }

    /// Returns the metrics of the job.
    #[must_use]
    pub fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }
}

impl<'a> IntoIterator for &'a Counts {
    type Item = (Key<'a>, u64);
    type IntoIter = Box<dyn Iterator<Item = (Key<'a>, u64)> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl IntoIterator for Counts {
    type Item = (Vec<u8>, u64);
    type IntoIter = std::vec::IntoIter<(Vec<u8>, u64)>;

    /// Returns all keys and counts, ordered by key.
    fn into_iter(self) -> Self::IntoIter {
        let rows = self.iter().map(|(key, count)| (key.to_vec(), count));
        rows.collect::<Vec<_>>().into_iter()
    }
}

/// Orders rows by count, largest first, then by key.
fn largest_first(a: &(Key<'_>, u64), b: &(Key<'_>, u64)) -> Ordering {
    b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0))
}

impl Part {
    fn iter(&self) -> impl Iterator<Item = (Key<'_>, u64)> {
        let keys = self.keys.iter().flatten().map(Key);
        keys.zip(self.counts.values().iter().copied())
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.counts.values().len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.keys.value(middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn as_utf8(&self, how: Utf8) -> Result<RecordBatch> {
        let mut keys = StringViewBuilder::with_capacity(self.counts.values().len());
        for (key, _) in self.iter() {
            match std::str::from_utf8(&key) {
                Ok(text) => keys.append_value(text),
                Err(_) if how == Utf8::Lossy => keys.append_value(String::from_utf8_lossy(&key)),
                Err(cause) => return Err(not_utf8(&key).with_source(cause)),
            }
        }
        let schema = Schema::new(vec![
            Field::new("key", DataType::Utf8View, false),
            Field::new("count", DataType::UInt64, false),
        ]);
        let columns: Vec<arrow_array::ArrayRef> =
            vec![Arc::new(keys.finish()), Arc::new(self.counts.clone())];
        RecordBatch::try_new(Arc::new(schema), columns).map_err(|cause| {
            Error::new(ErrorKind::Internal, "columns do not fit their schema").with_source(cause)
        })
    }
}

fn not_utf8(key: &[u8]) -> Error {
    Error::new(
        ErrorKind::Format,
        format!(
            "the key `{}` is not UTF-8; use `Utf8::Lossy` to convert it",
            key.escape_ascii()
        ),
    )
}

/// A key: bytes with a `Display` form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a>(&'a [u8]);

impl<'a> Key<'a> {
    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the text, if the bytes are UTF-8. Different keys have different texts.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// Returns the text with invalid bytes replaced by U+FFFD. Different keys may have the same text.
    #[must_use]
    pub fn to_string_lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }
}

impl Deref for Key<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl AsRef<[u8]> for Key<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl PartialEq<str> for Key<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Key<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.0))
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
