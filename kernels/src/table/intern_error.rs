//! Why a key table cannot take more keys.
#![forbid(unsafe_code)]

use core::fmt;

use crate::stage::tokenize::InputError;

/// Keys that a table does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InternError {
    /// The keys do not lie in the text that they came with.
    Input(InputError),
    /// There are more different keys than ids.
    TooManyKeys {
        /// How many the table holds at most.
        most: u32,
    },
    /// The system has no memory for a larger table.
    OutOfMemory {
        /// How many bytes were asked for.
        bytes: usize,
    },
}

impl fmt::Display for InternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::TooManyKeys { most } => write!(
                f,
                "there are more than {most} different keys; split them into partitions"
            ),
            Self::OutOfMemory { bytes } => write!(
                f,
                "the system has no {bytes} bytes of memory for a larger key table"
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

/// The id of the next new key, if there is one left.
#[derive(Clone, Copy)]
pub(super) struct FreshId {
    pub(super) id: u32,
    /// How many keys there may be.
    pub(super) most: u32,
}

impl FreshId {
    /// The id, for a key that is new.
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
