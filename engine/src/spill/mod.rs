//! Record batches on disk. Each operator has one file without a name. A segment of the file holds the
//! batches that were written together.
//!
//! ```text
//! file     extent │ extent │ extent …          (appended, never changed)
//! segment  some extents: an Arrow IPC stream   (schema, small batches, end)
//! ```
//!
//! The file has mode 0600, and its name is removed before the first write, so the system frees it
//! however the process ends.
#![forbid(unsafe_code)]

#[cfg(feature = "stream")]
mod buffer;
mod disk;
mod extents;
mod segment;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow_schema::SchemaRef;

use crate::Result;
#[cfg(feature = "stream")]
pub(crate) use buffer::BatchBuffer;
use disk::Disk;
use extents::Extents;
pub(crate) use segment::{Segment, SegmentReader, SegmentWriter};

/// Maximum number of rows of a batch in a segment. A reader holds one batch in memory.
pub(crate) const BATCH_ROWS: usize = 8192;
/// Maximum bytes of a batch in a segment, unless a single row is larger.
pub(crate) const BATCH_BYTES: usize = 256 << 10;

/// The place where an operator spills what does not fit in memory. Clones share the file.
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
    /// Creates a space in `folder` or in the system's temporary folder. The file is created later.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self(Arc::new(Space {
            folder: folder.unwrap_or_else(std::env::temp_dir),
            disk: Mutex::new(None),
            most: AtomicU64::new(u64::MAX),
            written: AtomicU64::new(0),
        }))
    }

    /// Returns the number of bytes written.
    pub(crate) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Creates another, empty space in the same folder with the same limit.
    pub(crate) fn another(&self) -> Self {
        let space = Self::new(Some(self.0.folder.clone()));
        space.limit(self.0.most.load(Ordering::Relaxed));
        space
    }

    /// Sets the upper bound of bytes that may be written.
    pub(crate) fn limit(&self, bytes: u64) {
        self.0.most.store(bytes, Ordering::Relaxed);
    }

    /// Writes one segment of the batches of this schema that `fill` writes.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Capacity`] when the disk is full or the limit is reached,
    /// [`crate::ErrorKind::State`] when no file can be created in the folder; and what `fill` returns.
    pub(crate) fn store(
        &self,
        schema: &SchemaRef,
        fill: impl FnOnce(&mut SegmentWriter) -> Result<()>,
    ) -> Result<Segment> {
        let mut writer = SegmentWriter::new(self, schema)?;
        fill(&mut writer)?;
        writer.finish()
    }

    /// Appends bytes to the file, as one more extent of a segment.
    fn append(&self, bytes: &[u8], extents: &mut Option<Extents>) -> Result<()> {
        let length = bytes.len() as u64;
        let written = self.0.written.fetch_add(length, Ordering::Relaxed) + length;
        if written > self.0.most.load(Ordering::Relaxed) {
            return Err(disk::full(&self.0.folder, None));
        }
        let extents = match extents {
            Some(extents) => extents,
            None => extents.insert(Extents::new(self.disk()?)),
        };
        extents.append(bytes)
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

#[cfg(test)]
mod tests;
