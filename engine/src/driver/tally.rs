//! What workers note of their work.
#![forbid(unsafe_code)]

use std::ops::AddAssign;
use std::time::Duration;

/// Sums of one worker, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) chunks: u64,
    pub(crate) read_time: Duration,
    pub(crate) count_time: Duration,
    pub(crate) merge_time: Duration,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.chunks += other.chunks;
        self.read_time += other.read_time;
        self.count_time += other.count_time;
        self.merge_time += other.merge_time;
    }
}
