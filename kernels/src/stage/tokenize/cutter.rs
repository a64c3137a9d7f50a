//! The interface of token rules: they cut text, tile by tile.

use super::field::Field;
use super::separator::{ManyBytes, OneByte};
use super::split::Split;
use super::tile::{Cut, Tile};
use super::whitespace::Whitespace;
use super::words::Words;
use crate::isa::Isa;
use crate::{TokenRule, Tuning};

/// Cuts text into tokens, tile by tile.
///
/// ```text
/// text  |the quick bro|wn fox jumps|   a token that crosses a tile's end begins the next tile
/// tiles |the quick    |brown fox   |
/// ```
pub(crate) trait Cutter {
    /// Cuts the first tile of `text`, which must begin at the beginning of a token or line.
    ///
    /// The end of `text` ends a token, a line and a record.
    fn cut<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut;

    /// Returns whether the rest `text` has more tokens: bytes, or a pending empty token.
    #[inline(always)]
    fn has_more(&self, text: &[u8]) -> bool {
        !text.is_empty()
    }

    /// Returns the number of rejected lines since the last call.
    fn take_rejected(&mut self) -> u64 {
        0
    }
}

/// A function over any cutter.
pub(crate) trait Visit {
    /// The result.
    type Out;

    /// Runs with a cutter.
    fn visit<C: Cutter>(self, cutter: &mut C) -> Self::Out;
}

/// What is inserted between two records that are tokenized as one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// A space: it ends any token and adds none.
    Space,
    /// A line end, unless the record has one.
    LineEnd,
}

/// The cutter of any rule.
pub(crate) enum AnyCutter {
    Whitespace(Whitespace),
    Words(Words),
    SplitByte(Split<OneByte>),
    SplitBytes(Split<ManyBytes>),
    FieldByte(Field<OneByte>),
    FieldBytes(Field<ManyBytes>),
}

impl AnyCutter {
    pub(crate) fn new(rule: &TokenRule, tuning: &Tuning) -> Self {
        let bytes = tuning.tile_bytes;
        match rule {
            TokenRule::Whitespace => Self::Whitespace(Whitespace::new(bytes)),
            TokenRule::Words => Self::Words(Words::new(bytes)),
            TokenRule::Lines => Self::SplitByte(Split::new(OneByte::LINES, bytes)),
            TokenRule::Split(separator) => match OneByte::of(separator) {
                Some(one) => Self::SplitByte(Split::new(one, bytes)),
                None => Self::SplitBytes(Split::new(ManyBytes::new(separator), bytes)),
            },
            TokenRule::Field { index, separator } => match OneByte::of(separator) {
                Some(one) => Self::FieldByte(Field::new(*index, one, bytes)),
                None => {
                    let many = ManyBytes::new(separator);
                    Self::FieldBytes(Field::new(*index, many, bytes))
                }
            },
        }
    }

    /// Calls the visitor with the cutter; the only place that distinguishes the rules.
    #[inline]
    pub(crate) fn visit<V: Visit>(&mut self, visitor: V) -> V::Out {
        match self {
            Self::Whitespace(cutter) => visitor.visit(cutter),
            Self::Words(cutter) => visitor.visit(cutter),
            Self::SplitByte(cutter) => visitor.visit(cutter),
            Self::SplitBytes(cutter) => visitor.visit(cutter),
            Self::FieldByte(cutter) => visitor.visit(cutter),
            Self::FieldBytes(cutter) => visitor.visit(cutter),
        }
    }

    /// Returns what separates two records under this rule.
    pub(crate) fn join(&self) -> Join {
        match self {
            Self::Whitespace(_) | Self::Words(_) => Join::Space,
            _ => Join::LineEnd,
        }
    }
}
