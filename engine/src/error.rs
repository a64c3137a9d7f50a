//! The error type of the library.
#![forbid(unsafe_code)]

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::shown_name;

/// The result type of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error, for programs to match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A request is not valid: a wrong option, a level that this machine lacks.
    Config,
    /// The input cannot be opened or read.
    Source,
    /// The output cannot be written.
    Sink,
    /// The input is not in the expected format: a corrupt gzip member, a wrong column type.
    Format,
    /// A limit is exceeded: a full spill disk, a sum that does not fit its type.
    Capacity,
    /// A requested device cannot be used.
    Device,
    /// The state of an operator cannot be stored or read.
    State,
    /// A checkpoint cannot be written or read.
    Checkpoint,
    /// A disk is full, or a system outside does not answer or is locked. A stream pauses, and tries again.
    Unavailable,
    /// The job was cancelled.
    Cancelled,
    /// A bug of keymill.
    Internal,
}

/// An error: what happened, where, and what to do.
///
/// # Examples
///
/// ```
/// use keymill::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Config, "0 threads: at least one is needed");
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert_eq!(error.to_string(), "0 threads: at least one is needed");
/// ```
///
/// `{:?}` writes the message and its causes, one per line. A program whose `main` returns this error
/// prints it in this form. Clones are cheap.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error of a kind, with a message that says what happened, where, and what to do. Control
    /// characters in it are escaped, because names and values of an input may have them.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: shown_name(message.into()),
            source: None,
        }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(cause.into().into());
        self
    }

    /// Creates the error of a cancelled job.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(
            ErrorKind::Cancelled,
            "the job was cancelled; nothing was written",
        )
    }

    /// Creates the error of a thread that panicked.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Self::new(
            ErrorKind::Internal,
            format!("a worker panicked: {message}; this is a bug of keymill, please report it"),
        )
    }

    /// Returns the message without the cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl From<keymill_kernels::RuleError> for Error {
    fn from(error: keymill_kernels::RuleError) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}

impl From<keymill_kernels::UnknownLevel> for Error {
    fn from(error: keymill_kernels::UnknownLevel) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\n  caused by: {}", shown_name(error.to_string()))?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(cause) => write!(f, ": {}", shown_name(cause.to_string())),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|cause| cause.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn debug_writes_the_message_and_all_causes() {
        let inner = Error::new(ErrorKind::Source, "inner").with_source(io::Error::other("disk"));
        let outer = Error::new(ErrorKind::State, "outer").with_source(inner);
        let expected = "outer\n  caused by: inner: disk\n  caused by: disk";
        assert_eq!(format!("{outer:?}"), expected);
    }

    #[test]
    fn control_characters_are_escaped() {
        let cause = io::Error::other("b\n");
        let error = Error::new(ErrorKind::Format, "`a\u{1b}[31m`").with_source(cause);
        assert_eq!(error.message(), r"`a\x1b[31m`");
        assert_eq!(error.to_string(), r"`a\x1b[31m`: b\n");
    }

    #[test]
    fn errors_of_the_kernels_are_of_kind_config() {
        let rule = "split:".parse::<crate::TokenRule>().unwrap_err();
        let level = "mmx".parse::<crate::Level>().unwrap_err();
        for error in [Error::from(rule), Error::from(level)] {
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
