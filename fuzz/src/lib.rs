//! What the fuzz targets share: rules, the settings on which no answer may depend, and counts.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use arbitrary::{Arbitrary, Result, Unstructured};
use keymill_kernels::{KeyCounts, Level, Tuning, TokenRule};

/// Any token rule, with separators short enough to be met.
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

/// Tells whether the oracle, which asks the standard library about characters, is to be believed:
/// a compiler of another Unicode version knows other letters than the kernels' tables.
pub fn is_comparable(text: &[u8]) -> bool {
    let is_old = |c: char| c < '\u{250}';
    char::UNICODE_VERSION == keymill_kernels::UNICODE_VERSION
        || text
            .utf8_chunks()
            .all(|chunk| chunk.valid().chars().all(is_old))
}

/// Runs a check on every level of this machine, at both ends of the limits, and with every key
/// hashed alike; a level that is added joins by itself.
pub fn each_setting(mut check: impl FnMut(Level, &Tuning)) {
    for level in Level::available() {
        for limits in [Tuning::TINY, Tuning::DEFAULT] {
            check(level, &limits);
            check(level, &limits.all_colliding());
        }
    }
}

/// Turns cuts into ascending offsets of records in a text.
pub fn offsets(cuts: &[u16], text: &[u8]) -> Vec<u32> {
    let mut offsets: Vec<u32> = cuts
        .iter()
        .map(|&cut| u32::from(cut) % (text.len() as u32 + 1))
        .collect();
    offsets.sort_unstable();
    offsets
}

/// Keys with their counts, in the order of the keys.
pub type Counts = BTreeMap<Vec<u8>, u64>;

/// Collects groups in which each key stands once.
///
/// # Panics
///
/// When a key stands twice.
pub fn counts_of(groups: &KeyCounts) -> Counts {
    let mut counts = Counts::new();
    groups.for_each(|key, count| {
        let earlier = counts.insert(key.to_vec(), count);
        assert_eq!(earlier, None, "{key:?} stands twice");
    });
    counts
}

/// Collects groups in which a key may stand more than once.
pub fn summed<'a>(groups: impl IntoIterator<Item = &'a KeyCounts>) -> Counts {
    let mut counts = Counts::new();
    for groups in groups {
        groups.for_each(|key, count| *counts.entry(key.to_vec()).or_default() += count);
    }
    counts
}

/// Adds counts to others.
pub fn add(to: &mut Counts, counts: Counts) {
    for (key, count) in counts {
        *to.entry(key).or_default() += count;
    }
}
