//! Reduces a partition to its distinct groups.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;

use super::Context;
use super::partition_rows::partition_again;
use super::partitions::{Partition, add_rows, id_ranges, new_table};
use crate::BatchLimits;
use crate::Result;
use crate::operator::Drain;
use crate::spill::{BATCH_ROWS, SegmentWriter};
use crate::state::{GroupTable, answers_of};

/// Maximum number of parts of a partition.
const MOST_PARTS: usize = 1024;

/// The result of reducing a partition.
pub(super) enum Reduced {
    /// Its distinct groups, and the bytes of their batches.
    Batches(Vec<RecordBatch>, usize),
    /// The partition is too large for its share of the memory. These are its parts, on disk.
    Parts(Vec<Partition>),
}

/// Reduces partitions to their distinct groups.
pub(super) struct Reducer<'a> {
    pub(super) context: &'a Context,
    /// Empty tables for reuse: they have already grown.
    pub(super) spare: &'a Mutex<Vec<GroupTable>>,
    pub(super) drain: Drain,
    pub(super) limits: BatchLimits,
}

impl Reducer<'_> {
    /// Reduces a partition to its distinct groups, or splits it by the other half of the hash.
    ///
    /// # Errors
    ///
    /// Those of spill files, and a cancellation.
    pub(super) fn reduce(&self, partition: Partition) -> Result<Reduced> {
        let context = self.context;
        if let Some(states) = partition.reduced {
            return self.finished(states);
        }
        let shares = partition.loaded_bytes() / context.sizes.partition_bytes;
        if shares > 1 && !partition.spilled.is_empty() && !partition.is_part {
            let parts = (2 * shares).min(MOST_PARTS);
            return split_on_disk(context, partition, parts).map(Reduced::Parts);
        }
        let mut table = self.merged(partition)?;
        let batches = batches_of(context, &table, self.drain, &self.limits)?;
        let mut spare = self.spare();
        if table.size() <= context.sizes.partition_bytes && spare.len() < context.resources.threads
        {
            table.clear();
            spare.push(table);
        }
        Ok(batches)
    }

    /// Returns distinct groups as the drain needs them: answers or states.
    fn finished(&self, states: RecordBatch) -> Result<Reduced> {
        let Context {
            shape, resources, ..
        } = self.context;
        resources.cancel.check()?;
        let batch = match self.drain {
            Drain::Values => answers_of(shape, &states, resources.level)?,
            Drain::State => states,
        };
        let mut batches = Vec::new();
        let bytes = push_pieces(batch, &self.limits, &mut batches);
        Ok(Reduced::Batches(batches, bytes))
    }

    fn spare(&self) -> MutexGuard<'_, Vec<GroupTable>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Merges all groups of a partition into one table.
    fn merged(&self, partition: Partition) -> Result<GroupTable> {
        let context = self.context;
        let mut tables = partition.tables;
        // The smaller tables are merged into the largest one.
        tables.sort_by_key(GroupTable::len);
        let spare = || self.spare().pop();
        let mut whole = match tables.pop().or_else(spare) {
            Some(table) => table,
            None => new_table(context)?,
        };
        add_rows(context, &mut whole, partition.rows)?;
        for table in tables {
            for groups in id_ranges(&table, BATCH_ROWS) {
                context.resources.cancel.check()?;
                whole.merge(&table.states(&groups)?)?;
            }
        }
        for segment in partition.spilled {
            for states in segment.batches()? {
                context.resources.cancel.check()?;
                whole.merge(&states?)?;
            }
        }
        Ok(whole)
    }
}

/// Splits a partition into parts on disk.
fn split_on_disk(context: &Context, partition: Partition, parts: usize) -> Result<Vec<Partition>> {
    let mut split: Vec<Partition> = Vec::new();
    split.resize_with(parts, || Partition {
        is_part: true,
        ..Partition::default()
    });
    let mut open: Vec<Vec<RecordBatch>> = vec![Vec::new(); parts];
    let mut bytes = 0;
    let mut add = |states: &RecordBatch| -> Result<()> {
        context.resources.cancel.check()?;
        let keys = context.shape.key_types().len();
        bytes += states.get_array_memory_size();
        for (part, columns) in partition_again(context, states, keys, parts)?.partitions() {
            open[part].push(context.shape.state_batch(columns)?);
        }
        if bytes > context.sizes.partition_bytes / 2 {
            bytes = 0;
            write_all(context, &mut open, &mut split)?;
        }
        Ok(())
    };
    for table in partition.tables {
        for groups in id_ranges(&table, BATCH_ROWS) {
            add(&table.states(&groups)?)?;
        }
    }
    for segment in partition.spilled {
        for states in segment.batches()? {
            add(&states?)?;
        }
    }
    write_all(context, &mut open, &mut split)?;
    split.retain(|part| !part.is_empty());
    Ok(split)
}

/// Writes the gathered batches of each part to disk.
fn write_all(
    context: &Context,
    open: &mut [Vec<RecordBatch>],
    parts: &mut [Partition],
) -> Result<()> {
    for (batches, part) in open.iter_mut().zip(parts) {
        if batches.is_empty() {
            continue;
        }
        let batches = std::mem::take(batches);
        let schema = context.shape.state_schema();
        let write = |writer: &mut SegmentWriter| batches.iter().try_for_each(|it| writer.write(it));
        part.spilled.push(context.space.store(schema, write)?);
    }
    Ok(())
}

/// Returns the groups of a table, in batches within the limits.
fn batches_of(
    context: &Context,
    table: &GroupTable,
    drain: Drain,
    limits: &BatchLimits,
) -> Result<Reduced> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    for groups in id_ranges(table, limits.rows) {
        context.resources.cancel.check()?;
        let batch = match drain {
            Drain::Values => table.answers(&groups)?,
            Drain::State => table.states(&groups)?,
        };
        bytes += push_pieces(batch, limits, &mut batches);
    }
    Ok(Reduced::Batches(batches, bytes))
}

/// Pushes a batch in slices within the limits, and returns its bytes.
fn push_pieces(batch: RecordBatch, limits: &BatchLimits, batches: &mut Vec<RecordBatch>) -> usize {
    let held = batch.get_array_memory_size();
    let pieces = held.div_ceil(limits.bytes.max(1)).max(1);
    let rows = batch.num_rows().div_ceil(pieces);
    let rows = rows.clamp(1, limits.rows.max(1));
    for first in (0..batch.num_rows()).step_by(rows) {
        batches.push(batch.slice(first, rows.min(batch.num_rows() - first)));
    }
    held
}
