//! Finds positions where text can be cut without cutting a token.
#![forbid(unsafe_code)]

use keymill_kernels::stage::frame::{first_boundary, last_boundary};

use crate::{Level, TokenRule};

pub(crate) use keymill_kernels::stage::frame::Boundary as Cut;

/// Finds the positions where a rule allows a cut.
#[derive(Clone, Debug)]
pub(crate) struct Boundary {
    level: Level,
    rule: TokenRule,
}

impl Boundary {
    /// Creates the boundary for a rule. `lowercase` means that the text is mapped to lower case after
    /// it was cut and before the rule is applied.
    pub(crate) fn new(level: Level, rule: &TokenRule, lowercase: bool) -> Self {
        let rule = match rule {
            // Lower case changes where a separator with letters occurs. Line ends stay in place.
            TokenRule::Split(separator) if lowercase && has_letters(separator) => TokenRule::Lines,
            rule => rule.clone(),
        };
        Self { level, rule }
    }

    /// Returns the last possible cut in a text.
    pub(crate) fn last(&self, text: &[u8]) -> Option<Cut> {
        last_boundary(self.level, &self.rule, text)
    }

    /// Returns a cut after about `wanted` bytes, or the end of the text if there is none.
    pub(crate) fn cut(&self, text: &[u8], wanted: usize) -> Cut {
        let whole = Cut {
            end: text.len(),
            next: text.len(),
        };
        if text.len() <= wanted {
            return whole;
        }
        let near = self.last(&text[..wanted]);
        near.or_else(|| self.first(text, wanted)).unwrap_or(whole)
    }

    /// Returns the first possible cut in a text. The first `searched` bytes are known to have none.
    pub(crate) fn first(&self, text: &[u8], searched: usize) -> Option<Cut> {
        first_boundary(self.level, &self.rule, text, searched)
    }
}

fn has_letters(separator: &[u8]) -> bool {
    let may_be_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    separator.iter().any(may_be_letter)
}

/// Counts the UTF-8 continuation bytes at the start of a text, up to three.
///
/// They belong to a character that begins before the text. No character has more than three.
pub(crate) fn bytes_of_character_before(text: &[u8]) -> usize {
    let is_continuation = |byte: &&u8| (0x80..0xc0).contains(*byte);
    text.iter().take(3).take_while(is_continuation).count()
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
    fn continuation_bytes_are_counted() {
        let text = "a\u{2003}b".as_bytes();
        let counts: Vec<_> = (0..text.len())
            .map(|from| bytes_of_character_before(&text[from..]))
            .collect();
        assert_eq!(counts, [0, 0, 2, 1, 0]);
        assert_eq!(bytes_of_character_before(&[0x80; 9]), 3);
    }
}
