//! Bytes in memory as a source.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::{Offset, Source, Split, SplitBytes};
use crate::{Error, ErrorKind, Result};

/// Bytes in memory, in one or several pieces. The end of each piece ends a token.
pub struct MemorySource {
    pieces: Vec<Box<dyn AsRef<[u8]> + Send + Sync>>,
}

impl MemorySource {
    /// Creates a source of one piece.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self {
            pieces: vec![Box::new(bytes)],
        }
    }

    /// Adds a piece.
    #[must_use]
    pub fn and(mut self, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        self.pieces.push(Box::new(bytes));
        self
    }

    fn piece(&self, split: &Split) -> Result<&[u8]> {
        match self.pieces.get(split.index()) {
            Some(piece) => Ok((**piece).as_ref()),
            None => Err(Error::new(
                ErrorKind::Source,
                format!("`{}` is not a piece of this source", split.name()),
            )),
        }
    }
}

impl Source for MemorySource {
    fn describe(&self) -> String {
        match self.pieces.len() {
            1 => "memory".to_owned(),
            pieces => format!("{pieces} pieces of memory"),
        }
    }

    fn splits(&self) -> Result<Vec<Split>> {
        let sizes = self.pieces.iter().map(|piece| (**piece).as_ref().len());
        Ok(sizes
            .enumerate()
            .map(|(index, size)| {
                Split::new(index, format!("memory {index}")).with_size(size as u64)
            })
            .collect())
    }

    fn latest(&self, split: &Split) -> Result<Offset> {
        Ok(Offset::at(self.piece(split)?.len() as u64))
    }

    fn read(&self, split: &Split, range: Range<Offset>) -> Result<SplitBytes<'_>> {
        let piece = self.piece(split)?;
        let place = |offset: &Offset| usize::try_from(offset.position()?).ok();
        place(&range.start)
            .zip(place(&range.end))
            .and_then(|(from, to)| piece.get(from..to))
            .map(SplitBytes::Memory)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Source,
                    format!("the range is not within `{}`", split.name()),
                )
            })
    }
}
