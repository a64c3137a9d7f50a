//! What a token is.
#![forbid(unsafe_code)]

use core::fmt;
use core::num::NonZeroUsize;

/// The rule by which bytes are cut into tokens.
///
/// | rule | tokens of `"a  b,c\r\n"` |
/// |---|---|
/// | `Whitespace` | `a`, `b,c` |
/// | `Split(",")` | `a  b`, `c` |
/// | `Words` | `a`, `b`, `c` |
/// | `Lines` | `a  b,c` |
/// | `Field { index: 2, separator: "," }` | `c` |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenRule {
    /// Runs of anything but Unicode `White_Space`, as `str::split_whitespace` on valid UTF-8.
    /// In other bytes, wherever the UTF-8 bytes of a white-space character stand, they separate.
    #[default]
    Whitespace,
    /// Within each line, as Python's `bytes.split(separator)`: empty tokens are kept.
    Split(Box<[u8]>),
    /// Runs of Unicode Alphabetic, Mark or Number characters; invalid UTF-8 separates.
    Words,
    /// Each line is a token; lines end with LF or CRLF.
    Lines,
    /// The `index`-th field of each line, counting from 1 as `cut` does.
    /// A line without that field is rejected and counted.
    Field {
        /// Which field, counting from 1.
        index: NonZeroUsize,
        /// What stands between two fields.
        separator: Box<[u8]>,
    },
}

/// Why a rule cannot be meant as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// Nothing separates nothing.
    EmptySeparator,
    /// No line holds a line end.
    LineEndInSeparator,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySeparator => {
                "the separator of the token rule is empty; give it a byte at least"
            }
            Self::LineEndInSeparator => {
                "the separator of the token rule holds a line end, which ends lines already; \
                 use `lines`, or another separator"
            }
        })
    }
}

impl core::error::Error for RuleError {}

impl TokenRule {
    /// Tells whether the rule can be meant as it stands.
    ///
    /// Kernels take any rule: no line holds such a separator, so that each is one token.
    ///
    /// # Errors
    ///
    /// [`RuleError`] for a separator that is empty or holds LF.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::{RuleError, TokenRule};
    ///
    /// assert_eq!(TokenRule::Split((*b", ").into()).check(), Ok(()));
    /// assert_eq!(TokenRule::Split([].into()).check(), Err(RuleError::EmptySeparator));
    /// ```
    pub fn check(&self) -> Result<(), RuleError> {
        match self {
            Self::Split(separator) | Self::Field { separator, .. } => match &**separator {
                [] => Err(RuleError::EmptySeparator),
                bytes if bytes.contains(&b'\n') => Err(RuleError::LineEndInSeparator),
                _ => Ok(()),
            },
            Self::Whitespace | Self::Words | Self::Lines => Ok(()),
        }
    }
}
