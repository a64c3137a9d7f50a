//! Shared by the fuzz targets: token rules, the settings that must not change a result, and counts.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use arbitrary::{Arbitrary, Result, Unstructured};
use keymill_kernels::{KeyCounts, Level, TokenRule, Tuning};

/// Any token rule. Separators are short, so that they occur in the text.
#[derive(Debug)]
pub struct AnyRule(pub TokenRule);

impl<'a> Arbitrary<'a> for AnyRule {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(match input.int_in_range(0..=4)? {
            0 => TokenRule::Whitespace,
            1 => TokenRule::Words,
            2 => TokenRule::Lines,
            3 => TokenRule::Split(separator(input)?),
            _ => TokenRule::Field {
                index: NonZeroUsize::MIN.saturating_add(input.int_in_range(0..=3)?),
                separator: separator(input)?,
            },
        }))
    }
}

fn separator(input: &mut Unstructured<'_>) -> Result<Box<[u8]>> {
    let length = input.int_in_range(0..=4)?;
    Ok(input.bytes(length)?.into())
}

/// Returns whether the oracle is valid for this text. The oracle uses the standard library's
/// character tables, and these differ if the compiler has another Unicode version than the kernels.
pub fn is_comparable(text: &[u8]) -> bool {
    let is_old = |c: char| c < '\u{250}';
    char::UNICODE_VERSION == keymill_kernels::UNICODE_VERSION
        || text
            .utf8_chunks()
            .all(|chunk| chunk.valid().chars().all(is_old))
}

/// Runs a check at all levels of this machine, with the smallest and the default tuning, and with
/// normal and colliding hashes. A new level is included automatically.
pub fn each_setting(mut check: impl FnMut(Level, &Tuning)) {
    for level in Level::available() {
        for tuning in [Tuning::TINY, Tuning::DEFAULT] {
            check(level, &tuning);
            check(level, &tuning.all_colliding());
        }
    }
}

/// Converts cuts to ascending offsets of records in a text.
pub fn offsets(cuts: &[u16], text: &[u8]) -> Vec<u32> {
    let mut offsets: Vec<u32> = cuts
        .iter()
        .map(|&cut| u32::from(cut) % (text.len() as u32 + 1))
        .collect();
    offsets.sort_unstable();
    offsets
}

/// Keys with their counts, ordered by key.
pub type Counts = BTreeMap<Vec<u8>, u64>;

/// Collects groups whose keys are distinct.
///
/// # Panics
///
/// If a key occurs twice.
pub fn counts_of(groups: &KeyCounts) -> Counts {
    let mut counts = Counts::new();
    groups.for_each(|key, count| {
        let earlier = counts.insert(key.to_vec(), count);
        assert_eq!(earlier, None, "{key:?} occurs twice");
    });
    counts
}

/// Collects groups whose keys may occur more than once, and adds up their counts.
pub fn summed<'a>(groups: impl IntoIterator<Item = &'a KeyCounts>) -> Counts {
    let mut counts = Counts::new();
    for groups in groups {
        groups.for_each(|key, count| *counts.entry(key.to_vec()).or_default() += count);
    }
    counts
}

/// Adds counts to `to`.
pub fn add(to: &mut Counts, counts: Counts) {
    for (key, count) in counts {
        *to.entry(key).or_default() += count;
    }
}
