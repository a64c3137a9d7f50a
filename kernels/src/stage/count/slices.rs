//! Counters side by side, from which groups are taken by slices of the hash that all tables share.
#![forbid(unsafe_code)]

use super::Counter;
use crate::KeyCounts;
use crate::table::CountTable;

/// Counters that have stopped counting, and whose groups are taken slice by slice.
///
/// A table holds its keys by their hashes, so that an equal part of the hashes lies together in
/// every table. A slice is as good as a partition, and no key has to be moved to it.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::count::{Counter, Slices};
/// use keymill_kernels::{KeyCounts, Level, Tuning, TokenRule};
///
/// let counters = ["to be or", "not to be"].map(|text| {
///     let mut counter = Counter::new(Level::best(), &TokenRule::Whitespace, &Tuning::DEFAULT, 7);
///     counter.push(text.as_bytes());
///     counter
/// });
/// let slices = Slices::new(Vec::from(counters), 4).ok().expect("tables of one seed");
/// let mut groups = KeyCounts::default();
/// (0..4).for_each(|slice| slices.copy_to(slice, &mut groups));
/// assert_eq!(groups.len(), 6);
/// ```
pub struct Slices {
    counters: Vec<Counter>,
    /// The binary logarithm of the number of slices.
    bits: u32,
}

impl Slices {
    /// Cuts counters into so many slices, a power of two.
    ///
    /// # Errors
    ///
    /// Hands the counters back when they do not share their hash, when groups have left their
    /// tables, or when the number is no power of two.
    pub fn new(counters: Vec<Counter>, slices: usize) -> Result<Self, Vec<Counter>> {
        let first = counters.first().map(|counter| counter.counting.table());
        let alike = counters.iter().all(|counter| {
            let table = counter.counting.table();
            counter.counting.is_all_in_table() && first.is_some_and(|first| first.is_like(table))
        });
        if !alike || !slices.is_power_of_two() {
            return Err(counters);
        }
        let bits = slices.trailing_zeros();
        Ok(Self { counters, bits })
    }

    /// How many slices there are.
    #[must_use]
    pub fn slices(&self) -> usize {
        1 << self.bits
    }

    /// How many groups are held; a key has one in each counter that met it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counters.iter().map(Counter::len).sum()
    }

    /// Tells whether no group is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory the counters hold for their groups.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counters.iter().map(Counter::bytes).sum()
    }

    /// How many counters there are.
    #[must_use]
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    /// Appends the groups of a slice to `out`, each key once and with the sum of its counts.
    ///
    /// Every key is looked up in all counters, which pays while these are few.
    pub fn add_up_to(&self, slice: usize, out: &mut KeyCounts) {
        let tables: Vec<_> = self
            .counters
            .iter()
            .map(|one| one.counting.table())
            .collect();
        CountTable::add_up_slice(&tables, slice, self.bits, out);
        if slice == 0 {
            out.empty += tables.iter().map(|table| table.empty).sum::<u64>();
        }
    }

    /// Appends the groups of a slice to `out`, counter by counter.
    pub fn copy_to(&self, slice: usize, out: &mut KeyCounts) {
        for counter in &self.counters {
            let table = counter.counting.table();
            table.copy_slice(slice, self.bits, out);
            if slice == 0 {
                out.empty += table.empty;
            }
        }
    }
}
