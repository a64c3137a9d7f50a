//! How far a job is.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a job is; clones show the same job, from any thread.
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
    /// One more than the total; 0 where it is not known.
    total: AtomicU64,
}

impl Progress {
    /// How many bytes of the input were read; of compressed files, the bytes in the file, and of
    /// columns, those of their values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many bytes there are to read, where that is known.
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
