//! Errors in the input of a stage.

use core::fmt;

/// Invalid input of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// The text has more bytes than a 32-bit span can hold.
    TextTooLong {
        /// Number of bytes of the text.
        bytes: usize,
    },
    /// A record ends before it begins, or begins below zero.
    OffsetsDescend {
        /// Its index, from 0.
        record: usize,
    },
    /// The last record ends after the text.
    OffsetsBeyondText {
        /// The end of the record.
        end: usize,
        /// Number of bytes of the text.
        bytes: usize,
    },
    /// A span ends after the text, or before it begins.
    SpanBeyondText {
        /// Its index, from 0.
        span: usize,
        /// Number of bytes of the text.
        bytes: usize,
    },
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextTooLong { bytes } => write!(
                f,
                "the text has {bytes} bytes, spans allow {}; cut it into chunks",
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
                "span {span} is not within the text, which has {bytes} bytes"
            ),
        }
    }
}

impl core::error::Error for InputError {}
