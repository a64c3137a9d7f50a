//! The rules that define tokens.
#![forbid(unsafe_code)]

use core::fmt;
use core::num::NonZeroUsize;

/// The rule that cuts bytes into tokens.
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
    /// Runs of characters that are not Unicode `White_Space`, as `str::split_whitespace` on valid
    /// UTF-8. In invalid UTF-8, the bytes of a white-space character are a separator wherever they
    /// occur.
    #[default]
    Whitespace,
    /// The parts of each line, as Python's `bytes.split(separator)`: empty tokens are kept.
    Split(Box<[u8]>),
    /// Runs of Unicode Alphabetic, Mark or Number characters; invalid UTF-8 is a separator.
    Words,
    /// Each line is a token; lines end with LF or CRLF.
    Lines,
    /// The `index`-th field of each line, counting from 1 as `cut` does.
    /// Lines without that field are rejected, and their number is reported.
    Field {
        /// The index of the field, from 1.
        index: NonZeroUsize,
        /// The separator of fields.
        separator: Box<[u8]>,
    },
}

/// Why a rule is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// The separator is empty.
    EmptySeparator,
    /// The separator holds a line end, which no line does.
    LineEndInSeparator,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySeparator => {
                "the separator of the token rule is empty; give it at least one byte"
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
    /// Checks that the rule is valid.
    ///
    /// Kernels accept invalid rules too: no line holds such a separator, so each line is one token.
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
