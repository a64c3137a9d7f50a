//! Groups in one table, or in a table for each partition, in memory and on disk.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_select::concat::concat;
use keymill_kernels::HashKey;

use super::Context;
use super::deal::{Dealt, by_partition, not_dealt};
use super::int_reducer::IntReducer;
use crate::Result;
use crate::spill::{BATCH_ROWS, Segment};
use crate::state::GroupTable;

/// Tables of at most this number of groups are merged directly, and larger ones by partition.
const FEW: usize = 1 << 17;

/// The reducer of integer keys gives its groups out directly if it takes at most this part of the
/// memory: the groups exist twice for a moment.
const PART_OF_MEMORY: usize = 8;

/// One partition: rows that no table has yet, tables that may have the same keys, and groups on disk.
#[derive(Default)]
pub(super) struct Partition {
    /// Keys first, then the arguments that there are.
    pub(super) rows: Vec<Vec<ArrayRef>>,
    pub(super) tables: Vec<GroupTable>,
    pub(super) spilled: Vec<Segment>,
    /// Distinct groups, as state columns. A partition that has these has nothing else.
    pub(super) reduced: Option<RecordBatch>,
    /// Whether it is a part of a partition that was too large.
    pub(super) is_cut: bool,
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

    /// How many bytes all groups would take in memory.
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

/// The ids of all groups of a table, in ranges of `rows` ids.
pub(super) fn id_ranges(table: &GroupTable, rows: usize) -> impl Iterator<Item = Vec<u32>> + use<> {
    let all = table.len();
    (0..all)
        .step_by(rows.max(1))
        .map(move |first| (first as u32..(first + rows).min(all) as u32).collect())
}

/// Rows that lie by partition and are not in its table yet: keys first, then the arguments that there
/// are.
#[derive(Default)]
struct Pending {
    dealt: Vec<Dealt>,
    rows: usize,
    bytes: usize,
}

impl Pending {
    /// The rows of one partition.
    fn partition(&self, partition: usize) -> impl Iterator<Item = Vec<ArrayRef>> {
        let dealt = self.dealt.iter();
        dealt.filter_map(move |dealt| dealt.partition(partition))
    }
}

/// All groups of an operator.
pub(super) struct Partitions {
    /// One before the first split, and then as many as there are partitions.
    parts: Vec<Partition>,
    is_split: bool,
    /// Where integer keys go first.
    ints: Option<IntReducer>,
    /// How many groups it had when it was last looked at.
    int_groups: usize,
    pending: Pending,
    bytes: usize,
}

impl Partitions {
    /// One table without groups.
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

    /// Whether there is a table for each partition.
    pub(super) fn is_split(&self) -> bool {
        self.is_split
    }

    /// Whether there is one table of group ids, which may be split.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_split && self.ints.is_none()
    }

    /// Whether there is one table, of few groups.
    pub(super) fn are_few(&self) -> bool {
        !self.is_split && self.groups_at_most() <= FEW
    }

    pub(super) fn groups_at_most(&self) -> usize {
        let parts = self.parts.iter().map(Partition::groups_at_most);
        parts.sum::<usize>() + self.pending.rows + self.int_groups
    }

    /// How many bytes of memory are held.
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
        arguments: Vec<Option<ArrayRef>>,
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
        columns.extend(arguments.into_iter().flatten());
        let dealt = by_partition(context, &columns, key_columns)?;
        self.pending.bytes += dealt.bytes();
        self.pending.dealt.push(dealt);
        match self.pending.bytes >= context.sizes.pending {
            true => self.finish_pending(context),
            false => Ok(()),
        }
    }

    /// Moves the groups of integer keys to tables of group ids, and to disk where memory is short: the
    /// reducer keeps its memory until all of its groups have moved.
    pub(super) fn use_ids(&mut self, context: &Context) -> Result<()> {
        let Some(mut ints) = self.ints.take() else {
            return Ok(());
        };
        self.int_groups = 0;
        if ints.len() > FEW {
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

    /// Counts the groups that there are.
    pub(super) fn count_groups(&mut self) {
        self.int_groups = self.ints.as_mut().map_or(0, IntReducer::len);
    }

    /// Takes the rows that were gathered into the tables.
    pub(super) fn finish_pending(&mut self, context: &Context) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if pending.rows == 0 {
            return Ok(());
        }
        for (partition, part) in self.parts.iter_mut().enumerate() {
            let rows: Vec<_> = pending.partition(partition).collect();
            if !rows.is_empty() {
                take_rows(context, table_of(part, context)?, rows)?;
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
        self.deal_states(context, states)?;
        self.measure();
        Ok(())
    }

    fn deal_states(&mut self, context: &Context, states: &RecordBatch) -> Result<()> {
        let keys = context.shape.key_types().len();
        for (partition, columns) in by_partition(context, states.columns(), keys)?.partitions() {
            let states = context.shape.state_batch(columns)?;
            table_of(&mut self.parts[partition], context)?.merge(&states)?;
        }
        Ok(())
    }

    /// Moves the groups of the one table to a table for each partition.
    pub(super) fn split(&mut self, context: &Context) -> Result<()> {
        self.use_ids(context)?;
        if self.is_split {
            return Ok(());
        }
        let whole = std::mem::take(&mut self.parts);
        self.is_split = true;
        self.parts.resize_with(
            context.resources.tuning.partitions.max(1),
            Partition::default,
        );
        for table in whole.iter().flat_map(|part| &part.tables) {
            for groups in id_ranges(table, context.sizes.dealt_rows) {
                context.resources.cancel.check()?;
                self.deal_states(context, &table.states(&groups)?)?;
            }
        }
        self.measure();
        Ok(())
    }

    /// Takes all groups of another operator.
    pub(super) fn absorb(&mut self, context: &Context, mut other: Self) -> Result<()> {
        self.use_ids(context)?;
        other.use_ids(context)?;
        if self.is_split || other.is_split || !self.are_few() || !other.are_few() {
            self.split(context)?;
            other.split(context)?;
            for (mine, theirs) in self.parts.iter_mut().zip(other.parts) {
                mine.tables.extend(theirs.tables);
                mine.spilled.extend(theirs.spilled);
            }
            self.pending.rows += other.pending.rows;
            self.pending.bytes += other.pending.bytes;
            self.pending.dealt.append(&mut other.pending.dealt);
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

    /// Moves everything to disk.
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

    /// The partitions that have groups, and the bytes of the rows that no table has yet.
    pub(super) fn into_parts(mut self, context: &Context) -> Result<(Vec<Partition>, usize)> {
        let most = context.resources.memory.limit() / PART_OF_MEMORY;
        match self.ints.take_if(|ints| ints.size() <= most) {
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
        // A partition that is cut has no rows.
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

/// Takes rows of one partition into a table.
pub(super) fn take_rows(
    context: &Context,
    table: &mut GroupTable,
    rows: Vec<Vec<ArrayRef>>,
) -> Result<()> {
    let mut pieces = Pieces::default();
    for piece in rows {
        pieces.add(piece);
        if pieces.rows >= context.sizes.rows_at_once {
            context.resources.cancel.check()?;
            pieces.finish(context, table)?;
        }
    }
    pieces.finish(context, table)
}

/// Rows of one partition that its table takes at once.
#[derive(Default)]
struct Pieces {
    pieces: Vec<Vec<ArrayRef>>,
    rows: usize,
}

impl Pieces {
    fn add(&mut self, piece: Vec<ArrayRef>) {
        self.rows += piece.first().map_or(0, |column| column.len());
        self.pieces.push(piece);
    }

    fn finish(&mut self, context: &Context, table: &mut GroupTable) -> Result<()> {
        let pieces = std::mem::take(self).pieces;
        let Some(first) = pieces.first() else {
            return Ok(());
        };
        let column = |number: usize| match &pieces[..] {
            [only] => Ok(only[number].clone()),
            pieces => {
                let parts: Vec<&dyn Array> = pieces.iter().map(|piece| &*piece[number]).collect();
                concat(&parts).map_err(not_dealt)
            }
        };
        let columns = (0..first.len()).map(column).collect::<Result<Vec<_>>>()?;
        let (keys, rest) = columns.split_at(context.shape.key_types().len());
        let arguments = context.shape.arguments_from(rest);
        table.update(keys, &arguments)
    }
}

/// The table that takes the rows of a partition.
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
