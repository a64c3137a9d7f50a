//! Cuts a stream of groups into batches.

use arrow_array::RecordBatch;
use keymill_kernels::KeyCounts;

use super::{ColumnBuilder, sortable_mid, sortable_short};
use crate::Result;

/// Maximum bytes of an inline group in the columns: view, count, and data.
const INLINE_GROUP: usize = 40;

/// Receives full batches.
pub(crate) trait BatchTarget {
    /// Receives a batch.
    ///
    /// # Errors
    ///
    /// Those of the target.
    fn take(&mut self, batch: RecordBatch) -> Result<()>;
}

impl BatchTarget for Vec<RecordBatch> {
    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        self.push(batch);
        Ok(())
    }
}

/// Collects groups, and passes a batch to the target when it has enough rows or bytes.
pub(crate) struct Batcher<T> {
    columns: ColumnBuilder,
    rows: usize,
    bytes: usize,
    target: T,
}

impl<T: BatchTarget> Batcher<T> {
    /// Makes a batcher whose batches have at most `rows` rows, and at most `bytes` bytes without
    /// the last row.
    pub(crate) fn new(rows: usize, bytes: usize, target: T) -> Self {
        Self {
            columns: ColumnBuilder::default(),
            rows: rows.max(1),
            bytes: bytes.max(1),
            target,
        }
    }

    /// Adds keys of at most 16 bytes without a NUL, the first byte highest, and their counts.
    #[inline]
    pub(crate) fn push_inline(
        &mut self,
        mut groups: impl ExactSizeIterator<Item = (u128, u64)>,
    ) -> Result<()> {
        while groups.len() > 0 {
            // This number of groups fits with any lengths, so the loop needs no checks.
            let bytes = self.bytes - self.columns.bytes();
            let room = bytes
                .div_ceil(INLINE_GROUP)
                .min(self.rows - self.columns.rows());
            self.columns.reserve(room.min(groups.len()));
            for (key, count) in groups.by_ref().take(room) {
                self.columns.push_inline(key, count);
            }
            self.emit_when_full()?;
        }
        Ok(())
    }

    /// Adds any key.
    pub(crate) fn push(&mut self, key: &[u8], count: u64) -> Result<()> {
        self.columns.push(key, count)?;
        self.emit_when_full()
    }

    /// Adds all groups.
    pub(crate) fn push_groups(&mut self, groups: &KeyCounts) -> Result<()> {
        let short = groups.short.iter();
        self.push_inline(short.map(|group| (sortable_short(group.key), group.count)))?;
        let mid = groups.mid.iter();
        self.push_inline(mid.map(|group| (sortable_mid(group.key), group.count)))?;
        for group in &groups.long {
            self.push(groups.long_key(group), group.count)?;
        }
        if groups.empty > 0 {
            self.push(b"", groups.empty)?;
        }
        groups.packed_short.try_for_each_run(|keys| {
            self.push_inline(keys.iter().map(|&key| (sortable_mid(key), 1)))
        })?;
        groups
            .packed_long
            .iter()
            .try_for_each(|key| self.push(key, 1))
    }

    fn emit_when_full(&mut self) -> Result<()> {
        if self.columns.rows() >= self.rows || self.columns.bytes() >= self.bytes {
            return self.target.take(self.columns.finish()?);
        }
        Ok(())
    }

    /// Passes the last batch to the target, and returns the target.
    pub(crate) fn finish(mut self) -> Result<T> {
        if self.columns.rows() > 0 {
            self.target.take(self.columns.finish()?)?;
        }
        Ok(self.target)
    }
}
