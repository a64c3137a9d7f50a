//! A batch whose rows can be compared.

use arrow_array::RecordBatch;
use arrow_row::Rows;

use super::context::SortContext;
use super::held_bytes::held_bytes;
use super::row_sizes::RowSizes;
use crate::Result;

/// A batch, the bytes that its rows are compared by, and the sizes of its rows.
pub(super) struct Block {
    pub(super) batch: RecordBatch,
    /// `None` if the rows are not compared.
    rows: Option<Rows>,
    sizes: RowSizes,
}

impl Block {
    pub(super) fn new(context: &SortContext, batch: RecordBatch) -> Result<Self> {
        let rows = Some(context.encode(&batch)?);
        Ok(Self {
            rows,
            ..Self::without_rows(batch)
        })
    }

    /// Creates a block of a run that is not merged with another run.
    pub(super) fn without_rows(batch: RecordBatch) -> Self {
        Self {
            sizes: RowSizes::of(&batch),
            rows: None,
            batch,
        }
    }

    pub(super) fn drop_rows(&mut self) {
        self.rows = None;
    }

    /// Returns the bytes that a row is compared by; empty if the rows are not compared.
    #[inline]
    pub(super) fn key(&self, row: usize) -> &[u8] {
        match &self.rows {
            Some(rows) => rows.row(row).data(),
            None => &[],
        }
    }

    /// Returns how many bytes a row takes in a batch.
    #[inline]
    pub(super) fn row_size(&self, row: usize) -> usize {
        self.sizes.row(row)
    }

    /// Returns the bytes of memory of the block.
    pub(super) fn memory(&self) -> usize {
        held_bytes(&self.batch) + self.rows.as_ref().map_or(0, Rows::size)
    }
}
