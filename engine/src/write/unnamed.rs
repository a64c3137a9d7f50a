//! Files that have no name until they are complete (Linux).
//!
//! The system removes such a file however the process ends, also after `SIGKILL` or at the CPU time
//! limit.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, OFlags, linkat};

/// Creates a file in a folder, if the file system supports it and `/proc` can be used to name it later.
pub(super) fn create(folder: &Path, mode: u32) -> Option<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).ok()?;
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(flags).mode(mode);
    let file = options.open(folder).ok()?;
    fs::read_link(name(&file)).is_ok().then_some(file)
}

/// Gives the file a name, which must not exist yet.
pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
    linkat(CWD, name(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

fn name(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
