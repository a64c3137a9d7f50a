//! Compresses an output by its file name: `counts.csv.gz`, `counts.tsv.zst`.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::read::Compression;
use crate::{Error, ErrorKind, Result};

/// An output that compresses the bytes written to it.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use keymill::write::Encoder;
/// use keymill::read::Compression;
///
/// let mut encoder = Encoder::new(Compression::Gzip, Vec::new())?;
/// encoder.write_all(b"to\t2\n")?;
/// let bytes = encoder.finish()?;
/// assert_eq!(Compression::of(&bytes), Compression::Gzip);
/// assert_eq!(Compression::of_name("counts.tsv.zst".as_ref()), Compression::Zstd);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Encoder<W: Write>(Inner<W>);

enum Inner<W: Write> {
    None(W),
    #[cfg(feature = "gzip")]
    Gzip(Box<flate2::write::GzEncoder<W>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::Encoder<'static, W>>),
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Inner::None(_) => "Encoder(none)",
            #[cfg(feature = "gzip")]
            Inner::Gzip(_) => "Encoder(gzip)",
            #[cfg(feature = "zstd")]
            Inner::Zstd(_) => "Encoder(zstd)",
        })
    }
}

impl<W: Write> Encoder<W> {
    /// Creates an encoder that writes compressed bytes to `out`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if this build lacks the compression.
    pub fn new(compression: Compression, out: W) -> Result<Self> {
        Ok(Self(match compression {
            Compression::None => Inner::None(out),
            #[cfg(feature = "gzip")]
            Compression::Gzip => Inner::Gzip(Box::new(flate2::write::GzEncoder::new(
                out,
                flate2::Compression::default(),
            ))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let encoder = zstd::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL);
                Inner::Zstd(Box::new(encoder.map_err(|cause| {
                    Error::new(ErrorKind::Internal, "cannot start zstd").with_source(cause)
                })?))
            }
            #[cfg(not(all(feature = "gzip", feature = "zstd")))]
            missing => return Err(not_built_in(missing)),
        }))
    }

    /// Returns the output of the compressed bytes.
    pub fn get_ref(&self) -> &W {
        match &self.0 {
            Inner::None(out) => out,
            #[cfg(feature = "gzip")]
            Inner::Gzip(encoder) => encoder.get_ref(),
            #[cfg(feature = "zstd")]
            Inner::Zstd(encoder) => encoder.get_ref(),
        }
    }

    /// Writes the end of the compressed stream and returns the output.
    ///
    /// # Errors
    ///
    /// The error of the output.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Inner::None(out) => Ok(out),
            #[cfg(feature = "gzip")]
            Inner::Gzip(encoder) => encoder.finish(),
            #[cfg(feature = "zstd")]
            Inner::Zstd(encoder) => encoder.finish(),
        }
    }

    fn out(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            Inner::None(out) => out,
            #[cfg(feature = "gzip")]
            Inner::Gzip(encoder) => encoder,
            #[cfg(feature = "zstd")]
            Inner::Zstd(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out().flush()
    }
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
fn not_built_in(compression: Compression) -> Error {
    let name = match compression {
        Compression::Zstd => "zstd",
        _ => "gzip",
    };
    let message = format!("this build cannot write {name}: it lacks the feature `{name}`");
    Error::new(ErrorKind::Config, message)
}

impl Compression {
    /// Returns the compression for a file name: `.gz` is gzip, `.zst` is zstd, others are none.
    #[must_use]
    pub fn of_name(path: &Path) -> Self {
        let extension = path.extension().and_then(|it| it.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }
}
