//! Outputs that are named as an open descriptor: `/dev/stdout`, `/dev/fd/3`.
//!
//! Opened by such a name, a regular file would be written from its beginning, or replaced, and what
//! others write to the descriptor would be lost. So the descriptor itself is written to.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::output_file::{MOST_LINKS, folder_of};

/// Folders in which each open descriptor has its number as a name.
const TABLES: [&str; 3] = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

/// The descriptor that a path names, itself or through symlinks.
pub(super) fn named(path: &Path) -> Option<u32> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let number = number(&path);
        if number.is_some() {
            return number;
        }
        let next = fs::read_link(&path).ok()?;
        path = folder_of(&path).join(next);
    }
    None
}

fn number(path: &Path) -> Option<u32> {
    match path.to_str()? {
        "/dev/stdin" => return Some(0),
        "/dev/stdout" => return Some(1),
        "/dev/stderr" => return Some(2),
        _ => {}
    }
    let folder = path.parent()?;
    let is_table = TABLES.iter().any(|table| folder == Path::new(table));
    let name = path.file_name()?.to_str()?;
    name.parse().ok().filter(|_| is_table)
}

/// Another handle of a descriptor, with the same position in the same file.
pub(super) fn open(number: u32, path: &Path) -> io::Result<File> {
    let file = match number {
        0 => io::stdin().as_fd().try_clone_to_owned(),
        1 => io::stdout().as_fd().try_clone_to_owned(),
        2 => io::stderr().as_fd().try_clone_to_owned(),
        _ => return duplicate(number).or_else(|_| by_name(path)),
    };
    file.map(File::from)
}

#[cfg(target_os = "linux")]
fn duplicate(number: u32) -> io::Result<File> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let number = i32::try_from(number).map_err(io::Error::other)?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(this, number, PidfdGetfdFlags::empty())?.into())
}

#[cfg(not(target_os = "linux"))]
fn duplicate(_: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What most systems take for another handle. Linux opens the file anew, so it is appended to.
fn by_name(path: &Path) -> io::Result<File> {
    let file = File::options().append(true).open(path);
    file.map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => io::Error::other("no descriptor of this number is open"),
        _ => cause,
    })
}
