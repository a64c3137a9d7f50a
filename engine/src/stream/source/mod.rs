//! Sources of a stream: one file each.
//!
//! ```text
//! start(history) ─▶ next_range() ─▶ read(range) ─▶ input of an epoch ─▶ commit(range)
//! ```

mod folder;
mod inbox;
mod memory;
mod rate;
mod reader;
#[cfg(any(feature = "csv", feature = "json"))]
mod rows;
mod tail;
mod tcp;
mod write_ahead_log;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::read::{RecordBatches, Source};

pub use folder::FolderSource;
pub use memory::{MemoryStream, MemoryStreamInput};
pub use rate::RateSource;
pub use reader::ReaderStream;
#[cfg(any(feature = "csv", feature = "json"))]
pub use rows::RowSource;
pub use tail::TailSource;
pub use tcp::TcpSource;

/// What an epoch reads from one source. Only the source interprets the offsets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// After what was read before.
    pub start: Value,
    /// After the last thing that this epoch reads.
    pub end: Value,
}

impl OffsetRange {
    /// The range between two numbers: of bytes, rows or records.
    #[must_use]
    pub fn numbers(start: u64, end: u64) -> Self {
        Self {
            start: start.into(),
            end: end.into(),
        }
    }

    /// The two numbers, if it is a range of numbers.
    #[must_use]
    pub fn as_numbers(&self) -> Option<(u64, u64)> {
        self.start.as_u64().zip(self.end.as_u64())
    }
}

/// What a source gives after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Replay {
    /// Nothing: what was received and not committed is lost.
    Nothing,
    /// The same bytes for the same range, at any time.
    SameBytes,
}

/// The most that one epoch reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochLimits {
    /// Bytes, rounded up to whole records or pieces.
    pub bytes: Option<u64>,
    /// Files of a folder.
    pub files: Option<usize>,
    /// Rows of sources that make rows.
    pub rows: Option<u64>,
    /// Bytes that the query computes in an interval, as measured: for sources whose data waits in memory.
    pub pace: Option<u64>,
}

/// What a source has read until the last committed epoch.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct History {
    /// What [`StreamSource::position`] gave at the last snapshot.
    pub position: Option<Value>,
    /// The ranges that were committed after it.
    pub ranges: Vec<OffsetRange>,
}

impl History {
    /// The end of the last range, for sources whose offsets are numbers.
    #[must_use]
    pub fn number(&self) -> u64 {
        let last = self.ranges.last().and_then(|range| range.end.as_u64());
        last.or_else(|| self.position.as_ref().and_then(Value::as_u64))
            .unwrap_or(0)
    }
}

/// What a source needs to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceContext {
    /// What was read before.
    pub history: History,
    /// Tells the query that there is something to read.
    pub wake: Wake,
    /// The most bytes that the source may keep in memory.
    pub memory: usize,
}

/// The input of an epoch from one source.
#[non_exhaustive]
pub enum EpochInput {
    /// Texts.
    Text(Arc<dyn Source>),
    /// Rows.
    Batches(RecordBatches),
}

/// A source of a stream.
///
/// The query calls `next_range` at the start of an epoch, writes the range to the checkpoint, and then
/// calls `read`. After a restart it calls `read` with the ranges that were not committed.
///
/// While an epoch is written, the next one is chosen and read: `commit` is called for every epoch, in order, but
/// for one epoch it may come after `next_range` and `read` of the next one.
pub trait StreamSource: Send {
    /// The name, for people and reports: `tcp://127.0.0.1:9999`.
    fn describe(&self) -> String;

    /// The kind of source, which must not change between restarts: `tcp`.
    fn kind(&self) -> &'static str;

    /// What it gives after a crash.
    fn replay(&self) -> Replay;

    /// The columns of its rows; `None` if it gives text.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if they cannot be found out.
    fn schema(&self) -> Result<Option<crate::arrow::schema::SchemaRef>> {
        Ok(None)
    }

    /// Starts to receive.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if the system on the other side does not answer.
    fn start(&mut self, context: SourceContext) -> Result<()>;

    /// Chooses what the next epoch reads: all that there is, up to the limits. `None` if there is
    /// nothing new.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if the source has failed.
    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>>;

    /// The input of a range.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if it is not there any more.
    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput>;

    /// Frees what is only needed to read the range again.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] if that fails.
    fn commit(&mut self, _range: &OffsetRange) -> Result<()> {
        Ok(())
    }

    /// All that was read in committed epochs, for a snapshot of the checkpoint.
    fn position(&self) -> Value;

    /// Whether nothing will come any more, after what `next_range` has chosen.
    fn is_finished(&self) -> bool {
        false
    }

    /// How many bytes wait to be read, if that is known.
    fn waiting_bytes(&self) -> Option<u64> {
        None
    }

    /// How many lines were not valid rows since the start.
    fn rejected_rows(&self) -> u64 {
        0
    }

    /// Whether other processes share its splits, and may take over some at any time. Its offsets are then
    /// not in a checkpoint but where all processes see them, and its query has no state.
    fn is_shared(&self) -> bool {
        false
    }
}

impl<S: StreamSource + 'static> From<S> for Box<dyn StreamSource> {
    fn from(source: S) -> Self {
        Box::new(source)
    }
}

/// Wakes a query that waits for input. Clones wake the same query.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<(Mutex<bool>, Condvar)>);

impl Wake {
    /// Wakes the query, now or when it next waits.
    pub fn wake(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until somebody calls [`Wake::wake`], and at most until a time.
    pub(super) fn wait_until(&self, end: Instant) {
        let mut awake = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*awake {
            let left = end.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            let waited = self.0.1.wait_timeout(awake, left);
            awake = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *awake = false;
    }
}
