//! Outputs that are an open file descriptor: `/dev/stdout`, `/dev/fd/3`.
//!
//! These outputs are written through the descriptor. Opening the path would write a regular file from
//! its start or replace it, and would lose what other processes wrote to the descriptor.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::output_file::{MOST_LINKS, folder_of};

/// Folders with a name for each open descriptor, which is its number.
const TABLES: [&str; 3] = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

/// Returns the descriptor that a path names, directly or through symlinks.
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

/// Duplicates a descriptor. The copy shares the file and its position.
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

/// Opens a descriptor by its path. On most systems this duplicates it. Linux opens the file again, so
/// the file is opened for appending.
fn by_name(path: &Path) -> io::Result<File> {
    let file = File::options().append(true).open(path);
    file.map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => io::Error::other("no descriptor of this number is open"),
        _ => cause,
    })
}
