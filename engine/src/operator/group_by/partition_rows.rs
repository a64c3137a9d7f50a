//! Partitions the rows of columns by the stable hash of their keys.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use arrow_select::take::take;
use keymill_kernels::HashSeed;
use keymill_kernels::stable_hash::split_again;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};

use super::Context;
use crate::keys::hash_keys;
use crate::{Error, ErrorKind, Result};

/// Columns whose rows are ordered by partition.
pub(super) struct PartitionedRows {
    columns: Vec<ArrayRef>,
    starts: Vec<usize>,
}

impl PartitionedRows {
    /// Returns the partitions that have rows, and their rows.
    pub(super) fn partitions(&self) -> impl Iterator<Item = (usize, Vec<ArrayRef>)> {
        let all = 0..self.starts.len() - 1;
        all.filter_map(|partition| Some((partition, self.partition(partition)?)))
    }

    /// Returns the rows of a partition, if it has any.
    pub(super) fn partition(&self, partition: usize) -> Option<Vec<ArrayRef>> {
        let (start, end) = (self.starts[partition], self.starts[partition + 1]);
        let rows = |column: &ArrayRef| column.slice(start, end - start);
        (start < end).then(|| self.columns.iter().map(rows).collect())
    }

    /// Returns the bytes of memory of the columns.
    pub(super) fn bytes(&self) -> usize {
        let columns = self.columns.iter();
        columns.map(|column| column.get_array_memory_size()).sum()
    }
}

/// Partitions the rows of columns. The first `keys` columns are the key.
pub(super) fn partition_rows(
    context: &Context,
    columns: &[ArrayRef],
    keys: usize,
) -> Result<PartitionedRows> {
    let partitions = context.resources.tuning.partitions.max(1);
    let hashes = hashes_of(context, &columns[..keys])?;
    partition_by_hashes(context, columns, &hashes, partitions)
}

/// Partitions the rows of one partition again, by the other half of the hash.
pub(super) fn partition_again(
    context: &Context,
    states: &RecordBatch,
    keys: usize,
    parts: usize,
) -> Result<PartitionedRows> {
    let columns = states.columns();
    let mut hashes = hashes_of(context, &columns[..keys])?;
    // `HashPartition` uses the upper half of a hash.
    let part = |hash: u64| u64::from(split_again(hash, u32::MAX)) << 32;
    hashes.iter_mut().for_each(|hash| *hash = part(*hash));
    partition_by_hashes(context, columns, &hashes, parts)
}

fn hashes_of(context: &Context, keys: &[ArrayRef]) -> Result<Vec<u64>> {
    let mut hashes = Vec::new();
    let resources = &context.resources;
    hash_keys(resources.level, HashSeed(resources.seed), keys, &mut hashes)?;
    Ok(hashes)
}

fn partition_by_hashes(
    context: &Context,
    columns: &[ArrayRef],
    hashes: &[u64],
    partitions: usize,
) -> Result<PartitionedRows> {
    let resources = &context.resources;
    let mut partition = HashPartition::new(resources.level, HashSeed(resources.seed), partitions);
    let mut rows = Partitioned::default();
    partition.hashed(hashes, &mut rows);
    let indices = UInt32Array::new(ScalarBuffer::from(rows.rows().to_vec()), None);
    let columns = columns.iter().map(|column| taken(column, &indices));
    Ok(PartitionedRows {
        columns: columns.collect::<Result<_>>()?,
        starts: rows.starts().to_vec(),
    })
}

/// Copies rows. Views get their own buffers, so that the caller's memory is not kept.
fn taken(column: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef> {
    let taken = take(column, rows, None).map_err(not_moved)?;
    Ok(match taken.data_type() {
        DataType::Utf8View => Arc::new(taken.as_string_view().gc()),
        DataType::BinaryView => Arc::new(taken.as_binary_view().gc()),
        _ => taken,
    })
}

pub(super) fn not_moved(cause: arrow_schema::ArrowError) -> Error {
    let message = "the rows of a batch could not be moved; give the job smaller batches";
    Error::new(ErrorKind::Capacity, message).with_source(cause)
}
