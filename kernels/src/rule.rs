//! What a token is.
#![forbid(unsafe_code)]

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
