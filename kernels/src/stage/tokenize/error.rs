//! What can be wrong with the input of a stage.

use core::fmt;

/// Input that a stage does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// Spans have 32 bits, and the text has more bytes than that.
    TextTooLong {
        /// How many it has.
        bytes: usize,
    },
    /// A record ends before it begins, or begins below zero.
    OffsetsDescend {
        /// Which one, counting from 0.
        record: usize,
    },
    /// The last record ends behind the text.
    OffsetsBeyondText {
        /// Where it ends.
        end: usize,
        /// How many bytes the text has.
        bytes: usize,
    },
    /// A span ends behind the text, or before it begins.
    SpanBeyondText {
        /// Which one, counting from 0.
        span: usize,
        /// How many bytes the text has.
        bytes: usize,
    },
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextTooLong { bytes } => write!(
                f,
                "the text has {bytes} bytes and spans reach {}; cut it into chunks",
                u32::MAX
            ),
            Self::OffsetsDescend { record } => {
                write!(
                    f,
                    "record {record} ends before it begins; offsets must ascend from 0"
                )
            }
            Self::OffsetsBeyondText { end, bytes } => write!(
                f,
                "the records end at byte {end}, but the text has {bytes} bytes"
            ),
            Self::SpanBeyondText { span, bytes } => write!(
                f,
                "span {span} does not lie in the text, which has {bytes} bytes"
            ),
        }
    }
}

impl core::error::Error for InputError {}
