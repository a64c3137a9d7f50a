//! Collects rows of several batches into one.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType};
use arrow_select::interleave::interleave_record_batch;

use super::context::not_sorted;
use crate::{Error, ErrorKind, Result};

/// Maximum bytes of a batch: the 32-bit offsets of a column end at 2 GiB.
const LARGEST: usize = 1 << 30;

/// The rows of the next batch.
pub(super) struct Gather {
    batches: Vec<RecordBatch>,
    /// A batch and a row of it.
    rows: Vec<(usize, usize)>,
    bytes: usize,
    most_rows: usize,
    most_bytes: usize,
    /// The number of the next batch, counted from 1.
    number: u64,
}

/// The index of an input batch in a [`Gather`]. It is valid only for one output batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    number: u64,
    batch: usize,
}

impl Gather {
    pub(super) fn new(rows: usize, bytes: usize) -> Self {
        Self {
            batches: Vec::new(),
            rows: Vec::new(),
            bytes: 0,
            most_rows: rows.max(1),
            most_bytes: bytes.min(LARGEST),
            number: 1,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns whether a row of this size still fits. The first row always fits.
    #[inline]
    pub(super) fn has_room(&self, size: usize) -> bool {
        let fits = self.rows.len() < self.most_rows && self.bytes + size <= self.most_bytes;
        fits || self.rows.is_empty()
    }

    /// Adds a row.
    #[inline]
    pub(super) fn add(&mut self, batch: &RecordBatch, slot: &mut Slot, row: usize, size: usize) {
        if slot.number != self.number {
            *slot = Slot {
                number: self.number,
                batch: self.batches.len(),
            };
            self.batches.push(batch.clone());
        }
        self.rows.push((slot.batch, row));
        self.bytes += size;
    }

    /// Appends the rows as one batch to `ready` and begins the next batch. If a dictionary would have
    /// more values than its key type can count, the rows become several batches.
    pub(super) fn finish(&mut self, ready: &mut VecDeque<RecordBatch>) -> Result<()> {
        let batches = std::mem::take(&mut self.batches);
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let result = interleave(&batches, &self.rows, ready);
        self.rows.clear();
        self.bytes = 0;
        self.number += 1;
        result
    }
}

/// Copies some rows of a batch.
pub(super) fn copy_rows(
    batch: &RecordBatch,
    rows: impl Iterator<Item = usize>,
) -> Result<RecordBatch> {
    let rows: Vec<(usize, usize)> = rows.map(|row| (0, row)).collect();
    let copy = interleave_record_batch(&[batch], &rows).map_err(not_sorted)?;
    without_unused_bytes(copy)
}

fn interleave(
    batches: &[&RecordBatch],
    rows: &[(usize, usize)],
    ready: &mut VecDeque<RecordBatch>,
) -> Result<()> {
    match interleave_record_batch(batches, rows) {
        Ok(batch) => {
            ready.push_back(without_unused_bytes(batch)?);
            Ok(())
        }
        Err(ArrowError::DictionaryKeyOverflowError) if rows.len() > 1 => {
            let (first, second) = rows.split_at(rows.len() / 2);
            interleave(batches, first, ready)?;
            interleave(batches, second, ready)
        }
        Err(cause) => {
            let message = "cannot combine rows in one batch";
            Err(Error::new(ErrorKind::Internal, message).with_source(cause))
        }
    }
}

/// Copies the bytes of views, which would otherwise keep the buffers of all input batches in memory.
/// Views inside lists and structs are not copied.
fn without_unused_bytes(batch: RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let columns = batch.columns().iter().map(|column| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => column.clone(),
        }
    });
    RecordBatch::try_new(schema, columns.collect()).map_err(not_sorted)
}
