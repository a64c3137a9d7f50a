//! Tokens by the definitions of the rules.

use super::frame;
use super::marks::MARKS;
use crate::TokenRule;

/// Lists the tokens of a text.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{TokenRule, oracle};
///
/// assert_eq!(oracle::tokenize(&TokenRule::Words, b"to be, or"), [&b"to"[..], b"be", b"or"]);
/// ```
#[must_use]
pub fn tokenize<'a>(rule: &TokenRule, text: &'a [u8]) -> Vec<&'a [u8]> {
    match rule {
        TokenRule::Whitespace => runs(text, spaces(text)),
        TokenRule::Words => runs(text, non_words(text)),
        TokenRule::Lines => frame(text),
        TokenRule::Split(separator) => frame(text)
            .into_iter()
            .flat_map(|line| split(line, separator))
            .collect(),
        TokenRule::Field { index, separator } => frame(text)
            .into_iter()
            .filter_map(|line| split(line, separator).get(index.get() - 1).copied())
            .collect(),
    }
}

/// Counts the lines without the field of the rule.
#[must_use]
pub fn rejected(rule: &TokenRule, text: &[u8]) -> u64 {
    match rule {
        TokenRule::Field { .. } => (frame(text).len() - tokenize(rule, text).len()) as u64,
        _ => 0,
    }
}

/// Returns whether a character is Alphabetic, a Mark or a Number.
#[must_use]
pub fn is_word(c: char) -> bool {
    let point = c as u32;
    let mut marks = MARKS.iter();
    c.is_alphabetic()
        || c.is_numeric()
        || marks.any(|&(first, last)| first <= point && point <= last)
}

/// Returns the runs of bytes that are not separators.
fn runs(text: &[u8], separates: Vec<bool>) -> Vec<&[u8]> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (at, separates) in separates.into_iter().chain([true]).enumerate() {
        if separates {
            if start < at {
                tokens.push(&text[start..at]);
            }
            start = at + 1;
        }
    }
    tokens
}

/// Marks every byte of every white-space character.
fn spaces(text: &[u8]) -> Vec<bool> {
    marks(text, char::is_whitespace, false)
}

/// Marks every byte that is not part of a word character.
fn non_words(text: &[u8]) -> Vec<bool> {
    marks(text, |c| !is_word(c), true)
}

/// Marks every byte of these characters, and invalid bytes if `invalid` is true.
fn marks(text: &[u8], has_mark: impl Fn(char) -> bool, invalid: bool) -> Vec<bool> {
    let mut marks = Vec::new();
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            marks.extend(vec![has_mark(c); c.len_utf8()]);
        }
        marks.extend(vec![invalid; chunk.invalid().len()]);
    }
    marks
}

/// Returns the result of Python's `line.split(separator)`; an empty separator never matches.
fn split<'a>(mut line: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(line, separator) {
        parts.push(&line[..at]);
        line = &line[at + separator.len()..];
    }
    parts.push(line);
    parts
}

fn find(line: &[u8], separator: &[u8]) -> Option<usize> {
    (0..line.len()).find(|&at| !separator.is_empty() && line[at..].starts_with(separator))
}
