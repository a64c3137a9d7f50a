//! One query at a time may use a checkpoint, or a log.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use super::atomic_file::cannot_read;
use crate::shown_name;
use crate::{Error, ErrorKind, Result};

/// The exclusive lock of a folder. The system frees it when the process ends.
#[derive(Debug)]
pub(in crate::stream) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of what is in `folder`, such as a checkpoint.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Checkpoint`] if another query has it, with the process that has it.
    pub(in crate::stream) fn take(what: &str, folder: &Path) -> Result<Self> {
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options
            .open(&path)
            .map_err(|cause| cannot_read(&path, cause))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(what, folder, &mut file)),
            Err(TryLockError::Error(cause)) => return Err(cannot_read(&path, cause)),
        }
        // The name is only for the message to others.
        let _ = file.set_len(0);
        let _ = write!(file, "process {}", std::process::id());
        Ok(Self { _file: file })
    }
}

fn in_use(what: &str, folder: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.take(100).read_to_string(&mut holder);
    let holder = match holder.is_empty() {
        true => "another process".to_owned(),
        false => holder,
    };
    let folder = shown_name(folder);
    let message = format!("the {what} `{folder}` is in use by {holder}; stop that query first");
    Error::new(ErrorKind::Checkpoint, message)
}
