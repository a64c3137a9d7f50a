//! Errors of interning keys in a table.
#![forbid(unsafe_code)]

use core::fmt;

use crate::stage::tokenize::InputError;

/// Why keys could not be interned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InternError {
    /// The keys are not within their text.
    Input(InputError),
    /// There are more distinct keys than ids.
    TooManyKeys {
        /// Maximum number of keys of the table.
        most: u32,
    },
    /// There is not enough memory for a larger table.
    OutOfMemory {
        /// Number of bytes that were requested.
        bytes: usize,
    },
}

impl fmt::Display for InternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::TooManyKeys { most } => write!(
                f,
                "there are more than {most} distinct keys; split them into partitions"
            ),
            Self::OutOfMemory { bytes } => write!(
                f,
                "a larger key table needs {bytes} bytes of memory, which are not available"
            ),
        }
    }
}

impl core::error::Error for InternError {}

impl From<InputError> for InternError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

/// The id for the next new key, unless all ids are in use.
#[derive(Clone, Copy)]
pub(super) struct FreshId {
    pub(super) id: u32,
    /// Maximum number of keys.
    pub(super) most: u32,
}

impl FreshId {
    /// Returns the id, for a new key.
    #[inline(always)]
    pub(super) fn take(self) -> Result<u32, InternError> {
        let Self { id, most } = self;
        if id < most {
            Ok(id)
        } else {
            Err(InternError::TooManyKeys { most })
        }
    }
}
