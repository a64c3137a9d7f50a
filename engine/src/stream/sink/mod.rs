//! Sinks of a stream: one file each.
//!
//! ```text
//! start ─▶ last_epoch() ─▶ prepare(N, output) ─▶ commit(N)
//! ```

mod callback;
mod console;
mod files;
mod memory;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::OutputMode;
use crate::{Cancel, Result};

pub use callback::CallbackSink;
pub use console::ConsoleSink;
pub use files::{FilesSink, parts};
pub use memory::MemorySink;

/// How often the results of an epoch reach a sink when the query is killed and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Delivery {
    /// Once or several times.
    AtLeastOnce,
    /// Several times with the same effect as once.
    Idempotent,
    /// Once.
    ExactlyOnce,
}

impl Delivery {
    /// The name, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at least once",
            Self::Idempotent => "idempotent",
            Self::ExactlyOnce => "exactly once",
        }
    }
}

/// What a sink needs to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SinkContext {
    /// The query's id, the same after restarts.
    pub query: String,
    /// The columns of the results.
    pub schema: SchemaRef,
    /// How many of the first columns are the key.
    pub key_columns: usize,
    /// Which groups an epoch writes.
    pub mode: OutputMode,
    /// Cancelled when the query is asked to end. A sink that waits for another system then waits for some
    /// seconds more at most.
    pub stopping: Cancel,
}

/// The results of one epoch.
pub struct EpochOutput<'a> {
    /// The number of the epoch; the first one is 0.
    pub epoch: u64,
    /// The batches, in the query's order.
    pub batches: &'a mut dyn Iterator<Item = Result<RecordBatch>>,
}

/// Where the results of a stream go.
///
/// The query calls `prepare` and then `commit` for every epoch, in order. After a restart it asks
/// `last_epoch`, and does not write the epochs again that the sink has.
pub trait Sink: Send {
    /// The name, for people and reports: `files:results`.
    fn describe(&self) -> String;

    /// How often results arrive when the query is killed and started again.
    fn delivery(&self) -> Delivery;

    /// Gets ready for a query.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] if nothing can be written, or if the place holds results of another
    /// query.
    fn start(&mut self, context: &SinkContext) -> Result<()>;

    /// Whether the query may start while `start` and `last_epoch` fail with
    /// [`crate::ErrorKind::Unavailable`]. They are called again before the first epoch, which waits.
    fn may_start_later(&self) -> bool {
        false
    }

    /// How many of the first rows of an epoch the sink uses, if not all.
    fn most_rows(&self) -> Option<usize> {
        None
    }

    /// The last epoch that is committed here, if the sink knows.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] if it cannot be found out.
    fn last_epoch(&mut self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Stages the results of an epoch, so that `commit` can hardly fail. It may be called again for the
    /// same epoch, and replaces what was staged then.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] if they cannot be written, and those of the batches.
    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()>;

    /// Makes the results of the prepared epoch visible.
    ///
    /// After [`crate::ErrorKind::Unavailable`], here or in `prepare`, the query pauses and calls both for
    /// the same epoch again, although it may be here already.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Sink`] if that fails.
    fn commit(&mut self, epoch: u64) -> Result<()>;

    /// Whether the results of an epoch and the offsets of the query's shared source are committed in one
    /// transaction. See [`StreamSource::is_shared`](super::StreamSource::is_shared).
    fn commits_offsets(&self) -> bool {
        false
    }
}

impl<S: Sink + 'static> From<S> for Box<dyn Sink> {
    fn from(sink: S) -> Self {
        Box::new(sink)
    }
}
