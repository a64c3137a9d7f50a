//! The progress of a job.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of a job. Clones show the same job and can be read from any thread.
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
/// use keymill::Progress;
///
/// let progress = Progress::default();
/// let job = Engine::new()?.read_bytes("to be").tokenize(whitespace()).count_by_key();
/// job.progress(&progress).collect()?;
/// assert_eq!((progress.bytes(), progress.total()), (5, Some(5)));
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<State>);

#[derive(Debug, Default)]
struct State {
    bytes: AtomicU64,
    /// The total plus 1; 0 if it is unknown.
    total: AtomicU64,
}

impl Progress {
    /// Returns the bytes of input that were read: the compressed bytes of compressed files, and the
    /// bytes of the values of columns.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes to read, if it is known.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.0.total.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn expect(&self, total: Option<u64>) {
        let total = total.map_or(0, |total| total.saturating_add(1));
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
