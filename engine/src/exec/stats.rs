//! Statistics of workers.
#![forbid(unsafe_code)]

use std::ops::AddAssign;
use std::time::Duration;

/// Sums of one worker or of all workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// Rows of the input that could not be read.
    pub(crate) rejected: u64,
    /// Texts and columns that were read.
    pub(crate) chunks: u64,
    /// Chunks that the processor counted, and those that a device counted.
    pub(crate) cpu_chunks: u64,
    pub(crate) gpu_chunks: u64,
    pub(crate) read_time: Duration,
    pub(crate) count_time: Duration,
    pub(crate) merge_time: Duration,
    /// Number of groups before the merge. A key in several operators counts several times.
    pub(crate) merged_groups: u64,
    /// Time to prepare the order.
    pub(crate) drain_time: Duration,
    /// The device that counted chunks.
    pub(crate) device: Option<String>,
    /// Where chunks were counted and why.
    pub(crate) decisions: Vec<String>,
    /// Remarks about the device, without repetitions.
    pub(crate) remarks: Vec<String>,
}

impl Stats {
    /// Records where chunks are counted and why.
    pub(crate) fn decide(&mut self, decision: String) {
        if !self.decisions.contains(&decision) {
            self.decisions.push(decision);
        }
    }

    /// Records a remark for the caller of the job.
    pub(crate) fn remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.rejected += other.rejected;
        self.chunks += other.chunks;
        self.cpu_chunks += other.cpu_chunks;
        self.gpu_chunks += other.gpu_chunks;
        self.read_time += other.read_time;
        self.count_time += other.count_time;
        self.merge_time += other.merge_time;
        self.merged_groups += other.merged_groups;
        self.drain_time += other.drain_time;
        self.device = self.device.take().or(other.device);
        other.decisions.into_iter().for_each(|it| self.decide(it));
        other.remarks.into_iter().for_each(|it| self.remark(it));
    }
}
