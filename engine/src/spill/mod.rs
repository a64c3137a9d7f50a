//! KeyCounts on disk: one unlinked file per operator, a segment per partition that was written.
//!
//! ```text
//! file     segment │ segment │ segment …          (appended, never changed)
//! segment  an Arrow IPC stream of state columns   (schema, small batches, end)
//! ```
//!
//! The file is made with mode 0600 and has lost its name before a byte is written, so that nothing
//! stays behind however the process ends.
#![forbid(unsafe_code)]

mod disk;
mod segment;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, ErrorKind, Result};
use disk::Disk;
pub(crate) use segment::{Segment, SegmentWriter};

/// Where an operator's partitions go that do not fit; clones share the file.
#[derive(Clone, Debug)]
pub(crate) struct SpillSpace(Arc<Space>);

#[derive(Debug)]
struct Space {
    folder: PathBuf,
    disk: Mutex<Option<Arc<Disk>>>,
    most: AtomicU64,
    written: AtomicU64,
}

impl SpillSpace {
    /// A space in `folder`, or in the system's temporary folder; no file is made yet.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self(Arc::new(Space {
            folder: folder.unwrap_or_else(std::env::temp_dir),
            disk: Mutex::new(None),
            most: AtomicU64::new(u64::MAX),
            written: AtomicU64::new(0),
        }))
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Another space in the same folder, with the same limit; nothing has been written to it.
    pub(crate) fn another(&self) -> Self {
        let space = Self::new(Some(self.0.folder.clone()));
        space.limit(self.0.most.load(Ordering::Relaxed));
        space
    }

    /// Lets no more than this many bytes be written.
    pub(crate) fn limit(&self, bytes: u64) {
        self.0.most.store(bytes, Ordering::Relaxed);
    }

    /// Writes one segment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] when the disk or the limit is reached, [`ErrorKind::State`] when the
    /// folder cannot be written to; and what `fill` returns.
    pub(crate) fn store(
        &self,
        fill: impl FnOnce(&mut SegmentWriter) -> Result<()>,
    ) -> Result<Segment> {
        let encoded = segment::encode(fill)?;
        let length = encoded.bytes.len() as u64;
        let written = self.0.written.fetch_add(length, Ordering::Relaxed) + length;
        if written > self.0.most.load(Ordering::Relaxed) {
            return Err(disk::full(&self.0.folder, None));
        }
        let disk = self.disk()?;
        let offset = disk.append(&encoded.bytes)?;
        Ok(Segment::new(disk, offset, &encoded))
    }

    fn disk(&self) -> Result<Arc<Disk>> {
        let mut disk = self.0.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(disk) = &*disk {
            return Ok(disk.clone());
        }
        let made = Arc::new(Disk::create(&self.0.folder)?);
        *disk = Some(made.clone());
        Ok(made)
    }
}

/// The error of a segment that is not what was written.
fn unreadable(
    folder: &std::path::Path,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(
        ErrorKind::State,
        format!(
            "a spill file in `{}` cannot be read back; check that disk",
            crate::shown_name(folder)
        ),
    )
    .with_source(cause)
}

#[cfg(test)]
mod tests;
