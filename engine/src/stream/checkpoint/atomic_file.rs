//! Files that appear complete or not at all, and whose damage is noticed when they are read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// The ending of files that are not complete yet.
pub(super) const UNFINISHED: &str = "tmp";

/// Writes a file with `fill`: a temporary file, fsync, rename, fsync of the folder. Tests kill the
/// process in `before_rename`.
///
/// A write that fails for lack of space leaves nothing and can be tried again.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] with the error of the system as its source.
pub(in crate::stream) fn write(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    before_rename: &dyn Fn(),
) -> Result<()> {
    let unfinished = path.with_added_extension(UNFINISHED);
    let written = write_and_rename(&unfinished, path, fill, before_rename);
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written.map_err(|cause| {
        let message = format!("cannot write `{}` of the checkpoint", shown_name(path));
        Error::new(ErrorKind::Checkpoint, message).with_source(cause)
    })
}

fn write_and_rename(
    unfinished: &Path,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    before_rename: &dyn Fn(),
) -> io::Result<()> {
    let mut file = io::BufWriter::new(File::create(unfinished)?);
    fill(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    before_rename();
    fs::rename(unfinished, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable.
///
/// # Errors
///
/// The error of the system.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Writes lines of text, and their checksum as the last line.
///
/// # Errors
///
/// Those of [`write`].
pub(super) fn write_text(path: &Path, text: &str, before_rename: &dyn Fn()) -> Result<()> {
    let checksum = crc32fast::hash(text.as_bytes());
    let fill = |out: &mut dyn Write| writeln!(out, "{text}crc32 {checksum:08x}");
    write(path, fill, before_rename)
}

/// Reads the lines of a text file, without the checksum.
///
/// # Errors
///
/// [`ErrorKind::Checkpoint`] if the file cannot be read, and if it is damaged.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|cause| cannot_read(path, cause))?;
    let text = String::from_utf8(bytes).map_err(|_| damaged(path, "it is not text"))?;
    let checked = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once("crc32 "))
        .filter(|(text, _)| text.is_empty() || text.ends_with('\n'));
    let (content, checksum) = checked.ok_or_else(|| damaged(path, "its end is missing"))?;
    match u32::from_str_radix(checksum, 16) {
        Ok(checksum) if checksum == crc32fast::hash(content.as_bytes()) => Ok(content.to_owned()),
        _ => Err(damaged(path, "its checksum is wrong")),
    }
}

pub(in crate::stream) fn cannot_read(path: &Path, cause: io::Error) -> Error {
    let message = format!("cannot read `{}` of the checkpoint", shown_name(path));
    Error::new(ErrorKind::Checkpoint, message).with_source(cause)
}

/// The error of a file that has other bytes than were written.
pub(in crate::stream) fn damaged(path: &Path, how: &str) -> Error {
    let message = format!("`{}` of the checkpoint is damaged: {how}", shown_name(path));
    Error::new(ErrorKind::Checkpoint, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_and_every_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7");
        write_text(&path, "v1\n{\"start\":3}\n", &|| {}).unwrap();
        assert_eq!(read_text(&path).unwrap(), "v1\n{\"start\":3}\n");
        let whole = fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            match read_text(&path) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Checkpoint),
                // A hexadecimal digit may change its case.
                Ok(text) => assert_eq!(text, "v1\n{\"start\":3}\n"),
            }
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read_text(&path).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7");
        let full = |_: &mut dyn Write| Err(io::ErrorKind::StorageFull.into());
        let failed = write(&path, full, &|| {});
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Checkpoint);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
