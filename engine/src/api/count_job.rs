//! Counts that are to be made.
#![forbid(unsafe_code)]

use super::explain::Plan;
use super::{CountStream, Counts, Input, Options};
use crate::Progress;
use crate::api::Engine;
use crate::exec;
use crate::operator::{BatchLimits, Order};
use crate::{Cancel, Result, TokenRule};

/// A job that counts tokens by key.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
///
/// let job = Engine::new()?.read_bytes("to be or not to be").tokenize(whitespace()).count_by_key();
/// assert!(job.explain().contains("tokenize"));
/// assert_eq!(job.collect()?.get("be"), Some(2));
/// # Ok::<(), keymill::Error>(())
/// ```
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct CountJob {
    pub(crate) engine: Engine,
    pub(crate) input: Result<Input>,
    pub(crate) options: Options,
    pub(crate) rule: TokenRule,
    pub(crate) lowercase: bool,
}

impl CountJob {
    /// Lets a flag stop the job, within a tenth of a second.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel = cancel.clone();
        self
    }

    /// Shows how far the job is, to whoever holds a clone of `progress`.
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.options.progress = progress.clone();
        self
    }

    /// Runs the job and keeps all counts in memory, ordered by key.
    ///
    /// # Errors
    ///
    /// What [`CountJob::stream`] says.
    pub fn collect(self) -> Result<Counts> {
        Counts::collect(self.stream(Order::Key, BatchLimits::default())?)
    }

    /// Runs the job and gives the counts batch by batch, in bounded memory.
    ///
    /// The columns are `key` (binary view) and `count` (`u64`).
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] for input that cannot be read, [`crate::ErrorKind::Format`] for
    /// broken compression, [`crate::ErrorKind::Config`] for a rule with an empty separator,
    /// [`crate::ErrorKind::Capacity`] for a spill disk that is full,
    /// [`crate::ErrorKind::Device`] where a GPU was asked for and none can be used,
    /// [`crate::ErrorKind::Cancelled`] once cancelled.
    pub fn stream(self, order: Order, limits: BatchLimits) -> Result<CountStream> {
        exec::run(self, order, limits)
    }

    /// Says what the job will do, where, and why; runs nothing.
    #[must_use]
    pub fn explain(&self) -> String {
        Plan::of(self).to_string()
    }
}
