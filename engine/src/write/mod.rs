//! Output formats and output files.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod descriptor;
mod encoder;
pub mod format;
mod output_file;
#[cfg(target_os = "linux")]
mod unnamed;

use std::io;

use crate::{Error, ErrorKind};

pub use encoder::Encoder;
pub use format::{BatchWriter, Format};
#[doc(hidden)]
pub use format::{decode_base64, grouped, unescape};
pub use output_file::OutputFile;

/// Returns the error for an output that cannot be written: what it is, what to do, and the cause.
///
/// # Examples
///
/// ```
/// use std::io;
/// use keymill::{ErrorKind, write::cannot_write};
///
/// let error = cannot_write("`a/b`", io::ErrorKind::NotFound.into());
/// assert_eq!(error.kind(), ErrorKind::Sink);
/// assert!(error.to_string().starts_with("cannot write `a/b`; check its folder: "));
/// ```
#[must_use]
pub fn cannot_write(what: &str, cause: io::Error) -> Error {
    use io::ErrorKind::{
        InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied, QuotaExceeded,
        ReadOnlyFilesystem, StorageFull,
    };
    let advice = match cause.kind() {
        NotFound | NotADirectory => "check its folder",
        IsADirectory | InvalidFilename => "name a file",
        PermissionDenied | ReadOnlyFilesystem => "choose a folder that can be written to",
        StorageFull | QuotaExceeded => "free some space there",
        _ => "choose another output",
    };
    Error::new(ErrorKind::Sink, format!("cannot write {what}; {advice}")).with_source(cause)
}
