//! Finds out where a query continues, and restores its state.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::atomic_file::{self, damaged};
use super::{Checkpoint, EpochCommit, EpochOffsets, state_file};
use crate::shown_name;
use crate::stream::OffsetRange;
use crate::{Error, ErrorKind, Result, StateStore};

/// Where a query continues.
#[derive(Debug, Default)]
pub(in crate::stream) struct Recovered {
    /// The first epoch that has no offsets yet.
    pub(in crate::stream) next: u64,
    /// The epochs to run again, in order: their offsets are known.
    pub(in crate::stream) replays: Vec<(u64, EpochOffsets)>,
    /// Epochs before this one are committed.
    pub(in crate::stream) committed: u64,
    /// The watermark of the first epoch that is run.
    pub(in crate::stream) watermark: Option<i64>,
    /// What the sources had read at the last snapshot, one value per source.
    pub(in crate::stream) positions: Option<Vec<Value>>,
    /// What was read after the snapshot, by committed epochs.
    pub(in crate::stream) ranges: Vec<Vec<Option<OffsetRange>>>,
    /// What was done about damage, for the log.
    pub(in crate::stream) remarks: Vec<String>,
}

impl Checkpoint {
    /// Restores the state of the last committed epoch, and finds the epochs to run again: those whose
    /// offsets were written after it, and those whose state is damaged.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if what is needed is damaged or missing, with the file.
    pub(in crate::stream) fn recover(&self, stores: &[&StateStore]) -> Result<Recovered> {
        let mut recovered = Recovered::default();
        let last = self.last_commit(&mut recovered)?;
        recovered.committed = last.map_or(0, |(epoch, _)| epoch + 1);
        recovered.watermark = last.and_then(|(_, commit)| commit.watermark);
        self.find_positions(&mut recovered)?;
        let first = match stores.is_empty() {
            false => self.restore(stores, &mut recovered)?,
            true => recovered.committed,
        };
        self.find_replays(first, &mut recovered)?;
        Ok(recovered)
    }

    /// The last commit that can be read. A damaged one is ignored: its epoch runs again, and the sink says
    /// whether it has that epoch.
    fn last_commit(&self, recovered: &mut Recovered) -> Result<Option<(u64, EpochCommit)>> {
        for epoch in self.numbers("commits", "")?.into_iter().rev() {
            match read_json(&self.path("commits", epoch, "")) {
                Ok(commit) => return Ok(Some((epoch, commit))),
                Err(error) => recovered.remarks.push(error.to_string()),
            }
        }
        Ok(None)
    }

    /// What the sources have read: at the last snapshot that can be read, and after it.
    fn find_positions(&self, recovered: &mut Recovered) -> Result<()> {
        let snapshots = self.numbers("sources", "")?;
        let usable = snapshots.iter().rev();
        let mut usable = usable.filter(|&&epoch| epoch < recovered.committed);
        let mut first = 0;
        for &epoch in &mut usable {
            match read_json(&self.path("sources", epoch, "")) {
                Ok(positions) => {
                    recovered.positions = Some(positions);
                    first = epoch + 1;
                    break;
                }
                Err(error) => recovered.remarks.push(error.to_string()),
            }
        }
        for epoch in first..recovered.committed {
            let offsets: EpochOffsets = self.offsets(epoch)?;
            recovered.ranges.push(offsets.ranges);
        }
        Ok(())
    }

    /// Restores the state after the last committed epoch, or after an earlier one if a file is damaged.
    /// Returns the first epoch that the state does not contain.
    fn restore(&self, stores: &[&StateStore], recovered: &mut Recovered) -> Result<u64> {
        let snapshots = self.numbers("state", ".snapshot")?;
        let mut first = None;
        for &epoch in snapshots.iter().rev() {
            if epoch >= recovered.committed {
                continue;
            }
            match state_file::read_snapshot(&self.path("state", epoch, ".snapshot"), stores) {
                Ok(()) => {
                    first = Some(epoch + 1);
                    break;
                }
                Err(error) => recovered.remarks.push(error.to_string()),
            }
        }
        // Without a snapshot the state begins with the first epoch, whose offsets must be there.
        let first = first.unwrap_or(0);
        for epoch in first..recovered.committed {
            let path = self.path("state", epoch, ".delta");
            match state_file::read_delta(&path, stores.len()) {
                Ok(Some(deltas)) => {
                    let mut changes = stores.iter().zip(&deltas);
                    changes.try_for_each(|(store, delta)| store.apply_more(delta))?;
                }
                Ok(None) => state_file::apply_delta(&path, stores)?,
                Err(error) => {
                    recovered.remarks.push(error.to_string());
                    stores.iter().try_for_each(|store| store.settle())?;
                    return Ok(epoch);
                }
            }
        }
        stores.iter().try_for_each(|store| store.settle())?;
        Ok(recovered.committed)
    }

    /// Finds the epochs to run: from `first`, as long as their offsets are there.
    fn find_replays(&self, first: u64, recovered: &mut Recovered) -> Result<()> {
        let chosen = self.numbers("offsets", "")?;
        let end = chosen.last().map_or(0, |last| last + 1);
        let end = end.max(recovered.committed);
        recovered.next = end;
        for epoch in first..end {
            match self.offsets(epoch) {
                Ok(offsets) => recovered.replays.push((epoch, offsets)),
                // The last epoch may not have begun. If a sink has it, the driver refuses.
                Err(error) if epoch + 1 == end && epoch >= recovered.committed => {
                    recovered.remarks.push(error.to_string());
                    recovered.next = epoch;
                }
                Err(error) => return Err(error),
            }
        }
        if first < recovered.committed {
            recovered.watermark = recovered.replays.first().and_then(|(_, it)| it.watermark);
        }
        Ok(())
    }

    /// What an epoch read.
    fn offsets(&self, epoch: u64) -> Result<EpochOffsets> {
        let path = self.path("offsets", epoch, "");
        read_json(&path).map_err(|error| {
            let message = format!(
                "{}; the epochs after it cannot be run again without it: restore the file, or \
                 begin with another checkpoint",
                error.message()
            );
            Error::new(ErrorKind::Checkpoint, message)
        })
    }
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    if !path.exists() {
        let message = format!("`{}` of the checkpoint is missing", shown_name(path));
        return Err(Error::new(ErrorKind::Checkpoint, message));
    }
    let text = atomic_file::read_text(path)?;
    serde_json::from_str(&text).map_err(|_| damaged(path, "it is not JSON of the expected form"))
}
