//! Where text may be cut so that no token is.
#![forbid(unsafe_code)]

use keymill_kernels::stage::frame::{first_boundary, last_boundary};

use crate::{Level, TokenRule};

pub(crate) use keymill_kernels::stage::frame::Boundary as Cut;

/// Knows where a rule lets text be cut.
#[derive(Clone, Debug)]
pub(crate) struct Boundary {
    level: Level,
    rule: TokenRule,
}

impl Boundary {
    /// Where `rule` lets text be cut that may become lower case before it meets the rule.
    pub(crate) fn new(level: Level, rule: &TokenRule, lowercase: bool) -> Self {
        let rule = match rule {
            // What separates in lower case is another set of places than before.
            TokenRule::Split(separator) if lowercase && has_letters(separator) => TokenRule::Lines,
            rule => rule.clone(),
        };
        Self { level, rule }
    }

    /// The last place in a text where it may be cut.
    pub(crate) fn last(&self, text: &[u8]) -> Option<Cut> {
        last_boundary(self.level, &self.rule, text)
    }

    /// The first place in a text where it may be cut; the first `searched` bytes have none.
    pub(crate) fn first(&self, text: &[u8], searched: usize) -> Option<Cut> {
        first_boundary(self.level, &self.rule, text, searched)
    }
}

fn has_letters(separator: &[u8]) -> bool {
    let may_be_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    separator.iter().any(may_be_letter)
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
    fn separators_with_letters_do_not_cut_text_that_becomes_lower_case() {
        let cut = |separator: &[u8], lowercase| {
            let rule = TokenRule::Split(separator.into());
            Boundary::new(Level::Scalar, &rule, lowercase).last(b"aXb,c")
        };
        assert!(cut(b"X", false).is_some() && cut(b"X", true).is_none());
        assert!(cut(b",", false).is_some() && cut(b",", true).is_some());
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
