//! The fused word count: tokenize, hash and aggregate in one pass over the text.
//!
//! ```text
//! text ─▶ tile of spans ─▶ lists by key length ─▶ key table ─▶ groups by partition
//!          (rule)            (class)               (hit, miss)   (stable hash)
//! ```
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

/// Counts tokens by their bytes: push texts, then take the groups out.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::count::Counter;
/// use keymill_kernels::{Groups, Level, Tuning, TokenRule};
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
    /// Makes a counter that has counted nothing.
    ///
    /// Counters whose groups are to be merged take the same `seed`.
    #[must_use]
    pub fn new(level: Level, rule: &TokenRule, tuning: &Tuning, seed: u64) -> Self {
        let tuning = tuning.fitting();
        Self {
            feeder: Feeder::new(level, rule, &tuning),
            counting: Counting::new(level, &tuning, seed),
            rejected: 0,
        }
    }

    /// Counts the tokens of a text, whose end is a token boundary.
    pub fn push(&mut self, text: &[u8]) {
        self.push_pieces(text, None);
    }

    /// Counts the tokens of records that lie in a text; each is a text of its own.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsBeyondText`] when a record ends behind the text; nothing is counted.
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

    /// Adds groups as [`Counter::absorb`] does, but for short keys that were seen once: these move
    /// to `once`, for [`Counter::count_repeated`].
    pub fn absorb_part(&mut self, groups: &mut KeyCounts, packed_short: &mut PackedShort) {
        self.counting.absorb_part(groups, packed_short);
    }

    /// Leaves the keys of `once` there that were seen once in all, and counts the others; counts all
    /// where finding that out would take more than `most_bytes` of memory.
    ///
    /// It is for a counter that got groups alone: what it then has is in `once` and in what
    /// [`Counter::drain_into`] gives, a key in one of these.
    pub fn count_repeated(&mut self, packed_short: &mut PackedShort, most_bytes: usize) {
        self.counting.count_repeated(packed_short, most_bytes);
    }

    /// How many tokens were pushed.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.counting.tokens()
    }

    /// How many lines had no token to give.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// How many groups are held; a token may have more than one, until [`Counter::drain_into`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.counting.len()
    }

    /// Tells whether no token is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory the counter holds for its groups.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counting.bytes()
    }

    /// Moves all groups out, each key once, in no particular order.
    pub fn drain_into(&mut self, out: &mut KeyCounts) {
        self.counting.drain_into(out);
    }

    /// Moves all groups out to the partitions that their stable hashes name.
    ///
    /// A partition may receive a key more than once: absorb it whole to have each key once.
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
