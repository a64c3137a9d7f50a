//! Finds the records (lines) of a text, and where a reader may cut it into chunks.
//!
//! ```text
//! text     a b \r \n c \n \n d
//! records  0..2      4..5 6..6 7..8
//! ```

mod boundary;

pub use boundary::{Boundary, first_boundary, last_boundary};

use crate::stage::tokenize::{InputError, Span, Tokenized, Tokenizer};
use crate::{Level, TokenRule, Tuning};

/// Finds the lines of texts; its memory is reused for each text.
///
/// Lines end with LF or CRLF, which are not part of them; the last one may have no line end. An
/// empty text has no line.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::frame::Framer;
/// use keymill_kernels::{Level, Tuning};
///
/// let mut framer = Framer::new(Level::best(), &Tuning::DEFAULT);
/// let mut records = Vec::new();
/// let text = b"ab\r\nc\n\nd";
/// framer.frame(text, &mut records)?;
/// let lines: Vec<_> = records.iter().map(|record| record.of(text)).collect();
/// assert_eq!(lines, [&b"ab"[..], b"c", b"", b"d"]);
/// # Ok::<(), keymill_kernels::stage::tokenize::InputError>(())
/// ```
pub struct Framer {
    lines: Tokenizer,
}

impl Framer {
    /// Makes a framer; a level that is not available runs as scalar.
    #[must_use]
    pub fn new(level: Level, tuning: &Tuning) -> Self {
        // A line is a token of a rule that never splits lines.
        Self {
            lines: Tokenizer::new(level, &TokenRule::Lines, tuning),
        }
    }

    /// Replaces `out` by the spans of the lines of a text.
    ///
    /// # Errors
    ///
    /// [`InputError::TextTooLong`] past `u32::MAX` bytes.
    pub fn frame(&mut self, text: &[u8], out: &mut Vec<Span>) -> Result<Tokenized, InputError> {
        self.lines.tokenize(text, None, out)
    }
}

#[cfg(test)]
mod tests;
