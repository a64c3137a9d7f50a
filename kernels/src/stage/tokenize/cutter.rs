//! What a token rule is to the stages: it cuts text, tile by tile.

use super::field::Field;
use super::separator::{ManyBytes, OneByte};
use super::split::Split;
use super::tile::{Cut, Tile};
use super::whitespace::Whitespace;
use super::words::Words;
use crate::isa::Isa;
use crate::{TokenRule, Tuning};

/// Cuts text into tokens, a tile at a time.
///
/// ```text
/// text  |the quick bro|wn fox jumps|   a token across the end of a tile begins the next one
/// tiles |the quick    |brown fox   |
/// ```
pub(crate) trait Cutter {
    /// Cuts the first tile of `text`, which begins where a token (or line) may begin.
    ///
    /// The end of `text` is the end of a token, a line and a record.
    fn cut<I: Isa>(&mut self, isa: I, text: &[u8], tile: &mut Tile) -> Cut;

    /// Tells whether `text`, what is left, has tokens still: bytes, or an empty token behind them.
    #[inline(always)]
    fn has_more(&self, text: &[u8]) -> bool {
        !text.is_empty()
    }

    /// How many lines had no token to give since this was last asked.
    fn take_rejected(&mut self) -> u64 {
        0
    }
}

/// Something to be done with a cutter, whichever it is.
pub(crate) trait Visit {
    /// What it answers.
    type Out;

    /// Does it.
    fn visit<C: Cutter>(self, cutter: &mut C) -> Self::Out;
}

/// What stands between two records that are cut as one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// A space ends any token, and adds none.
    Space,
    /// A line end; a record that has one needs no other.
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

    /// Does something with the cutter: the one place in which rules are told apart.
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

    /// What keeps two records apart under this rule.
    pub(crate) fn join(&self) -> Join {
        match self {
            Self::Whitespace(_) | Self::Words(_) => Join::Space,
            _ => Join::LineEnd,
        }
    }
}
