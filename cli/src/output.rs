//! The output of a command: standard output, or a file that is replaced at the end.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keymill::Result;
use keymill::read::Compression;
use keymill::write::{Encoder, OutputFile, cannot_write};

/// Temporary files of the outputs that this process has opened.
///
/// The list is locked while an output is renamed, so that an interrupted process removes all temporary
/// files and does not exit during a rename.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporary() -> MutexGuard<'static, Vec<PathBuf>> {
    // A panic cannot leave a list of paths in an invalid state.
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of outputs that were not committed, and exits by `end`.
pub(crate) fn leave_nothing(end: impl FnOnce() -> std::convert::Infallible) -> ! {
    let temporary = temporary();
    for path in temporary.iter() {
        // Fails for outputs that were committed or dropped.
        let _ = fs::remove_file(path);
    }
    match end() {}
}

/// An output whose errors contain its name.
#[derive(Debug)]
pub(crate) enum Output {
    Standard(Standard),
    File(Box<Encoder<OutputFile>>),
}

/// Standard output without the line buffer of `io::stdout`.
#[cfg(unix)]
type Standard = fs::File;

#[cfg(not(unix))]
type Standard = io::Stdout;

impl Output {
    /// Opens the output of `-o`. Without a path, or for `-`, it is standard output. A file whose name
    /// ends with `.gz` or `.zst` is compressed.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| !is_standard(path)) else {
            let out = standard().map_err(|cause| cannot_write("to standard output", cause));
            return out.map(Self::Standard);
        };
        // Opening a pipe blocks until it has a reader. The lock is not held, so that an interrupt works.
        let file = OutputFile::create(path)?;
        temporary().extend(file.temporary().map(Path::to_owned));
        Encoder::new(Compression::of_name(path), file).map(|file| Self::File(Box::new(file)))
    }

    /// Returns the number of columns, if this is a terminal and the system reports it.
    pub(crate) fn columns(&self) -> Option<usize> {
        #[cfg(target_os = "linux")]
        if let Self::Standard(out) = self {
            let size = rustix::termios::tcgetwinsize(out).ok()?;
            return Some(usize::from(size.ws_col)).filter(|&columns| columns > 0);
        }
        None
    }

    /// Replaces the file, if the output is one.
    pub(crate) fn commit(self) -> Result<()> {
        let Self::File(encoder) = self else {
            return Ok(());
        };
        let file = encoder.finish();
        let file = file.map_err(|cause| cannot_write("the result", cause))?;
        let _locked = temporary();
        file.commit()
    }
}

/// Returns whether a path names standard output.
pub(crate) fn is_standard(path: &Path) -> bool {
    const NAMES: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    NAMES.iter().any(|name| path == Path::new(name))
}

/// Returns whether the output is a terminal.
pub(crate) fn is_terminal(path: Option<&Path>) -> bool {
    path.is_none_or(is_standard) && io::stdout().is_terminal()
}

#[cfg(unix)]
fn standard() -> io::Result<Standard> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(Into::into)
}

#[cfg(not(unix))]
fn standard() -> io::Result<Standard> {
    Ok(io::stdout())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Standard(out) => out.write(bytes).map_err(|cause| match cause.kind() {
                io::ErrorKind::Interrupted => cause,
                kind => io::Error::new(kind, format!("standard output: {cause}")),
            }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Standard(out) => out.flush(),
        }
    }
}
