//! A partition of a state store on disk.
//!
//! ```text
//! runs, oldest first   states │ states │ removed keys │ states of this epoch
//!                      a later run replaces what earlier ones have of its keys
//! ```
//!
//! A partition that is in memory again keeps its runs, so that spilling it later writes only what has changed.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::partition::{BATCH_ROWS, LastChange, StorePartition, untimed};
use crate::spill::{Segment, SegmentReader, SpillSpace};
use crate::state::answers_of;
use crate::{Error, ErrorKind, Level, Result};
use std::sync::Arc;

/// With more runs than this they are written anew as one.
const MOST_RUNS: usize = 32;

/// What a partition has on disk.
#[derive(Debug, Default)]
pub(super) struct OnDisk {
    runs: Vec<Run>,
    /// Only if the groups are on disk and not in memory.
    spilled: Option<Spilled>,
    /// The changes up to this epoch are on disk, those of a partition in memory, too.
    epoch: u64,
}

#[derive(Clone, Copy, Debug)]
struct Spilled {
    groups: usize,
    /// Those changed in this epoch.
    changed: usize,
    /// The bytes that the partition needs in memory.
    bytes: usize,
    /// Whether groups were replaced or removed since, so that there may be fewer of them.
    is_replaced: bool,
}

/// What was written at once.
#[derive(Debug)]
struct Run {
    content: Content,
    segment: Segment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    States,
    /// States of all groups that were changed in this epoch, when it ended or when they were written.
    ChangedIn(u64),
    Removed,
}

impl OnDisk {
    pub(super) fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// The groups that are on disk alone; an upper bound while groups are replaced.
    pub(super) fn len(&self) -> usize {
        self.spilled.map_or(0, |it| it.groups)
    }

    pub(super) fn changed_len(&self) -> usize {
        self.spilled.map_or(0, |it| it.changed)
    }

    /// The bytes that loading the groups will take.
    pub(super) fn needs(&self) -> usize {
        self.spilled.map_or(0, |it| it.bytes)
    }

    /// About how many bytes are on disk.
    pub(super) fn size(&self) -> usize {
        self.runs.iter().map(|run| run.segment.memory()).sum()
    }

    /// Begins the next epoch.
    pub(super) fn commit(&mut self) {
        if let Some(spilled) = &mut self.spilled {
            spilled.changed = 0;
        }
    }

    /// Forgets the runs of a partition in memory, which differ from it in more than its changed groups.
    pub(super) fn forget(&mut self) {
        debug_assert!(self.spilled.is_none(), "the only copy of the groups");
        self.runs.clear();
    }

    /// Whether as many rows are outdated as there are groups.
    fn is_worn(&self, groups: usize) -> bool {
        let rows: usize = self.runs.iter().map(|run| run.segment.rows()).sum();
        self.runs.len() > MOST_RUNS || rows > 2 * groups + BATCH_ROWS
    }
}

impl StorePartition {
    /// Moves the groups to disk.
    pub(super) fn spill(&mut self, space: &SpillSpace) -> Result<()> {
        if self.disk.is_spilled() {
            return self.spill_replaced(space);
        }
        let (bytes, groups) = (self.size(), self.table.len());
        if self.disk.is_worn(groups) {
            self.disk.runs.clear();
        }
        let (epoch, all) = (self.epoch, self.disk.runs.is_empty());
        // These groups are changed still, and maybe once more.
        let runs = &mut self.disk.runs;
        runs.retain(|run| run.content != Content::ChangedIn(epoch));
        let saved = self.disk.epoch;
        let is_unsaved = |last: &LastChange| last.epoch != epoch && (all || last.epoch > saved);
        let unsaved = (0..).zip(&self.last).filter(|(_, last)| is_unsaved(last));
        let unsaved: Vec<u32> = unsaved.map(|(group, _)| group).collect();
        self.write_run(space, Content::States, &unsaved)?;
        self.write_run(space, Content::ChangedIn(epoch), &self.changed.clone())?;
        self.disk.spilled = Some(Spilled {
            groups,
            changed: self.changed.len(),
            bytes,
            is_replaced: false,
        });
        self.disk.epoch = epoch - 1;
        self.empty()
    }

    /// Moves the groups to disk that were replaced there.
    fn spill_replaced(&mut self, space: &SpillSpace) -> Result<()> {
        let groups: Vec<u32> = (0..self.table.len() as u32).collect();
        let bytes = self.table.size();
        self.write_run(space, Content::States, &groups)?;
        if let Some(spilled) = &mut self.disk.spilled {
            spilled.groups += groups.len();
            spilled.bytes += bytes;
            spilled.is_replaced |= !groups.is_empty();
        }
        self.empty()
    }

    /// Whether the number of groups is not known.
    pub(super) fn is_replaced(&self) -> bool {
        let is_replaced = |it: Spilled| it.is_replaced || self.table.len() > 0;
        self.disk.spilled.is_some_and(is_replaced)
    }

    fn empty(&mut self) -> Result<()> {
        self.table = self.table.empty_copy()?;
        (self.last, self.changed) = (Vec::new(), Vec::new());
        Ok(())
    }

    fn write_run(&mut self, space: &SpillSpace, content: Content, groups: &[u32]) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let segment = space.store(&self.schemas.timed, |writer| {
            let mut batches = groups.chunks(BATCH_ROWS);
            batches.try_for_each(|groups| writer.write(&self.timed_states(groups)?))
        })?;
        self.disk.runs.push(Run { content, segment });
        Ok(())
    }

    /// Removes groups of a partition whose groups are on disk, without loading them. Unknown keys are
    /// ignored.
    pub(super) fn remove_on_disk(&mut self, space: &SpillSpace, keys: &RecordBatch) -> Result<()> {
        self.spill_replaced(space)?;
        let keys = compact(keys)?;
        let segment = space.store(&self.schemas.keys, |writer| writer.write(&keys))?;
        if let Some(spilled) = &mut self.disk.spilled {
            spilled.is_replaced = true;
        }
        let content = Content::Removed;
        self.disk.runs.push(Run { content, segment });
        Ok(())
    }

    /// Loads the groups into memory, if they are not there.
    pub(super) fn load(&mut self, space: &SpillSpace) -> Result<()> {
        if !self.disk.is_spilled() {
            return Ok(());
        }
        self.spill_replaced(space)?;
        let disk = std::mem::take(&mut self.disk);
        self.apply(&disk.runs)?;
        self.disk = OnDisk {
            spilled: None,
            ..disk
        };
        Ok(())
    }

    /// A copy with all groups in memory.
    pub(super) fn loaded_copy(&self) -> Result<Self> {
        let mut copy = Self::new(&self.schemas, self.table.empty_copy()?);
        copy.epoch = self.epoch;
        copy.apply(&self.disk.runs)?;
        let groups: Vec<u32> = (0..self.table.len() as u32).collect();
        for groups in groups.chunks(BATCH_ROWS) {
            copy.restore(&self.timed_states(groups)?)?;
        }
        Ok(copy)
    }

    fn apply(&mut self, runs: &[Run]) -> Result<()> {
        for run in runs {
            run.segment.read(|batch| match run.content {
                Content::Removed => self.remove(batch.columns()),
                Content::ChangedIn(epoch) if epoch == self.epoch => {
                    let groups = self.restore(batch)?.to_vec();
                    for &group in &groups {
                        self.last[group as usize].epoch = epoch;
                    }
                    self.changed.extend(groups);
                    Ok(())
                }
                _ => self.restore(batch).map(|_| ()),
            })?;
        }
        Ok(())
    }

    /// The states on disk of the groups changed in this epoch, if there are some.
    pub(super) fn changed_on_disk(&self) -> Result<Option<SegmentReader>> {
        let changed = Content::ChangedIn(self.epoch);
        let is_changed = |run: &&Run| self.disk.is_spilled() && run.content == changed;
        let run = self.disk.runs.iter().find(is_changed);
        run.map(|run| run.segment.batches()).transpose()
    }

    /// The answers of states on disk.
    pub(super) fn answers_of(&self, timed: &RecordBatch, level: Level) -> Result<RecordBatch> {
        let shape = &self.schemas.shape;
        answers_of(shape, &untimed(timed, shape.state_schema())?.0, level)
    }
}

/// The same values without the bytes of others that views share.
pub(super) fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => Arc::clone(column),
        }
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).map_err(|cause| {
        let message = "the keys of removed groups do not fit their schema";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })
}
