//! Joins small batches to larger ones.
//!
//! An output batch has rows of all batches. With thousands of them, it takes longer to find out where
//! the rows are than to copy them.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;

use super::row_sizes::RowSizes;

/// Batches have about this number of rows.
const ROWS: usize = 128 << 10;
/// And at most about this number of bytes.
const BYTES: usize = 16 << 20;

/// Small batches that are not joined yet.
pub(super) struct SmallBatches {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    most_bytes: usize,
}

impl SmallBatches {
    pub(super) fn new(memory: usize) -> Self {
        Self {
            batches: Vec::new(),
            rows: 0,
            bytes: 0,
            most_bytes: BYTES.min(memory / 64),
        }
    }

    /// Adds a batch. Returns whether the batches are large enough to be joined.
    pub(super) fn add(&mut self, batch: RecordBatch) -> bool {
        self.rows += batch.num_rows();
        self.bytes += RowSizes::of(&batch).total();
        self.batches.push(batch);
        self.rows >= ROWS || self.bytes >= self.most_bytes
    }

    /// Returns all batches as one, or as they are if one dictionary had more values than its key type can
    /// count.
    pub(super) fn join(&mut self) -> Vec<RecordBatch> {
        (self.rows, self.bytes) = (0, 0);
        let batches = std::mem::take(&mut self.batches);
        match &batches[..] {
            [] | [_] => batches,
            [first, ..] => match concat_batches(&first.schema(), &batches) {
                Ok(joined) => vec![joined],
                Err(_) => batches,
            },
        }
    }
}
