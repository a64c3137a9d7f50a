//! The parts of a spill file that hold one segment.

use std::io;
use std::sync::Arc;

use super::disk::Disk;
use crate::Result;

/// The parts of the file that hold one segment, in order. Dropping them frees their disk space.
#[derive(Debug)]
pub(super) struct Extents {
    disk: Arc<Disk>,
    extents: Vec<Extent>,
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    offset: u64,
    length: u64,
}

/// A reader's position within the extents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    extent: usize,
    offset: u64,
}

impl Extents {
    pub(super) fn new(disk: Arc<Disk>) -> Self {
        Self {
            disk,
            extents: Vec::new(),
        }
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Writes bytes to the end of the file.
    ///
    /// # Errors
    ///
    /// Those of [`Disk::append`].
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let offset = self.disk.append(bytes)?;
        let length = bytes.len() as u64;
        match self.extents.last_mut() {
            Some(last) if last.offset + last.length == offset => last.length += length,
            _ => self.extents.push(Extent { offset, length }),
        }
        Ok(())
    }

    /// Reads some bytes and moves the position; 0 bytes at the end.
    pub(super) fn read(&self, bytes: &mut [u8], position: &mut Position) -> io::Result<usize> {
        while let Some(extent) = self.extents.get(position.extent) {
            let left = usize::try_from(extent.length - position.offset).unwrap_or(usize::MAX);
            if left > 0 {
                let length = bytes.len().min(left);
                let offset = extent.offset + position.offset;
                let read = self.disk.read_at(&mut bytes[..length], offset)?;
                position.offset += read as u64;
                return Ok(read);
            }
            *position = Position {
                extent: position.extent + 1,
                offset: 0,
            };
        }
        Ok(0)
    }

    /// Damages one byte.
    #[cfg(test)]
    pub(super) fn damage(&self, mut at: u64) {
        for extent in &self.extents {
            if at < extent.length {
                return self.disk.overwrite(&[0xaa], extent.offset + at);
            }
            at -= extent.length;
        }
        panic!("the segment is shorter");
    }
}

impl Drop for Extents {
    fn drop(&mut self) {
        for extent in &self.extents {
            self.disk.free(extent.offset, extent.length);
        }
    }
}
