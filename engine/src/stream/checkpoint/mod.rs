//! Checkpoints: what a query needs to continue after a crash.
//!
//! ```text
//! CHECKPOINT/
//!   metadata            the query's id, and what must not change between restarts
//!   lock                held by the running query
//!   offsets/N           what epoch N reads; written before it
//!   state/N.delta       what epoch N changed
//!   state/N.snapshot    the whole state after epoch N
//!   sources/N           what the sources had read after epoch N
//!   commits/N           epoch N is done; written after the sink has committed
//! ```
//!
//! Every file appears complete or not at all, and has checksums. An epoch has one delta, not one for each
//! partition: each file costs two fsyncs.

pub(super) mod atomic_file;
mod inspect;
pub(super) mod lock;
mod metadata;
mod recovery;
mod state_file;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Faults, OffsetRange};
use crate::shown_name;
use crate::{Error, ErrorKind, Result, StateStore};
pub use inspect::{EpochInfo, export, list, repair, verify};
use lock::Lock;
pub(crate) use metadata::{ColumnTypes, Definition, Metadata};
pub(super) use recovery::Recovered;

/// The folders of a checkpoint.
const PARTS: [&str; 4] = ["offsets", "commits", "state", "sources"];

/// What is written before an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EpochOffsets {
    /// When the epoch began, in milliseconds since 1970.
    pub(super) timestamp: u64,
    /// The watermark during the epoch, in milliseconds of event time.
    pub(super) watermark: Option<i64>,
    /// Whether the epoch closes all windows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) flushes: bool,
    /// What is read from each source; `None` where it has nothing new.
    pub(super) ranges: Vec<Option<OffsetRange>>,
}

/// What is written after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EpochCommit {
    /// The watermark of the next epoch.
    pub(super) watermark: Option<i64>,
}

/// An open checkpoint, which no other query can use.
#[derive(Debug)]
pub(super) struct Checkpoint {
    folder: PathBuf,
    metadata: Metadata,
    snapshot_bytes: AtomicU64,
    _lock: Lock,
}

impl Checkpoint {
    /// Opens the checkpoint of a query, or creates it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if it is in use, damaged, of another query, or cannot be written.
    pub(super) fn open(folder: &Path, query: Metadata) -> Result<Self> {
        for part in PARTS {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|cause| {
                let message = format!("cannot create the checkpoint `{}`", shown_name(folder));
                Error::new(ErrorKind::Checkpoint, message).with_source(cause)
            })?;
        }
        let lock = Lock::take("checkpoint", folder)?;
        let metadata = match Metadata::read(folder)? {
            Some(metadata) => {
                metadata.check(&query, folder)?;
                metadata
            }
            None if numbers(&folder.join("commits"), "")?.is_empty() => {
                query.write(folder)?;
                query
            }
            None => return Err(no_metadata(folder)),
        };
        let checkpoint = Self::locked(folder, metadata, lock);
        checkpoint.remove_unfinished();
        Ok(checkpoint)
    }

    /// Opens a checkpoint that is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if it is in use or damaged, or if there is none.
    fn open_existing(folder: &Path) -> Result<Self> {
        if !folder.join("offsets").is_dir() {
            let message = format!("`{}` is not a checkpoint", shown_name(folder));
            return Err(Error::new(ErrorKind::Checkpoint, message));
        }
        let lock = Lock::take("checkpoint", folder)?;
        let metadata = Metadata::read(folder)?;
        let metadata = metadata.ok_or_else(|| no_metadata(folder))?;
        Ok(Self::locked(folder, metadata, lock))
    }

    fn locked(folder: &Path, metadata: Metadata, lock: Lock) -> Self {
        Self {
            folder: folder.to_owned(),
            metadata,
            snapshot_bytes: AtomicU64::new(0),
            _lock: lock,
        }
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Writes what an epoch reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if the file cannot be written.
    pub(super) fn write_offsets(
        &self,
        epoch: u64,
        offsets: &EpochOffsets,
        faults: &Faults,
    ) -> Result<()> {
        let path = self.path("offsets", epoch, "");
        let fault = || faults.at("offsets-unfinished", epoch);
        atomic_file::write_text(&path, &json_line(offsets)?, &fault)
    }

    /// Writes what an epoch changed in each store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if the file cannot be written.
    pub(super) fn write_delta(
        &self,
        epoch: u64,
        stores: &[&StateStore],
        faults: &Faults,
    ) -> Result<()> {
        let path = self.path("state", epoch, ".delta");
        state_file::write_delta(&path, stores, &|| faults.at("delta-unfinished", epoch))
    }

    /// Ends an epoch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if the file cannot be written.
    pub(super) fn write_commit(
        &self,
        epoch: u64,
        commit: &EpochCommit,
        faults: &Faults,
    ) -> Result<()> {
        let path = self.path("commits", epoch, "");
        let fault = || faults.at("commit-unfinished", epoch);
        atomic_file::write_text(&path, &json_line(commit)?, &fault)
    }

    /// Writes everything that a restart needs of the epochs up to this one, and removes what it does
    /// not need: two snapshots stay, and all epochs after the older one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if a file cannot be written.
    pub(super) fn write_snapshot(
        &self,
        epoch: u64,
        stores: &[&StateStore],
        sources: &[Value],
        faults: &Faults,
    ) -> Result<()> {
        if !stores.is_empty() {
            let path = self.path("state", epoch, ".snapshot");
            let fault = || faults.at("snapshot-unfinished", epoch);
            state_file::write_snapshot(&path, stores, &fault)?;
            self.snapshot_bytes.store(size_of_file(&path), Relaxed);
        }
        faults.at("snapshot-state", epoch);
        let path = self.path("sources", epoch, "");
        atomic_file::write_text(&path, &json_line(&sources)?, &|| {})?;
        faults.at("snapshot", epoch);
        self.collect()?;
        faults.at("collected", epoch);
        Ok(())
    }

    /// The size of the last snapshot that was written, in bytes.
    pub(super) fn snapshot_bytes(&self) -> u64 {
        self.snapshot_bytes.load(Relaxed)
    }

    /// The size of the delta of an epoch, in bytes.
    pub(super) fn delta_bytes(&self, epoch: u64) -> u64 {
        size_of_file(&self.path("state", epoch, ".delta"))
    }

    /// Removes what no restart needs.
    fn collect(&self) -> Result<()> {
        let snapshots = self.numbers("sources", "")?;
        let Some(&oldest) = snapshots.iter().rev().nth(1) else {
            return Ok(());
        };
        let before = |part, ending| self.numbers(part, ending).unwrap_or_default();
        for (part, ending, end) in [
            ("offsets", "", oldest + 1),
            ("commits", "", oldest),
            ("state", ".delta", oldest + 1),
            ("state", ".snapshot", oldest),
            ("sources", "", oldest),
        ] {
            for epoch in before(part, ending)
                .into_iter()
                .filter(|&epoch| epoch < end)
            {
                // A file that stays is removed the next time.
                let _ = fs::remove_file(self.path(part, epoch, ending));
            }
        }
        Ok(())
    }

    fn path(&self, part: &str, epoch: u64, ending: &str) -> PathBuf {
        self.folder.join(part).join(format!("{epoch}{ending}"))
    }

    /// The epochs that have a file, ascending.
    fn numbers(&self, part: &str, ending: &str) -> Result<Vec<u64>> {
        numbers(&self.folder.join(part), ending)
    }

    /// Removes what an interrupted write has left.
    fn remove_unfinished(&self) {
        for part in PARTS.into_iter().chain([""]) {
            let files = fs::read_dir(self.folder.join(part));
            for file in files.into_iter().flatten().flatten() {
                let path = file.path();
                if path
                    .extension()
                    .is_some_and(|it| it == atomic_file::UNFINISHED)
                {
                    let _ = fs::remove_file(path);
                }
            }
        }
    }
}

fn no_metadata(folder: &Path) -> Error {
    let message = format!(
        "`{}` of the checkpoint is missing; restore the file, or begin with another checkpoint",
        shown_name(folder.join("metadata"))
    );
    Error::new(ErrorKind::Checkpoint, message)
}

/// The numbers that files of a folder have as names, with this ending, ascending.
fn numbers(folder: &Path, ending: &str) -> Result<Vec<u64>> {
    let files = fs::read_dir(folder).map_err(|cause| atomic_file::cannot_read(folder, cause))?;
    let mut numbers = Vec::new();
    for file in files {
        let name = file
            .map_err(|cause| atomic_file::cannot_read(folder, cause))?
            .file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(ending));
        numbers.extend(name.and_then(|name| name.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn size_of_file(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |it| it.len())
}

fn json_line(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|cause| {
        let message = "an entry of the checkpoint cannot be written";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })?;
    Ok(text + "\n")
}
