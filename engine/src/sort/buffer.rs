//! Collects batches and sorts them into runs.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::SortKey;
use super::block::Block;
use super::context::SortContext;
use super::cursor::{Content, Run, SortedRows};
use super::gather::copy_rows;
use super::held_bytes::held_bytes;
use super::joined::SmallBatches;
use super::merge::{merge_small, spill};
use super::row_order::{RowRef, sorted_rows};
use super::row_sizes::RowSizes;
use crate::Result;
use crate::runtime::{Reservation, Resources};
use crate::spill::SpillSpace;

/// The first rows are selected when the buffer has twice their number and this many more.
const SELECT_ROWS: usize = 1024;
/// A batch with more unused bytes than this may be copied.
const UNUSED: usize = 64 << 10;

/// The unsorted rows of one worker. They are sorted and spilled when memory becomes tight.
pub(crate) struct SortBuffer {
    context: Arc<SortContext>,
    top: Option<usize>,
    small: SmallBatches,
    blocks: Vec<Block>,
    rows: usize,
    memory: Reservation,
    spilled: Vec<Run>,
    /// The key of the last of the first `top` rows. Rows after it are dropped.
    bound: Option<Vec<u8>>,
}

impl SortBuffer {
    /// Creates a buffer for batches of `schema`. With `top`, only this number of first rows is kept.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Config`] for keys that cannot be sorted.
    pub(crate) fn new(
        schema: &SchemaRef,
        keys: &[SortKey],
        top: Option<usize>,
        resources: &Resources,
        space: &SpillSpace,
    ) -> Result<Self> {
        Ok(Self {
            context: SortContext::new(schema, keys, resources, space)?,
            top,
            small: SmallBatches::new(resources.memory.limit()),
            blocks: Vec::new(),
            rows: 0,
            memory: resources.memory.reservation(),
            spilled: Vec::new(),
            bound: None,
        })
    }

    /// Returns the bytes of memory of the buffer.
    pub(crate) fn size(&self) -> usize {
        self.memory.bytes()
    }

    /// Adds a batch.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Internal`] for a batch of another schema, a cancellation, and those of
    /// spill files.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.context.resources.cancel.check()?;
        let batch = self.context.checked(batch)?;
        // With `top`, most rows are dropped at once.
        match self.top {
            Some(_) => self.push_block(batch),
            None => match self.small.add(batch) {
                true => self.push_small(),
                false => Ok(()),
            },
        }
    }

    fn push_small(&mut self) -> Result<()> {
        let joined = self.small.join();
        joined.into_iter().try_for_each(|it| self.push_block(it))
    }

    fn push_block(&mut self, batch: RecordBatch) -> Result<()> {
        let block = Block::new(&self.context, compact(batch)?)?;
        if let Some(block) = self.within_bound(block)? {
            self.add(block);
        }
        if let Some(top) = self.top
            && self.rows >= top.saturating_mul(2).saturating_add(SELECT_ROWS)
        {
            self.select(top)?;
        }
        match self.must_spill() {
            true => self.spill(),
            false => Ok(()),
        }
    }

    /// Sorts the remaining rows and returns all runs, which [`super::SortedBatches`] merges.
    ///
    /// # Errors
    ///
    /// A cancellation, and those of spill files.
    pub(crate) fn finish(mut self) -> Result<Vec<Run>> {
        self.context.resources.cancel.check()?;
        self.push_small()?;
        if self.rows > 0 {
            let sorted = self.sort();
            self.spilled.push(Run(Content::Memory(sorted)));
        }
        Ok(self.spilled)
    }

    fn add(&mut self, block: Block) {
        let rows = block.batch.num_rows();
        let memory = block.memory() + rows * size_of::<RowRef>();
        self.memory.set(self.memory.bytes() + memory);
        self.rows += rows;
        self.blocks.push(block);
    }

    /// Returns the rows of a block that may be among the first ones.
    fn within_bound(&self, block: Block) -> Result<Option<Block>> {
        let rows = block.batch.num_rows();
        if rows == 0 || self.top == Some(0) {
            return Ok(None);
        }
        let Some(bound) = &self.bound else {
            return Ok(Some(block));
        };
        let within = |row: &usize| block.key(*row) < &bound[..];
        match (0..rows).filter(within).count() {
            0 => Ok(None),
            count if count == rows => Ok(Some(block)),
            _ => {
                let batch = copy_rows(&block.batch, (0..rows).filter(within))?;
                Block::new(&self.context, batch).map(Some)
            }
        }
    }

    /// Drops all rows except the first ones.
    fn select(&mut self, top: usize) -> Result<()> {
        let sorted = self.sort();
        let run = Run(Content::Memory(sorted));
        for batch in merge_small(&self.context, vec![run], Some(top))? {
            let block = Block::new(&self.context, batch?)?;
            self.add(block);
        }
        Ok(())
    }

    /// Returns whether memory is tight and this buffer is large enough for a run. Without this lower
    /// bound there would be many short runs.
    fn must_spill(&self) -> bool {
        let resources = &self.context.resources;
        let limit = resources.memory.limit();
        let shortest = limit / resources.threads.max(1) / 4;
        self.rows > 0 && self.size() >= shortest && resources.memory.is_tight(limit / 4)
    }

    fn spill(&mut self) -> Result<()> {
        let sorted = self.sort();
        let run = Run(Content::Memory(sorted));
        self.spilled
            .push(spill(&self.context, vec![run], self.top)?);
        Ok(())
    }

    /// Sorts all rows and leaves the buffer empty. With `top`, only the first rows are in order.
    fn sort(&mut self) -> SortedRows {
        let blocks = std::mem::take(&mut self.blocks);
        let mut order = sorted_rows(&blocks);
        if let Some(top) = self.top
            && order.len() >= top
            && let Some(last) = top.checked_sub(1)
        {
            order.truncate(top);
            let RowRef { block, row, .. } = order[last];
            self.bound = Some(blocks[block as usize].key(row as usize).to_vec());
        }
        self.rows = 0;
        let empty = self.context.resources.memory.reservation();
        SortedRows {
            blocks,
            order,
            memory: std::mem::replace(&mut self.memory, empty),
        }
    }
}

/// Copies a slice of a much larger batch, so that it does not keep all of it.
fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let used = RowSizes::of(&batch).total();
    match held_bytes(&batch) > 2 * used + UNUSED {
        true => copy_rows(&batch, 0..batch.num_rows()),
        false => Ok(batch),
    }
}
