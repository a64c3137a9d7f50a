//! gzip and zstd, recognized by their first bytes. Every member and frame is read.
#![forbid(unsafe_code)]

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ByteStream;
use super::find::advice;
#[cfg(feature = "zstd")]
use super::frames::Frames;
#[cfg(feature = "gzip")]
use super::members::Members;
use crate::{Error, ErrorKind, Result};

/// The number of bytes that identify a compression.
const MAGIC_BYTES: usize = 4;

/// Size of the buffer for compressed bytes.
const BUFFER: usize = 64 << 10;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip with one or several members.
    Gzip,
    /// zstd with one or several frames.
    Zstd,
}

impl Compression {
    /// Recognizes a compression by the first four bytes of the stream.
    #[must_use]
    pub fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Recognizes the compression of a stream and returns the decompressed stream.
pub(crate) fn decompressed<'a>(
    mut reader: impl Read + Send + 'a,
    name: &str,
) -> Result<ByteStream<'a>> {
    let mut first = [0; MAGIC_BYTES];
    let mut filled = 0;
    while filled < MAGIC_BYTES {
        match reader.read(&mut first[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot_read(name, error)),
        }
    }
    let compression = Compression::of(&first[..filled]);
    let whole = Cursor::new(first).take(filled as u64).chain(reader);
    decoder(compression, whole, name)
}

/// Returns the error for a failed read.
pub(crate) fn cannot_read(name: &str, cause: io::Error) -> Error {
    match cause.downcast::<Error>() {
        Ok(error) => error,
        Err(cause) => {
            let message = format!("`{name}` cannot be read; {}", advice(cause.kind()));
            Error::new(ErrorKind::Source, message).with_source(cause)
        }
    }
}

/// The compressed bytes with a counter.
type CountedBuffer<R> = BufReader<Counted<R>>;

fn decoder<'a>(
    compression: Compression,
    stream: impl Read + Send + 'a,
    name: &str,
) -> Result<ByteStream<'a>> {
    let bytes = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&bytes);
    let counted = Counted { stream, bytes };
    let reader: Box<dyn Read + Send + 'a> = match compression {
        Compression::None => return Ok(ByteStream::new(counted.stream)),
        Compression::Gzip => gzip(BufReader::with_capacity(BUFFER, counted), name)?,
        Compression::Zstd => zstd(BufReader::with_capacity(BUFFER, counted), name)?,
    };
    Ok(ByteStream::new(reader).counting(counter))
}

#[cfg(feature = "gzip")]
fn gzip<'a>(
    stream: CountedBuffer<impl Read + Send + 'a>,
    name: &str,
) -> Result<Box<dyn Read + Send + 'a>> {
    Ok(Box::new(Checked {
        decoder: Members::new(stream),
        place: |decoder| place(decoder.stream()),
        name: name.to_owned(),
        form: "gzip",
    }))
}

#[cfg(not(feature = "gzip"))]
fn gzip<'a>(
    _: CountedBuffer<impl Read + Send + 'a>,
    name: &str,
) -> Result<Box<dyn Read + Send + 'a>> {
    Err(not_built_in(name, "gzip"))
}

#[cfg(feature = "zstd")]
fn zstd<'a>(
    stream: CountedBuffer<impl Read + Send + 'a>,
    name: &str,
) -> Result<Box<dyn Read + Send + 'a>> {
    Ok(Box::new(Checked {
        decoder: Frames::new(stream).map_err(|cause| cannot_read(name, cause))?,
        place: |decoder| place(decoder.stream()),
        name: name.to_owned(),
        form: "zstd",
    }))
}

#[cfg(not(feature = "zstd"))]
fn zstd<'a>(
    _: CountedBuffer<impl Read + Send + 'a>,
    name: &str,
) -> Result<Box<dyn Read + Send + 'a>> {
    Err(not_built_in(name, "zstd"))
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
fn not_built_in(name: &str, form: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`{name}` is {form}, and this build lacks the feature `{form}`"),
    )
}

/// Returns the decoder's offset in the compressed stream.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn place<R: Read>(stream: &CountedBuffer<R>) -> u64 {
    let read = stream.get_ref().bytes.load(Ordering::Relaxed);
    read - stream.buffer().len() as u64
}

/// A reader that counts its bytes.
struct Counted<R> {
    stream: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.stream.read(into)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// A decoder whose errors name the stream and the offset.
#[cfg(any(feature = "gzip", feature = "zstd"))]
struct Checked<D> {
    decoder: D,
    place: fn(&D) -> u64,
    name: String,
    form: &'static str,
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
impl<D: Read> Read for Checked<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(into).map_err(|cause| {
            let of_system = cause.raw_os_error().is_some();
            if of_system || cause.kind() == io::ErrorKind::Interrupted {
                return cause;
            }
            io::Error::other(broken(
                &self.name,
                self.form,
                (self.place)(&self.decoder),
                cause,
            ))
        })
    }
}

/// Returns whether the stream is complete and followed by bytes of another format.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn is_foreign(cause: &io::Error) -> bool {
    let cause = cause.get_ref();
    cause.is_some_and(|cause| cause.is::<super::members::Foreign>())
}

/// Returns the error for a stream that cannot be decompressed.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn broken(name: &str, form: &str, place: u64, cause: io::Error) -> Error {
    if needs_long_window(&cause) {
        let message = format!(
            "`{name}`: its {form} data was compressed with a window of more than 128 MiB; \
             decompress it first, with `zstd -d --long=31`"
        );
        return Error::new(ErrorKind::Capacity, message).with_source(cause);
    }
    let (what, advice) = match cause.kind() {
        _ if is_foreign(&cause) && form == "gzip" => {
            ("is followed by bytes that are not gzip", "cut them off")
        }
        _ if is_foreign(&cause) => ("is followed by bytes that are not zstd", "cut them off"),
        io::ErrorKind::UnexpectedEof => ("is incomplete", "download or copy it again"),
        _ => ("is corrupt", "download or copy it again"),
    };
    let message = format!("`{name}`: its {form} data {what}, at compressed byte {place}; {advice}");
    Error::new(ErrorKind::Format, message).with_source(cause)
}

/// Returns whether zstd needs a larger window than its default limit. Only its message says so.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn needs_long_window(cause: &io::Error) -> bool {
    cause.to_string().contains("too much memory")
}
