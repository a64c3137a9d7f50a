//! What was read of an input, and what was left out.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Parts of Parquet files that were not read, because statistics show that they have no row of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LeftOut {
    /// Row groups that were left out.
    pub row_groups: u64,
    /// Row groups of the files.
    pub of_row_groups: u64,
    /// Pages that were left out of the row groups of which only some rows were read.
    pub pages: u64,
    /// Pages of the columns that were read in these row groups.
    pub of_pages: u64,
}

/// Counts what is read, while it is read.
#[derive(Debug, Default)]
pub(crate) struct ReadCounts {
    /// Rows that were decoded, before any step.
    rows: AtomicU64,
    left_out: Mutex<LeftOut>,
}

impl ReadCounts {
    pub(super) fn add_rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Relaxed);
    }

    pub(super) fn leave_out(&self, until_now: LeftOut) {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = until_now;
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    pub(crate) fn left_out(&self) -> LeftOut {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
