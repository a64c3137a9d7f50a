//! Groups in one table or in one table per partition, in memory and on disk.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_select::concat::concat;
use keymill_kernels::HashKey;
use keymill_kernels::stage::tokenize::Span;

use super::Context;
use super::int_reducer::IntReducer;
use super::partition_rows::{PartitionedRows, not_moved, partition_rows};
use crate::Result;
use crate::spill::{BATCH_ROWS, Segment};
use crate::state::GroupTable;

/// Tables of at most this number of groups are merged into one table, larger ones by partition.
const SMALL_TABLE_GROUPS: usize = 1 << 17;

/// The reducer of integer keys is drained without partitions if it has at most 1/n of the memory:
/// its groups are in memory twice for a moment.
const DIRECT_DRAIN_DIVISOR: usize = 8;

/// One partition: pending rows, tables that may have keys in common, and groups on disk.
#[derive(Default)]
pub(super) struct Partition {
    /// Pending rows: the key columns, then the arguments that are not `None`.
    pub(super) rows: Vec<Vec<ArrayRef>>,
    pub(super) tables: Vec<GroupTable>,
    pub(super) spilled: Vec<Segment>,
    /// Distinct groups, as state columns. A partition that has these has no other groups.
    pub(super) reduced: Option<RecordBatch>,
    /// Whether it is a part of a partition that was too large. It then has no pending rows.
    pub(super) is_part: bool,
}

impl Partition {
    pub(super) fn is_empty(&self) -> bool {
        let has_groups = self.tables.iter().any(|table| table.len() > 0);
        self.rows.is_empty() && !has_groups && self.spilled.is_empty() && self.reduced.is_none()
    }

    pub(super) fn size(&self) -> usize {
        let reduced = self.reduced.iter().map(RecordBatch::get_array_memory_size);
        self.tables.iter().map(GroupTable::size).sum::<usize>() + reduced.sum::<usize>()
    }

    /// Returns the bytes of all groups when they are in memory.
    pub(super) fn loaded_bytes(&self) -> usize {
        self.size() + self.spilled.iter().map(Segment::memory).sum::<usize>()
    }

    pub(super) fn groups_at_most(&self) -> usize {
        let spilled = self.spilled.iter().map(Segment::rows);
        self.tables.iter().map(GroupTable::len).sum::<usize>() + spilled.sum::<usize>()
    }

    /// Moves the tables to disk.
    fn spill(&mut self, context: &Context) -> Result<()> {
        let tables = std::mem::take(&mut self.tables);
        if tables.iter().all(|table| table.len() == 0) {
            return Ok(());
        }
        let schema = context.shape.state_schema();
        let segment = context.space.store(schema, |writer| {
            for table in &tables {
                for groups in id_ranges(table, BATCH_ROWS) {
                    writer.write(&table.states(&groups)?)?;
                }
            }
            Ok(())
        })?;
        self.spilled.push(segment);
        Ok(())
    }
}

/// Returns the ids of all groups of a table, in lists of at most `rows` ids.
pub(super) fn id_ranges(table: &GroupTable, rows: usize) -> impl Iterator<Item = Vec<u32>> + use<> {
    let all = table.len();
    (0..all)
        .step_by(rows.max(1))
        .map(move |first| (first as u32..(first + rows).min(all) as u32).collect())
}

/// Partitioned rows that are not in the tables yet.
#[derive(Default)]
struct Pending {
    batches: Vec<PartitionedRows>,
    rows: usize,
    bytes: usize,
}

impl Pending {
    /// Returns the rows of one partition.
    fn partition(&self, partition: usize) -> impl Iterator<Item = Vec<ArrayRef>> {
        let batches = self.batches.iter();
        batches.filter_map(move |rows| rows.partition(partition))
    }
}

/// All groups of an operator.
pub(super) struct Partitions {
    /// One part before the split, then one part per partition.
    parts: Vec<Partition>,
    is_split: bool,
    /// The first table of integer keys, until it is replaced by tables of group ids.
    ints: Option<IntReducer>,
    /// The number of groups of `ints` when it was last counted.
    int_groups: usize,
    pending: Pending,
    bytes: usize,
}

impl Partitions {
    /// Creates one empty table.
    pub(super) fn new(context: &Context) -> Result<Self> {
        let first = Partition {
            tables: vec![new_table(context)?],
            ..Partition::default()
        };
        Ok(Self {
            bytes: first.size(),
            parts: vec![first],
            is_split: false,
            ints: IntReducer::for_job(context),
            int_groups: 0,
            pending: Pending::default(),
        })
    }

    /// Returns whether there is one table per partition.
    pub(super) fn is_split(&self) -> bool {
        self.is_split
    }

    /// Returns whether there is one table of group ids, which may be split.
    pub(super) fn is_one_table(&self) -> bool {
        !self.is_split && self.ints.is_none()
    }

    /// Returns whether there is one small table.
    pub(super) fn is_small(&self) -> bool {
        !self.is_split && self.groups_at_most() <= SMALL_TABLE_GROUPS
    }

    pub(super) fn groups_at_most(&self) -> usize {
        let parts = self.parts.iter().map(Partition::groups_at_most);
        parts.sum::<usize>() + self.pending.rows + self.int_groups
    }

    /// Returns the bytes of memory of all groups and pending rows.
    pub(super) fn size(&self) -> usize {
        let ints = self.ints.as_ref().map_or(0, IntReducer::size);
        self.bytes + self.pending.bytes + ints
    }

    fn measure(&mut self) {
        self.bytes = self.parts.iter().map(Partition::size).sum();
    }

    /// Adds rows.
    pub(super) fn update(
        &mut self,
        context: &Context,
        keys: Vec<ArrayRef>,
        arguments: Vec<ArrayRef>,
    ) -> Result<()> {
        if let Some(ints) = &mut self.ints {
            if ints.takes(&keys, &arguments) {
                return ints.update(&keys, &arguments);
            }
            self.use_ids(context)?;
        }
        if !self.is_split {
            let table = table_of(&mut self.parts[0], context)?;
            table.update(&keys, &arguments)?;
            self.bytes = table.size();
            return Ok(());
        }
        let key_columns = keys.len();
        let mut columns = keys;
        self.pending.rows += columns.first().map_or(0, |key| key.len());
        columns.extend(arguments);
        let rows = partition_rows(context, &columns, key_columns)?;
        self.pending.bytes += rows.bytes();
        self.pending.batches.push(rows);
        match self.pending.bytes >= context.sizes.pending_bytes {
            true => self.finish_pending(context),
            false => Ok(()),
        }
    }

    /// Returns whether keys may be spans of a text.
    pub(super) fn takes_spans(&self) -> bool {
        let mut tables = self.parts.iter().flat_map(|part| &part.tables);
        self.is_one_table() && tables.all(GroupTable::takes_spans)
    }

    /// Adds rows whose keys are spans of a text to the one table. Returns false, and adds none, if they must come
    /// as columns.
    pub(super) fn update_spans(
        &mut self,
        context: &Context,
        text: &[u8],
        keys: &[Span],
        arguments: &[ArrayRef],
    ) -> Result<bool> {
        if !self.takes_spans() {
            return Ok(false);
        }
        let table = table_of(&mut self.parts[0], context)?;
        let taken = table.update_spans(text, keys, arguments)?;
        self.bytes = table.size();
        Ok(taken)
    }

    /// Moves the groups of integer keys to tables of group ids, and spills these if memory is tight: the
    /// reducer keeps its memory until all of its groups have moved.
    pub(super) fn use_ids(&mut self, context: &Context) -> Result<()> {
        let Some(mut ints) = self.ints.take() else {
            return Ok(());
        };
        self.int_groups = 0;
        if ints.len() > SMALL_TABLE_GROUPS {
            self.split(context)?;
        }
        ints.into_states(context, BATCH_ROWS, |states| {
            self.merge_states(context, &states)?;
            if self.is_split && context.resources.memory.is_tight(self.bytes) {
                self.spill_tables(context)?;
            }
            Ok(())
        })
    }

    /// Counts the groups of integer keys, for `groups_at_most`.
    pub(super) fn count_groups(&mut self) {
        self.int_groups = self.ints.as_mut().map_or(0, IntReducer::len);
    }

    /// Adds the pending rows to the tables.
    pub(super) fn finish_pending(&mut self, context: &Context) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.rows == 0 {
            return Ok(());
        }
        for (partition, part) in self.parts.iter_mut().enumerate() {
            let rows: Vec<_> = pending.partition(partition).collect();
            if !rows.is_empty() {
                add_rows(context, table_of(part, context)?, rows)?;
            }
        }
        self.measure();
        Ok(())
    }

    /// Merges state columns.
    pub(super) fn merge_states(&mut self, context: &Context, states: &RecordBatch) -> Result<()> {
        self.use_ids(context)?;
        if !self.is_split {
            let table = table_of(&mut self.parts[0], context)?;
            table.merge(states)?;
            self.bytes = table.size();
            return Ok(());
        }
        self.merge_by_partition(context, states)?;
        self.measure();
        Ok(())
    }

    fn merge_by_partition(&mut self, context: &Context, states: &RecordBatch) -> Result<()> {
        let keys = context.shape.key_types().len();
        for (partition, columns) in partition_rows(context, states.columns(), keys)?.partitions() {
            let states = context.shape.state_batch(columns)?;
            table_of(&mut self.parts[partition], context)?.merge(&states)?;
        }
        Ok(())
    }

    /// Moves the groups of the one table to one table per partition.
    pub(super) fn split(&mut self, context: &Context) -> Result<()> {
        self.use_ids(context)?;
        if self.is_split {
            return Ok(());
        }
        let unsplit = std::mem::take(&mut self.parts);
        self.is_split = true;
        self.parts.resize_with(
            context.resources.tuning.partitions.max(1),
            Partition::default,
        );
        for table in unsplit.iter().flat_map(|part| &part.tables) {
            for groups in id_ranges(table, context.sizes.partitioned_at_once) {
                context.resources.cancel.check()?;
                self.merge_by_partition(context, &table.states(&groups)?)?;
            }
        }
        self.measure();
        Ok(())
    }

    /// Moves all groups of another operator here.
    pub(super) fn absorb(&mut self, context: &Context, mut other: Self) -> Result<()> {
        self.use_ids(context)?;
        other.use_ids(context)?;
        if !self.is_small() || !other.is_small() {
            self.split(context)?;
            other.split(context)?;
            for (mine, theirs) in self.parts.iter_mut().zip(other.parts) {
                mine.tables.extend(theirs.tables);
                mine.spilled.extend(theirs.spilled);
            }
            self.pending.rows += other.pending.rows;
            self.pending.bytes += other.pending.bytes;
            self.pending.batches.append(&mut other.pending.batches);
        } else {
            for table in other.parts.iter().flat_map(|part| &part.tables) {
                for groups in id_ranges(table, BATCH_ROWS) {
                    self.merge_states(context, &table.states(&groups)?)?;
                }
            }
        }
        self.measure();
        Ok(())
    }

    /// Moves all groups to disk.
    pub(super) fn spill(&mut self, context: &Context) -> Result<()> {
        self.split(context)?;
        self.finish_pending(context)?;
        self.spill_tables(context)
    }

    fn spill_tables(&mut self, context: &Context) -> Result<()> {
        for part in &mut self.parts {
            part.spill(context)?;
        }
        self.measure();
        Ok(())
    }

    /// Returns the partitions that have groups, and the bytes of the pending rows.
    pub(super) fn into_parts(mut self, context: &Context) -> Result<(Vec<Partition>, usize)> {
        let limit = context.resources.memory.limit() / DIRECT_DRAIN_DIVISOR;
        match self.ints.take_if(|ints| ints.size() <= limit) {
            Some(ints) => {
                self.parts.clear();
                ints.into_states(context, BATCH_ROWS, |states| {
                    self.parts.push(Partition {
                        reduced: Some(states),
                        ..Partition::default()
                    });
                    Ok(())
                })?;
            }
            None => self.use_ids(context)?,
        }
        // Only a partition with spilled groups may be split again, and its parts have no pending rows.
        if self.parts.iter().any(|part| !part.spilled.is_empty()) {
            self.finish_pending(context)?;
        }
        for (number, part) in self.parts.iter_mut().enumerate() {
            part.rows.extend(self.pending.partition(number));
        }
        self.parts.retain(|part| !part.is_empty());
        Ok((self.parts, self.pending.bytes))
    }
}

/// Adds rows of one partition to a table.
pub(super) fn add_rows(
    context: &Context,
    table: &mut GroupTable,
    rows: Vec<Vec<ArrayRef>>,
) -> Result<()> {
    let mut gathered = Gathered::default();
    for columns in rows {
        gathered.push(columns);
        if gathered.rows >= context.sizes.rows_at_once {
            context.resources.cancel.check()?;
            gathered.flush(context, table)?;
        }
    }
    gathered.flush(context, table)
}

/// Rows of one partition that are added to its table together.
#[derive(Default)]
struct Gathered {
    batches: Vec<Vec<ArrayRef>>,
    rows: usize,
}

impl Gathered {
    fn push(&mut self, columns: Vec<ArrayRef>) {
        self.rows += columns.first().map_or(0, |column| column.len());
        self.batches.push(columns);
    }

    fn flush(&mut self, context: &Context, table: &mut GroupTable) -> Result<()> {
        let batches = std::mem::take(self).batches;
        let Some(first) = batches.first() else {
            return Ok(());
        };
        let column = |number: usize| match &batches[..] {
            [only] => Ok(only[number].clone()),
            all => {
                let columns: Vec<&dyn Array> = all.iter().map(|batch| &*batch[number]).collect();
                concat(&columns).map_err(not_moved)
            }
        };
        let columns = (0..first.len()).map(column).collect::<Result<Vec<_>>>()?;
        let (keys, rest) = columns.split_at(context.shape.key_types().len());
        table.update(keys, rest)
    }
}

/// Returns the table that the rows of a partition are added to.
fn table_of<'p>(part: &'p mut Partition, context: &Context) -> Result<&'p mut GroupTable> {
    if part.tables.is_empty() {
        part.tables.push(new_table(context)?);
    }
    Ok(&mut part.tables[0])
}

pub(super) fn new_table(context: &Context) -> Result<GroupTable> {
    let resources = &context.resources;
    let hash_key = HashKey::from_seed(resources.seed);
    GroupTable::new(&context.shape, resources.level, &resources.tuning, hash_key)
}
