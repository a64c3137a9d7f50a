//! The fused count: tokenize, hash and aggregate in one pass over the text.
//!
//! ```text
//! text ─▶ tile of spans ─▶ lists by key length ─▶ key table ─▶ groups by partition
//!          (rule)            (class)               (hit, miss)   (stable hash)
//! ```
//!
//! Threads share nothing while they count: each has its own [`Counter`]. At the end equal keys are
//! merged part by part, each part by one thread. If all groups are in tables, a part is a slice of
//! all tables ([`Slices`]): tables share their hash, so that an equal range of hashes is contiguous
//! in each, and no key is moved. Otherwise a part is a partition by the stable hash.
#![forbid(unsafe_code)]

mod bypass_policy;
mod class;
mod counting;
mod partition;
mod slices;

use counting::Counting;
pub use partition::split;
pub use slices::Slices;

use crate::key_counts::PackedShort;
use crate::stage::tokenize::{Feeder, InputError, Records};
use crate::{KeyCounts, Level, TokenRule, Tuning};

/// Counts tokens by their bytes: push texts, then drain the groups.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::count::Counter;
/// use keymill_kernels::{KeyCounts, Level, Tuning, TokenRule};
///
/// let mut counter = Counter::new(Level::best(), &TokenRule::Whitespace, &Tuning::DEFAULT, 7);
/// counter.push(b"to be or not");
/// counter.push(b"to be");
/// assert_eq!((counter.tokens(), counter.len()), (6, 4));
///
/// let mut groups = KeyCounts::default();
/// counter.drain_into(&mut groups);
/// let mut twice = Vec::new();
/// groups.for_each(|word, count| if count == 2 { twice.push(word.to_vec()) });
/// twice.sort();
/// assert_eq!(twice, [b"be", b"to"]);
/// ```
pub struct Counter {
    feeder: Feeder,
    counting: Counting,
    rejected: u64,
}

impl Counter {
    /// Makes an empty counter.
    ///
    /// Counters whose groups are merged need the same `seed`.
    #[must_use]
    pub fn new(level: Level, rule: &TokenRule, tuning: &Tuning, seed: u64) -> Self {
        let tuning = tuning.fitting();
        Self {
            feeder: Feeder::new(level, rule, &tuning),
            counting: Counting::new(level, &tuning, seed),
            rejected: 0,
        }
    }

    /// Counts the tokens of a text; its end is a token boundary.
    pub fn push(&mut self, text: &[u8]) {
        self.push_pieces(text, None);
    }

    /// Counts the tokens of records within a text; the end of each record ends a token.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsBeyondText`] when a record ends after the text; nothing is counted.
    pub fn push_records(&mut self, text: &[u8], records: Records<'_>) -> Result<(), InputError> {
        records.check(text)?;
        self.push_pieces(text, Some(records));
        Ok(())
    }

    fn push_pieces(&mut self, text: &[u8], records: Option<Records<'_>>) {
        self.counting.begin();
        let (rejected, _) = self.feeder.feed(text, records, &mut self.counting);
        self.counting.end();
        self.rejected += rejected;
    }

    /// Adds groups that were counted elsewhere.
    pub fn absorb(&mut self, groups: &KeyCounts) {
        self.counting.absorb(groups);
    }

    /// Adds groups as [`Counter::absorb`] does, except short keys that were seen once: these are
    /// moved to `packed_short`, for [`Counter::count_repeated`].
    pub fn absorb_part(&mut self, groups: &mut KeyCounts, packed_short: &mut PackedShort) {
        self.counting.absorb_part(groups, packed_short);
    }

    /// Counts the keys of `packed_short` that were seen more than once in all, and leaves the
    /// others there. Counts all keys if this would take more than `max_bytes` of memory.
    ///
    /// The counter must have got groups only, no text. Then its groups are in `packed_short` and in
    /// the result of [`Counter::drain_into`], each key in one of them.
    pub fn count_repeated(&mut self, packed_short: &mut PackedShort, max_bytes: usize) {
        self.counting.count_repeated(packed_short, max_bytes);
    }

    /// Returns the number of tokens that were pushed.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.counting.tokens()
    }

    /// Returns the number of lines without the field of the rule.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Returns the number of groups; until [`Counter::drain_into`] a key may have more than one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counting.len()
    }

    /// Returns whether there are no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory that the groups use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counting.bytes()
    }

    /// Moves all groups to `out`, each key once, in any order.
    pub fn drain_into(&mut self, out: &mut KeyCounts) {
        self.counting.drain_into(out);
    }

    /// Moves all groups to partitions, by their stable hashes.
    ///
    /// A partition may receive a key more than once; absorb the whole partition to merge them.
    ///
    /// # Panics
    ///
    /// When `partitions` is empty.
    pub fn flush(&mut self, partitions: &mut [KeyCounts]) {
        self.counting.flush(partitions);
    }
}

#[cfg(test)]
mod tests;
