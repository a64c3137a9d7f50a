//! Reads one run, row by row.

use super::block::Block;
use super::context::SortContext;
use super::gather::{Gather, Slot};
use super::row_order::RowRef;
use crate::Result;
use crate::runtime::Reservation;
use crate::spill::{Segment, SegmentReader};

/// Rows in order.
pub(crate) struct Run(pub(super) Content);

pub(super) enum Content {
    Memory(SortedRows),
    Spilled(Segment),
}

/// Blocks, the order of their rows, and the memory of both.
pub(super) struct SortedRows {
    pub(super) blocks: Vec<Block>,
    pub(super) order: Vec<RowRef>,
    pub(super) memory: Reservation,
}

impl Run {
    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> usize {
        match &self.0 {
            Content::Memory(sorted) => sorted.order.len(),
            Content::Spilled(segment) => segment.rows(),
        }
    }

    /// Returns whether the run is on disk.
    pub(crate) fn is_spilled(&self) -> bool {
        matches!(self.0, Content::Spilled(_))
    }
}

/// The next row of a run.
pub(super) struct Cursor {
    /// All blocks of a run in memory, or the batch of a spilled run that was read last.
    blocks: Vec<Block>,
    slots: Vec<Slot>,
    rest: Rest,
    block: usize,
    row: usize,
    memory: Reservation,
}

/// The rows after the next one.
enum Rest {
    Memory(std::vec::IntoIter<RowRef>),
    Spilled {
        batches: Box<SegmentReader>,
        is_compared: bool,
    },
}

impl Cursor {
    /// Opens a cursor at the first row; `None` if there is no row.
    pub(super) fn open(run: Run, context: &SortContext, is_compared: bool) -> Result<Option<Self>> {
        let mut cursor = match run.0 {
            Content::Memory(sorted) => Self::in_memory(sorted, is_compared),
            Content::Spilled(segment) => Self {
                blocks: Vec::new(),
                slots: Vec::new(),
                rest: Rest::Spilled {
                    batches: Box::new(segment.batches()?),
                    is_compared,
                },
                block: 0,
                row: 0,
                memory: context.resources.memory.reservation(),
            },
        };
        Ok(cursor.advance(context)?.then_some(cursor))
    }

    fn in_memory(sorted: SortedRows, is_compared: bool) -> Self {
        let SortedRows {
            mut blocks,
            order,
            mut memory,
        } = sorted;
        if !is_compared {
            blocks.iter_mut().for_each(Block::drop_rows);
            let held: usize = blocks.iter().map(Block::memory).sum();
            memory.set(held + size_of_val(&order[..]));
        }
        Self {
            slots: vec![Slot::default(); blocks.len()],
            blocks,
            rest: Rest::Memory(order.into_iter()),
            block: 0,
            row: 0,
            memory,
        }
    }

    /// Returns the bytes that the next row is compared by.
    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        self.blocks[self.block].key(self.row)
    }

    /// Adds the next row to a batch if it fits. Returns whether it fits.
    #[inline]
    pub(super) fn give(&mut self, gather: &mut Gather) -> bool {
        let block = &self.blocks[self.block];
        let size = block.row_size(self.row);
        let fits = gather.has_room(size);
        if fits {
            gather.add(&block.batch, &mut self.slots[self.block], self.row, size);
        }
        fits
    }

    /// Moves by one row. Returns whether there is one.
    #[inline]
    pub(super) fn advance(&mut self, context: &SortContext) -> Result<bool> {
        match &mut self.rest {
            Rest::Memory(order) => {
                let Some(next) = order.next() else {
                    return Ok(false);
                };
                self.block = next.block as usize;
                self.row = next.row as usize;
                Ok(true)
            }
            Rest::Spilled { .. } => {
                self.row += 1;
                let rows = self
                    .blocks
                    .first()
                    .map_or(0, |block| block.batch.num_rows());
                Ok(self.row < rows || self.read(context)?)
            }
        }
    }

    #[cold]
    fn read(&mut self, context: &SortContext) -> Result<bool> {
        let Rest::Spilled {
            batches,
            is_compared,
        } = &mut self.rest
        else {
            return Ok(false);
        };
        self.blocks.clear();
        self.slots = vec![Slot::default()];
        self.row = 0;
        for batch in batches {
            let batch = context.checked(batch?)?;
            if batch.num_rows() == 0 {
                continue;
            }
            let block = match is_compared {
                true => Block::new(context, batch)?,
                false => Block::without_rows(batch),
            };
            self.memory.set(block.memory());
            self.blocks.push(block);
            return Ok(true);
        }
        self.memory.set(0);
        Ok(false)
    }
}
