//! The job that counts tokens.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::explain::Plan;
use super::{Counts, Engine, ResultStream};
use crate::exec::{self, JobInput, JobOptions, TextCountJob};
use crate::operator::{Drain, Order};
use crate::{BatchLimits, Cancel, Progress, Result};

/// A job that counts equal tokens.
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
    pub(super) engine: Engine,
    pub(super) input: Result<JobInput>,
    pub(super) options: JobOptions,
    pub(super) job: TextCountJob,
}

impl CountJob {
    /// Sets a flag that stops the job within a tenth of a second.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel = cancel.clone();
        self
    }

    /// Sets the progress object that the job updates. Keep a clone to read it.
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.options.progress = progress.clone();
        self
    }

    /// Runs the job and returns all counts in memory, ordered by key.
    ///
    /// # Errors
    ///
    /// Those of [`CountJob::stream`].
    pub fn collect(self) -> Result<Counts> {
        Counts::collect(self.stream(Order::Key, BatchLimits::default())?)
    }

    /// Runs the job and returns a stream of count batches, in bounded memory.
    ///
    /// The columns are `key` (binary view) and `count` (`u64`).
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Source`] for input that cannot be read, [`crate::ErrorKind::Format`] for
    /// corrupt compressed data, [`crate::ErrorKind::Config`] for an invalid token rule,
    /// [`crate::ErrorKind::Capacity`] for a full spill disk, [`crate::ErrorKind::Device`] if a GPU was
    /// requested and none can be used, and [`crate::ErrorKind::Cancelled`].
    pub fn stream(self, order: Order, limits: BatchLimits) -> Result<ResultStream> {
        let input = self.input?;
        self.job.rule.check()?;
        let output = exec::run(
            self.engine.env(),
            &self.job,
            input,
            &self.options,
            Drain::Values,
            &order,
            limits,
        )?;
        Ok(ResultStream::new(self.engine, output, Arc::default()))
    }

    /// Describes what the job will do, where and why, without running it.
    #[must_use]
    pub fn explain(&self) -> String {
        Plan::of(self).to_string()
    }
}
