//! A query that runs.

use std::collections::VecDeque;
use std::error::Error as _;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::committed_state::Readable;
use super::totals::Totals;
use super::{StreamProgress, prometheus};
use crate::stream::Wake;
use crate::{Cancel, Error, ErrorKind, Result};

/// Reports that are kept.
const REPORTS: usize = 100;

/// The pause before a full disk, or a system that does not answer, is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// What a query does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryStatus {
    /// In words: "waiting for data", "paused: …".
    pub message: String,
    /// Whether an epoch runs.
    pub is_trigger_active: bool,
}

impl QueryStatus {
    /// Whether the query waits until a disk or another system works again.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.message.starts_with("paused")
    }
}

/// How a query is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// After an epoch of what was received.
    Graceful,
    /// Without finishing the epoch that runs. A restart runs it again.
    Now,
}

/// What the handle and the query's thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) wake: Wake,
    pub(super) readable: Readable,
    pub(super) cancel: Cancel,
    /// Cancelled by any stop, also a graceful one.
    pub(super) stopping: Cancel,
}

#[derive(Debug, Default)]
struct State {
    stop: Option<Stop>,
    is_over: bool,
    error: Option<Error>,
    status: QueryStatus,
    reports: VecDeque<StreamProgress>,
    totals: Totals,
}

impl Shared {
    pub(super) fn new(readable: Readable) -> Self {
        Self {
            readable,
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) -> Option<Stop> {
        self.lock().stop
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    pub(super) fn set_status(&self, message: &str, is_trigger_active: bool) {
        let mut state = self.lock();
        if state.status.message != message {
            message.clone_into(&mut state.status.message);
        }
        state.status.is_trigger_active = is_trigger_active;
    }

    pub(super) fn report(&self, progress: StreamProgress) {
        let mut state = self.lock();
        state.totals.add(&progress, Instant::now());
        if state.reports.len() == REPORTS {
            state.reports.pop_front();
        }
        state.reports.push_back(progress);
    }

    pub(super) fn last_progress(&self) -> Option<StreamProgress> {
        self.lock().reports.back().cloned()
    }

    /// The metrics in Prometheus' text format.
    pub(super) fn metrics(&self) -> String {
        let state = self.lock();
        let last = state.reports.back();
        prometheus::metrics(&state.status, !state.is_over, &state.totals, last)
    }

    /// What the query does, or why it does nothing.
    pub(super) fn health(&self) -> std::result::Result<String, String> {
        let state = self.lock();
        let status = state.status.message.clone();
        match &state.error {
            Some(error) => Err(format!("failed: {error}")),
            None if state.is_over || state.status.is_paused() => Err(status),
            None => Ok(status),
        }
    }

    pub(super) fn end(&self, result: Result<()>) {
        let mut state = self.lock();
        state.is_over = true;
        state.error = result.err();
        state.status = QueryStatus {
            message: "ended".to_owned(),
            is_trigger_active: false,
        };
        drop(state);
        self.changed.notify_all();
    }

    /// Runs a step. While the disk is full or a system outside does not answer, it waits and tries
    /// again, unless the query is stopped.
    pub(super) fn while_unavailable<T>(&self, mut step: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            match step() {
                Err(error) if is_unavailable(&error) => {
                    let message = format!("paused, tries again: {error}");
                    self.set_status(&message, true);
                    if self.stop().is_some() || self.cancel.is_cancelled() {
                        return Err(error);
                    }
                    std::thread::sleep(PAUSE);
                }
                other => return other,
            }
        }
    }
}

/// A stream query that runs on a thread of its own. Dropping it stops the query at once.
#[derive(Debug)]
pub struct StreamQuery {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) id: String,
    pub(super) remarks: Vec<String>,
    pub(super) first_epoch: u64,
}

impl StreamQuery {
    /// The query's id, the same after restarts from a checkpoint.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first epoch that this run computes: 0 for a query that begins; with a checkpoint, the one after the last
    /// that was committed, or an earlier one if the state was damaged.
    #[must_use]
    pub fn first_epoch(&self) -> u64 {
        self.first_epoch
    }

    /// What the start has found out, for a log: damaged files, epochs that run again.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Ends the query. A graceful end finishes the epoch that runs and one more epoch of what was
    /// received. Otherwise the epoch that runs is given up; a restart from the checkpoint runs it again.
    pub fn stop(&self, graceful: bool) {
        let stop = if graceful { Stop::Graceful } else { Stop::Now };
        self.shared.lock().stop = Some(stop);
        self.shared.stopping.cancel();
        if stop == Stop::Now {
            self.shared.cancel.cancel();
        }
        self.shared.wake.wake();
    }

    /// Waits until the query has ended.
    ///
    /// # Errors
    ///
    /// The error that ended the query.
    pub fn await_termination(&mut self) -> Result<()> {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was turned into an error.
            let _ = thread.join();
        }
        self.exception().map_or(Ok(()), Err)
    }

    /// Waits until the query has ended, or for a time. Returns whether it has ended.
    ///
    /// # Errors
    ///
    /// The error that ended the query.
    pub fn await_termination_timeout(&self, time: Duration) -> Result<bool> {
        let end = Instant::now() + time;
        let mut state = self.shared.lock();
        while !state.is_over {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.error.clone().map_or(Ok(true), Err)
    }

    /// Whether the query runs.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.shared.lock().is_over
    }

    /// The error that ended the query.
    #[must_use]
    pub fn exception(&self) -> Option<Error> {
        self.shared.lock().error.clone()
    }

    /// What the query does now.
    #[must_use]
    pub fn status(&self) -> QueryStatus {
        self.shared.lock().status.clone()
    }

    /// The report of the last epoch.
    #[must_use]
    pub fn last_progress(&self) -> Option<StreamProgress> {
        self.shared.last_progress()
    }

    /// The metrics of this run in Prometheus' text format; see also
    /// [`MetricsServer`](crate::stream::MetricsServer).
    #[must_use]
    pub fn metrics(&self) -> String {
        self.shared.metrics()
    }

    /// The reports of the last 100 epochs, in order.
    #[must_use]
    pub fn recent_progress(&self) -> Vec<StreamProgress> {
        self.shared.lock().reports.iter().cloned().collect()
    }
}

impl Drop for StreamQuery {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop(false);
            let _ = thread.join();
        }
    }
}

/// Whether an error says that a disk is full, or that a system outside does not answer.
fn is_unavailable(error: &Error) -> bool {
    if error.kind() == ErrorKind::Unavailable {
        return true;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind::{QuotaExceeded, StorageFull};
            return matches!(error.kind(), StorageFull | QuotaExceeded);
        }
        cause = error.source();
    }
    false
}
