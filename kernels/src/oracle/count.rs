//! Counts of tokens.

use std::collections::BTreeMap;

use super::tokenize;
use crate::TokenRule;

/// Counts the tokens of a text.
///
/// # Examples
///
/// ```
/// use keymill_kernels::{TokenRule, oracle};
///
/// assert_eq!(oracle::count(&TokenRule::Whitespace, b"to be to")[&b"to"[..]], 2);
/// ```
#[must_use]
pub fn count(rule: &TokenRule, text: &[u8]) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    for token in tokenize(rule, text) {
        *counts.entry(token.to_vec()).or_default() += 1;
    }
    counts
}
