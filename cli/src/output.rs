//! Where a command's bytes go: standard output, or a file that is replaced at the end.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use keymill::Result;
use keymill::write::{OutputFile, cannot_write};

/// An output that knows its name when it fails.
#[derive(Debug)]
pub(crate) enum Output {
    Standard(Standard),
    File(OutputFile),
}

/// Standard output without the buffer and the search for line ends that `io::stdout` adds.
#[cfg(unix)]
type Standard = std::fs::File;

#[cfg(not(unix))]
type Standard = io::Stdout;

impl Output {
    /// Opens what `-o` names; nothing and `-` are standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) if !is_standard(path) => OutputFile::create(path).map(Self::File),
            _ => standard()
                .map(Self::Standard)
                .map_err(|cause| cannot_write("to standard output", cause)),
        }
    }

    /// Lets a file take its place.
    pub(crate) fn commit(self) -> Result<()> {
        match self {
            Self::Standard(_) => Ok(()),
            Self::File(file) => file.commit(),
        }
    }
}

/// Tells whether a path stands for standard output.
pub(crate) fn is_standard(path: &Path) -> bool {
    // Opened by its name, a file that standard output appends to would be cut.
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// Tells whether a person will see the bytes.
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
