//! A stream that can be read once: standard input, a socket, a pipe.
#![forbid(unsafe_code)]

use std::io::Read;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::compressed::decompressed;
use super::pump::pumped;
use super::{ByteStream, Offset, Source, Split, SplitBytes};
use crate::{Error, ErrorKind, Result};

/// A stream that can be read only once.
pub struct ReaderSource {
    name: String,
    reader: Mutex<Option<Box<dyn Read + Send>>>,
    as_is: bool,
}

impl ReaderSource {
    /// Creates a source from a stream. gzip and zstd are recognized by their first bytes.
    #[must_use]
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self {
            name: "stream".to_owned(),
            reader: Mutex::new(Some(Box::new(reader))),
            as_is: false,
        }
    }

    /// Sets the name that messages show.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Reads a compressed stream without decompressing it.
    #[must_use]
    pub fn as_is(mut self) -> Self {
        self.as_is = true;
        self
    }
}

impl Source for ReaderSource {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn splits(&self) -> Result<Vec<Split>> {
        Ok(vec![Split::new(0, self.name.clone())])
    }

    /// Returns the end of the stream, which is not known yet.
    fn latest(&self, _split: &Split) -> Result<Offset> {
        Ok(Offset::at(u64::MAX))
    }

    fn read(&self, _split: &Split, _range: Range<Offset>) -> Result<SplitBytes<'_>> {
        self.open()
    }
}

impl ReaderSource {
    /// Opens the stream, which can be done once.
    pub(crate) fn open(&self) -> Result<SplitBytes<'static>> {
        let taken = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(reader) = taken else {
            return Err(Error::new(
                ErrorKind::Source,
                format!("`{}` was already read and cannot be read again", self.name),
            ));
        };
        let (name, as_is) = (self.name.clone(), self.as_is);
        let stream = pumped(move || match as_is {
            true => Ok(ByteStream::new(reader)),
            false => decompressed(reader, &name),
        })?;
        Ok(SplitBytes::Stream(stream))
    }
}
