//! Token rules in the form that shaders use.
#![forbid(unsafe_code)]

use bytemuck::bytes_of_mut;
use keymill_shaders::{LANE_BYTES, Stage};

use super::SPAN_BYTES;
use crate::TokenRule;

/// The maximum length of a separator. A lane sees its own 16 bytes and those of the next lane.
const MAX_SEPARATOR_BYTES: usize = LANE_BYTES;

/// Returns the reason why no device can tokenize this text by this rule, or `None` if one can.
pub(crate) fn refusal(rule: &TokenRule, text: &[u8]) -> Option<&'static str> {
    match rule {
        TokenRule::Whitespace | TokenRule::Lines => None,
        TokenRule::Words => {
            let why = "words beyond ASCII need Unicode tables, which the shaders do not contain";
            (!text.is_ascii()).then_some(why)
        }
        TokenRule::Split(separator) | TokenRule::Field { separator, .. } => {
            refusal_of_separator(found_in_lines(separator))
        }
    }
}

fn refusal_of_separator(separator: &[u8]) -> Option<&'static str> {
    let overlaps = |by: usize| separator.starts_with(&separator[by..]);
    if separator.len() > MAX_SEPARATOR_BYTES {
        return Some("devices support separators of up to 16 bytes");
    }
    // With an overlapping separator, a match depends on all earlier bytes of the line.
    (1..separator.len())
        .any(overlaps)
        .then_some("devices support no separator that can overlap itself")
}

/// Returns the separator, or nothing if no line can contain it.
fn found_in_lines(separator: &[u8]) -> &[u8] {
    if separator.contains(&b'\n') {
        &[]
    } else {
        separator
    }
}

/// A rule that devices support, in the form that its shader uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeviceRule {
    pub(super) stage: Stage,
    separator: [u32; 4],
    pub(super) separator_bytes: u32,
    /// The number of the field, from 1; 0 if the rule has no field.
    pub(super) field: u32,
}

impl DeviceRule {
    pub(super) fn of(rule: &TokenRule) -> Self {
        let (stage, separator, field) = match rule {
            TokenRule::Whitespace => (Stage::Tokenize, &[][..], 0),
            TokenRule::Words => (Stage::TokenizeWords, &[][..], 0),
            TokenRule::Lines => (Stage::Frame, &[][..], 0),
            TokenRule::Split(separator) => (Stage::TokenizeSplit, found_in_lines(separator), 0),
            TokenRule::Field { index, separator } => {
                // No text has enough fields for this maximum.
                let field = u32::try_from(index.get()).unwrap_or(u32::MAX);
                (Stage::TokenizeField, found_in_lines(separator), field)
            }
        };
        let mut words = [0; 4];
        let taken = separator.len().min(MAX_SEPARATOR_BYTES);
        bytes_of_mut(&mut words)[..taken].copy_from_slice(&separator[..taken]);
        Self {
            stage,
            separator: words.map(u32::from_le),
            separator_bytes: taken as u32,
            field,
        }
    }

    pub(super) fn separator(&self) -> [u32; 4] {
        self.separator
    }

    /// Tells whether tokens are runs of bytes of one class. Otherwise they are parts of lines, and
    /// may be empty.
    pub(super) fn yields_runs(&self) -> bool {
        matches!(self.stage, Stage::Tokenize | Stage::TokenizeWords)
    }

    /// Returns the maximum number of tokens in a text of this size.
    pub(super) fn max_tokens(&self, text_bytes: usize, has_records: bool) -> usize {
        let separator_bytes = self.separator_bytes as usize;
        let splits = self.stage == Stage::TokenizeSplit && separator_bytes > 0;
        match has_records {
            // Two runs start at least two bytes apart, unless a record ends between them.
            false if self.yields_runs() => text_bytes.div_ceil(2),
            // One token before each byte, and one after the last.
            false if splits => text_bytes + 1,
            // Each byte starts a line, and each separator splits one.
            true if splits => text_bytes + text_bytes / separator_bytes,
            _ => text_bytes,
        }
    }

    /// Returns the maximum size of a text in bytes, so that the spans fit one binding.
    pub(super) fn max_bytes(&self, binding_bytes: u64, has_records: bool) -> usize {
        let spans = usize::try_from(binding_bytes / SPAN_BYTES).unwrap_or(usize::MAX);
        let separator_bytes = self.separator_bytes as usize;
        let splits = self.stage == Stage::TokenizeSplit && separator_bytes > 0;
        match has_records {
            false if self.yields_runs() => spans.saturating_mul(2),
            false if splits => spans.saturating_sub(1),
            true if splits => spans - spans.div_ceil(separator_bytes + 1),
            _ => spans,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroUsize;

    use super::*;

    fn split(separator: &[u8]) -> TokenRule {
        TokenRule::Split(separator.into())
    }

    fn field(index: usize) -> TokenRule {
        TokenRule::Field {
            index: NonZeroUsize::new(index).unwrap(),
            separator: b","[..].into(),
        }
    }

    #[test]
    fn unsupported_rules_are_refused_with_the_reason() {
        let ascii = b"to be";
        for rule in [
            TokenRule::Whitespace,
            TokenRule::Words,
            TokenRule::Lines,
            split(b", "),
            split(b""),
            split(&[b','; 70].map(|_| b'\n')),
            split(b"0123456789abcdef"),
            field(usize::MAX),
        ] {
            assert_eq!(refusal(&rule, ascii), None, "{rule:?}");
        }
        for (rule, text, says) in [
            (TokenRule::Words, "thé", "beyond ASCII"),
            (split(b"0123456789abcdefg"), "to be", "16 bytes"),
            (split(b",,"), "to be", "overlap"),
            (split(b"abcab"), "to be", "overlap"),
        ] {
            let why = refusal(&rule, text.as_bytes()).unwrap();
            assert!(why.contains(says), "{rule:?}: {why}");
        }
    }

    #[test]
    fn a_separator_is_packed_into_four_words() {
        let rule = DeviceRule::of(&split(b"abcde"));
        assert_eq!(rule.separator(), [0x6463_6261, 0x65, 0, 0]);
        assert_eq!(rule.separator_bytes, 5);
        assert_eq!(DeviceRule::of(&split(b"a\n")).separator_bytes, 0);
        assert_eq!(DeviceRule::of(&field(3)).field, 3);
        assert_eq!(DeviceRule::of(&field(usize::MAX)).field, u32::MAX);
    }

    #[test]
    fn the_tokens_of_the_maximum_size_fit_one_binding() {
        for rule in [
            TokenRule::Whitespace,
            TokenRule::Words,
            TokenRule::Lines,
            split(b""),
            split(b","),
            split(b", "),
            split(b"abcde"),
            field(1),
        ] {
            let rule = DeviceRule::of(&rule);
            for has_records in [false, true] {
                for spans in [2, 7, 1000, 1 << 24] {
                    let bytes = rule.max_bytes(spans * SPAN_BYTES, has_records);
                    let tokens = rule.max_tokens(bytes, has_records) as u64;
                    assert!(
                        tokens <= spans,
                        "{rule:?}: {tokens} tokens in {spans} spans"
                    );
                    let more = rule.max_tokens(bytes + 2, has_records) as u64;
                    assert!(more > spans, "{rule:?}: {bytes} bytes are too few");
                }
            }
        }
    }
}
