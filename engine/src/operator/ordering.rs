//! Sorts the batches of a drain by any columns.

use arrow_schema::SchemaRef;

use super::{BatchSource, Batches, OrderBy};
use crate::BatchLimits;
use crate::expr::column_names;
use crate::runtime::Resources;
use crate::sort::{SortBuffer, SortKey, SortedBatches};
use crate::spill::SpillSpace;
use crate::{Error, ErrorKind, Result};
use arrow_array::RecordBatch;

/// Returns the sort keys: the requested columns, then the key, so that no two rows are equal.
///
/// # Errors
///
/// [`ErrorKind::Config`] for an unknown column.
pub(super) fn sort_keys(
    schema: &SchemaRef,
    columns: &[OrderBy],
    key_columns: usize,
) -> Result<Vec<SortKey>> {
    let mut keys = Vec::new();
    for by in columns {
        let Ok(column) = schema.index_of(by.column()) else {
            let (name, names) = (by.column(), column_names(schema));
            let message = format!("cannot sort by `{name}`; the columns are: {names}");
            return Err(Error::new(ErrorKind::Config, message));
        };
        keys.push(match by.is_descending() {
            true => SortKey::descending(column),
            false => SortKey::ascending(column),
        });
    }
    let rest = (0..key_columns).filter(|&column| keys.iter().all(|key| key.column != column));
    let rest: Vec<_> = rest.map(SortKey::ascending).collect();
    keys.extend(rest);
    Ok(keys)
}

/// Sorts all batches of a source.
///
/// # Errors
///
/// Those of the source, of spilling, and a cancellation.
pub(super) fn sorted(
    mut source: impl BatchSource,
    schema: &SchemaRef,
    keys: &[SortKey],
    limits: BatchLimits,
    resources: &Resources,
    space: &SpillSpace,
) -> Result<Batches> {
    let spilled_before = space.written();
    let mut buffer = SortBuffer::new(schema, keys, limits.top, resources, space)?;
    while let Some(batch) = source.next_batch()? {
        buffer.push(batch)?;
    }
    let groups = source.groups();
    let sorted = SortedBatches::new(schema, keys, buffer.finish()?, limits, resources, space)?;
    let source = SortedSource {
        sorted,
        groups,
        space: space.clone(),
        spilled_before,
    };
    Ok(Batches::new(schema.clone(), source, limits.top))
}

/// Sorts batches of groups by columns, then by key.
///
/// # Errors
///
/// [`ErrorKind::Config`] for an unknown column, and those of [`sorted`].
#[cfg(feature = "stream")]
pub(crate) fn sort_groups(
    batches: impl Iterator<Item = Result<RecordBatch>> + Send,
    schema: &SchemaRef,
    (columns, key_columns): (&[OrderBy], usize),
    limits: BatchLimits,
    resources: &Resources,
) -> Result<Batches> {
    let keys = sort_keys(schema, columns, key_columns)?;
    let space = SpillSpace::new(resources.spill_dir.clone());
    let source = Unsorted { batches, groups: 0 };
    sorted(source, schema, &keys, limits, resources, &space)
}

/// Batches of an iterator.
#[cfg(feature = "stream")]
struct Unsorted<I> {
    batches: I,
    groups: u64,
}

#[cfg(feature = "stream")]
impl<I: Iterator<Item = Result<RecordBatch>> + Send> BatchSource for Unsorted<I> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.batches.next().transpose()?;
        self.groups += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    fn groups(&self) -> u64 {
        self.groups
    }

    fn spilled_bytes(&self) -> u64 {
        0
    }

    fn has_ready(&self) -> bool {
        false
    }
}

struct SortedSource {
    sorted: SortedBatches,
    groups: u64,
    space: SpillSpace,
    spilled_before: u64,
}

impl BatchSource for SortedSource {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.sorted.next().transpose()
    }

    fn groups(&self) -> u64 {
        self.groups
    }

    fn spilled_bytes(&self) -> u64 {
        self.space.written() - self.spilled_before
    }

    fn has_ready(&self) -> bool {
        false
    }
}
