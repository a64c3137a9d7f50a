//! Deals the rows of columns to partitions by the stable hash of their keys.

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_select::take::take;
use keymill_kernels::HashSeed;
use keymill_kernels::stable_hash::split_again;
use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};

use super::Context;
use crate::state::hash_keys;
use crate::{Error, ErrorKind, Result};

/// Columns whose rows lie partition by partition.
pub(super) struct Dealt {
    columns: Vec<ArrayRef>,
    starts: Vec<usize>,
}

impl Dealt {
    /// The partitions that have rows, and their rows.
    pub(super) fn partitions(&self) -> impl Iterator<Item = (usize, Vec<ArrayRef>)> {
        let ends = self.starts.windows(2).enumerate();
        ends.filter(|(_, ends)| ends[0] < ends[1])
            .map(|(partition, ends)| {
                let rows = |column: &ArrayRef| column.slice(ends[0], ends[1] - ends[0]);
                (partition, self.columns.iter().map(rows).collect())
            })
    }
}

/// Deals the rows of columns, the first `keys` of which are the key.
pub(super) fn by_partition(context: &Context, columns: &[ArrayRef], keys: usize) -> Result<Dealt> {
    let partitions = context.resources.tuning.partitions.max(1);
    let hashes = hashes_of(context, &columns[..keys])?;
    deal(context, columns, &hashes, partitions)
}

/// Deals the rows of one partition again, by the other half of the hash.
pub(super) fn again(
    context: &Context,
    states: &RecordBatch,
    keys: usize,
    parts: usize,
) -> Result<Dealt> {
    let columns = states.columns();
    let mut hashes = hashes_of(context, &columns[..keys])?;
    // The partition of such a hash is the part of the original one.
    let part = |hash: u64| u64::from(split_again(hash, u32::MAX)) << 32;
    hashes.iter_mut().for_each(|hash| *hash = part(*hash));
    deal(context, columns, &hashes, parts)
}

fn hashes_of(context: &Context, keys: &[ArrayRef]) -> Result<Vec<u64>> {
    let mut hashes = Vec::new();
    let resources = &context.resources;
    hash_keys(resources.level, HashSeed(resources.seed), keys, &mut hashes)?;
    Ok(hashes)
}

fn deal(
    context: &Context,
    columns: &[ArrayRef],
    hashes: &[u64],
    partitions: usize,
) -> Result<Dealt> {
    let resources = &context.resources;
    let mut partition = HashPartition::new(resources.level, HashSeed(resources.seed), partitions);
    let mut rows = Partitioned::default();
    partition.hashed(hashes, &mut rows);
    let indices = UInt32Array::new(ScalarBuffer::from(rows.rows().to_vec()), None);
    let columns = columns.iter().map(|column| take(column, &indices, None));
    Ok(Dealt {
        columns: columns.collect::<Result<_, _>>().map_err(not_dealt)?,
        starts: rows.starts().to_vec(),
    })
}

pub(super) fn not_dealt(cause: arrow_schema::ArrowError) -> Error {
    let message = "the rows of a batch could not be moved; give the job smaller batches";
    Error::new(ErrorKind::Capacity, message).with_source(cause)
}
