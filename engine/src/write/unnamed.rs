//! Files that have no name until they are complete (Linux).
//!
//! However the process ends, such a file leaves nothing: not after `SIGKILL`, and not at the limit
//! of CPU time.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, OFlags, linkat};

/// A new file in a folder, where the file system has such files and `/proc` can name it later.
pub(super) fn create(folder: &Path, mode: u32) -> Option<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).ok()?;
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(flags).mode(mode);
    let file = options.open(folder).ok()?;
    fs::read_link(name(&file)).is_ok().then_some(file)
}

/// Gives the file a name, which must be a new one.
pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
    linkat(CWD, name(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

fn name(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
