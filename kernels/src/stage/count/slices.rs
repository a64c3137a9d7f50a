//! Reads the groups of several counters by slices of the table hash that all of them share.
#![forbid(unsafe_code)]

use super::Counter;
use crate::KeyCounts;
use crate::table::CountTable;

/// Counters that have finished, and whose groups are read slice by slice.
///
/// Tables are in hash order, so that an equal range of hashes is contiguous in each table. A slice
/// serves like a partition, and no key has to be moved.
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
    /// Divides counters into `slices` slices, a power of two.
    ///
    /// # Errors
    ///
    /// Returns the counters when they do not share their hash, when some groups are not in tables,
    /// or when `slices` is not a power of two.
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

    /// Returns the number of slices.
    #[must_use]
    pub fn slices(&self) -> usize {
        1 << self.bits
    }

    /// Returns the number of groups; a key has one in each counter that has it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counters.iter().map(Counter::len).sum()
    }

    /// Returns whether there are no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of memory that the groups use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counters.iter().map(Counter::bytes).sum()
    }

    /// Returns the number of counters.
    #[must_use]
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    /// Appends the groups of a slice to `out`, each key once, with the sum of its counts.
    ///
    /// Every key is looked up in all counters, which is fast while there are few.
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
