//! Where text may be cut so that no token is.
#![forbid(unsafe_code)]

use crate::{Level, TokenRule};

/// A place where text may be cut: one part ends at `end`, the other begins at `next`.
///
/// A separator may stand between them, which belongs to neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) end: usize,
    pub(crate) next: usize,
}

/// Knows where a rule lets text be cut.
#[derive(Clone, Debug)]
pub(crate) struct Boundary {
    level: Level,
    rule: TokenRule,
}

impl Boundary {
    pub(crate) fn new(level: Level, rule: &TokenRule) -> Self {
        Self {
            level,
            rule: rule.clone(),
        }
    }

    /// The last place in a text where it may be cut.
    pub(crate) fn last(&self, text: &[u8]) -> Option<Cut> {
        let _ = self.level;
        let place = text.iter().rposition(|byte| self.separates(*byte))? + 1;
        Some(Cut {
            end: place,
            next: place,
        })
    }

    /// The first place in a text where it may be cut; the first `searched` bytes have none.
    pub(crate) fn first(&self, text: &[u8], searched: usize) -> Option<Cut> {
        let behind = text[searched..].iter();
        let place = searched + { behind }.position(|byte| self.separates(*byte))? + 1;
        Some(Cut {
            end: place,
            next: place,
        })
    }

    fn separates(&self, byte: u8) -> bool {
        match self.rule {
            TokenRule::Whitespace => byte.is_ascii_whitespace(),
            TokenRule::Words => byte.is_ascii() && !byte.is_ascii_alphanumeric(),
            _ => byte == b'\n',
        }
    }
}

/// Bytes at the front of a text that belong to a character begun before it.
///
/// No UTF-8 character has more than three such bytes; more of them are no character's.
pub(crate) fn bytes_of_character_before(text: &[u8]) -> usize {
    let goes_on = |byte: &&u8| (0x80..0xc0).contains(*byte);
    text.iter().take(3).take_while(goes_on).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_places_are_behind_separators() {
        let boundary = Boundary::new(Level::Scalar, &TokenRule::Whitespace);
        let at = |place| {
            Some(Cut {
                end: place,
                next: place,
            })
        };
        assert_eq!(boundary.last(b"to be or"), at(6));
        assert_eq!(boundary.first(b"to be or", 0), at(3));
        assert_eq!(boundary.first(b"to be or", 3), at(6));
        assert_eq!(boundary.first(b"to", 0), None);
    }

    #[test]
    fn the_rest_of_a_character_is_left_out() {
        let text = "a\u{2003}b".as_bytes();
        let rests: Vec<_> = (0..text.len())
            .map(|from| bytes_of_character_before(&text[from..]))
            .collect();
        assert_eq!(rests, [0, 0, 2, 1, 0]);
        assert_eq!(bytes_of_character_before(&[0x80; 9]), 3);
    }
}
