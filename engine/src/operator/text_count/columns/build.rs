//! Builds batches of groups.

use std::sync::Arc;

use arrow_array::{BinaryViewArray, RecordBatch, UInt64Array};
use arrow_buffer::{Buffer, ScalarBuffer};
use keymill_kernels::extend_hugely;

use crate::{Error, ErrorKind, Result};

/// The longest key that is stored in its view.
const INLINE: usize = 12;

/// Collects keys and counts for one batch.
#[derive(Debug, Default)]
pub(crate) struct ColumnBuilder {
    views: Vec<u128>,
    counts: Vec<u64>,
    data: Vec<u8>,
}

impl ColumnBuilder {
    /// Reserves memory for `rows` additional rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.views.reserve(rows);
        self.counts.reserve(rows);
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.views.len()
    }

    /// Returns the bytes of the columns.
    pub(crate) fn bytes(&self) -> usize {
        self.rows() * (size_of::<u128>() + size_of::<u64>()) + self.data.len()
    }

    /// Adds a key of at most 16 bytes without a NUL, the first byte highest.
    #[inline]
    pub(crate) fn push_inline(&mut self, key: u128, count: u64) {
        let length = 16 - key.trailing_zeros() as usize / 8;
        let bytes = key.swap_bytes();
        let view = if length <= INLINE {
            length as u128 | bytes << 32
        } else {
            let offset = self.data.len();
            self.data.extend_from_slice(&bytes.to_le_bytes()[..length]);
            outside_view(length, bytes as u32, offset)
        };
        self.views.push(view);
        self.counts.push(count);
    }

    /// Adds any key.
    pub(crate) fn push(&mut self, key: &[u8], count: u64) -> Result<()> {
        let view = if key.len() <= INLINE {
            let mut bytes = [0; 16];
            bytes[4..][..key.len()].copy_from_slice(key);
            u128::from_le_bytes(bytes) | key.len() as u128
        } else {
            let offset = self.data.len();
            check_length(key.len(), offset)?;
            extend_hugely(&mut self.data, key);
            let start = u32::from_le_bytes([key[0], key[1], key[2], key[3]]);
            outside_view(key.len(), start, offset)
        };
        self.views.push(view);
        self.counts.push(count);
        Ok(())
    }

    /// Returns a batch of the added rows, and starts a new one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when Arrow refuses the columns.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let views = std::mem::take(&mut self.views);
        let counts = std::mem::take(&mut self.counts);
        let data = std::mem::take(&mut self.data);
        let buffers: Vec<Buffer> = match data.is_empty() {
            true => Vec::new(),
            false => vec![Buffer::from_vec(data)],
        };
        let keys = BinaryViewArray::try_new(ScalarBuffer::from(views), buffers, None);
        let counts = UInt64Array::from(counts);
        keys.and_then(|keys| {
            RecordBatch::try_new(
                super::count_schema(),
                vec![Arc::new(keys), Arc::new(counts)],
            )
        })
        .map_err(|cause| Error::new(ErrorKind::Internal, "columns do not fit").with_source(cause))
    }
}

/// Returns the view of a key that is in the only data buffer.
#[inline]
fn outside_view(length: usize, start: u32, offset: usize) -> u128 {
    length as u128 | u128::from(start) << 32 | (offset as u128) << 96
}

/// Checks that a key fits: Arrow limits a value and a buffer to 31 bits.
fn check_length(length: usize, offset: usize) -> Result<()> {
    match i32::try_from(length + offset) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(
            ErrorKind::Capacity,
            format!("a key of {length} bytes does not fit in an Arrow column, the limit is 2 GiB"),
        )),
    }
}
