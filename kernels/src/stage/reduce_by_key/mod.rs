//! `reduce_by_key`: reduces rows of a key (integer or bytes) and an integer value to one row per
//! key.
//!
//! ```text
//! key   7 3 7 3 3      ──▶   key    3   7
//! value 1 5 2 9 1            sum   15   3
//! ```
#![forbid(unsafe_code)]

mod aggregate;
mod bytes;
mod key;
mod partitioned;
mod reducer;

use core::marker::PhantomData;

pub use aggregate::{Aggregate, Count, Max, Min, Sum, WideSum};
pub use bytes::ReduceByBytes;
pub use key::IntKey;

use crate::isa::{Isa, Kernel, dispatch};
use crate::{HashKey, Level, Tuning};
use reducer::{MAX_TILE_ROWS, Reducer, Sizes};

/// The values of keys without values.
static NO_VALUES: [i64; MAX_TILE_ROWS] = [0; MAX_TILE_ROWS];

/// The order in which groups are drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any order, the cheapest.
    Any,
    /// Ascending by key.
    ByKey,
}

/// Reduces the values of each key, batch by batch.
///
/// Sums are exact: they are kept in 64 bits while the rows seen prove that these suffice, then in
/// 128.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::reduce_by_key::{Count, Order, ReduceByKey, Sum};
/// use keymill_kernels::{Level, Tuning, HashKey};
///
/// let mut reducer: ReduceByKey<u64, (Count, Sum)> =
///     ReduceByKey::new(Level::best(), Tuning::DEFAULT, HashKey::random());
/// reducer.update(&[7, 3, 7], &[1, 5, i64::MAX]);
/// reducer.update(&[3], &[9]);
/// let mut rows = Vec::new();
/// reducer.drain(Order::ByKey, |keys, outputs| {
///     rows.extend(keys.iter().copied().zip(outputs.iter().copied()));
/// });
/// assert_eq!(rows, [(3, (2, 14)), (7, (2, i128::from(i64::MAX) + 1))]);
/// assert_eq!(reducer.size(), 0);
/// ```
pub struct ReduceByKey<K: IntKey, A: Aggregate> {
    groups: Width<A>,
    /// Upper bound of the magnitude of any sum of values seen.
    bound: u128,
    level: Level,
    sizes: Sizes,
    keys: PhantomData<K>,
}

enum Width<A: Aggregate> {
    Narrow(Reducer<A>),
    Wide(Reducer<A::Wide>),
}

impl<A: Aggregate> Width<A> {
    fn size(&self) -> usize {
        match self {
            Self::Narrow(groups) => groups.len(),
            Self::Wide(groups) => groups.len(),
        }
    }

    fn for_each(&self, mut visit: impl FnMut(u64, A::Output)) {
        match self {
            Self::Narrow(groups) => groups.for_each(|key, state| visit(key, A::finish(state))),
            Self::Wide(groups) => {
                groups.for_each(|key, state| visit(key, <A::Wide as Aggregate>::finish(state)));
            }
        }
    }

    fn is_ordered(&self) -> bool {
        match self {
            Self::Narrow(groups) => groups.is_ordered(),
            Self::Wide(groups) => groups.is_ordered(),
        }
    }
}

impl<K: IntKey, A: Aggregate> ReduceByKey<K, A> {
    /// Makes an empty reducer.
    #[must_use]
    pub fn new(level: Level, tuning: Tuning, hash_key: HashKey) -> Self {
        let sizes = Sizes::new(tuning.fitting(), hash_key);
        Self {
            groups: Width::Narrow(Reducer::new(sizes)),
            bound: 0,
            level,
            sizes,
            keys: PhantomData,
        }
    }

    /// Adds rows: `values[i]` belongs to `keys[i]`.
    ///
    /// # Panics
    ///
    /// When the lengths of `keys` and `values` differ.
    pub fn update(&mut self, keys: &[K], values: &[i64]) {
        assert_eq!(keys.len(), values.len(), "one value for each key");
        self.update_with(keys, Some(values));
    }

    fn update_with(&mut self, keys: &[K], values: Option<&[i64]>) {
        match &mut self.groups {
            Width::Narrow(groups) => groups.note_rows(keys.len()),
            Width::Wide(groups) => groups.note_rows(keys.len()),
        }
        let mut scratch = [0; MAX_TILE_ROWS];
        let rows = self.sizes.tile_rows;
        for (tile, keys) in keys.chunks(rows).enumerate() {
            let values = values.map_or(&NO_VALUES[..keys.len()], |all| {
                &all[tile * rows..][..keys.len()]
            });
            self.raise_bound(values);
            let keys = K::bits_of(keys, &mut scratch);
            match &mut self.groups {
                Width::Narrow(groups) => groups.update(self.level, keys, values),
                Width::Wide(groups) => groups.update(self.level, keys, values),
            }
        }
        match &mut self.groups {
            Width::Narrow(groups) => groups.check_all_seen(),
            Width::Wide(groups) => groups.check_all_seen(),
        }
    }

    /// Merges all groups of another reducer, which keeps them.
    pub fn merge(&mut self, other: &mut Self) {
        other.flush_all();
        self.bound = self.bound.saturating_add(other.bound);
        if self.is_too_narrow() || matches!(other.groups, Width::Wide(_)) {
            self.widen();
        }
        match (&mut self.groups, &other.groups) {
            (Width::Narrow(mine), Width::Narrow(others)) => mine.absorb(others, |state| state),
            (Width::Wide(mine), Width::Narrow(others)) => mine.absorb(others, A::widen),
            (Width::Wide(mine), Width::Wide(others)) => mine.absorb(others, |state| state),
            (Width::Narrow(_), Width::Wide(_)) => {
                unreachable!("a reducer is widened before it merges a wide one")
            }
        }
    }

    /// Returns the number of groups.
    pub fn size(&mut self) -> usize {
        self.flush_all();
        self.groups.size()
    }

    /// Returns the bytes of memory that the tables and the waiting rows use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.groups {
            Width::Narrow(groups) => groups.bytes(),
            Width::Wide(groups) => groups.bytes(),
        }
    }

    /// Visits every group, in any order, and keeps them.
    pub fn for_each(&mut self, mut visit: impl FnMut(K, A::Output)) {
        self.flush_all();
        self.groups
            .for_each(|key, output| visit(K::from_bits(key), output));
    }

    /// Passes all groups to `batch`, at most a tile of rows at a time; then removes them and keeps
    /// the memory.
    pub fn drain(&mut self, order: Order, batch: impl FnMut(&[K], &[A::Output])) {
        self.flush_all();
        let mut batches = Batches::new(self.sizes.tile_rows, batch);
        if order == Order::Any || self.groups.is_ordered() {
            self.groups
                .for_each(|key, output| batches.push(key, output));
        } else {
            let mut sorted = Vec::with_capacity(self.groups.size());
            self.groups
                .for_each(|key, output| sorted.push((key, output)));
            sorted.sort_unstable_by_key(|&(key, _)| key);
            for (key, output) in sorted {
                batches.push(key, output);
            }
        }
        batches.finish();
        self.clear();
    }

    /// Removes all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.bound = 0;
        match &mut self.groups {
            Width::Narrow(groups) => groups.clear(),
            Width::Wide(_) => self.groups = Width::Narrow(Reducer::new(self.sizes)),
        }
    }

    fn flush_all(&mut self) {
        match &mut self.groups {
            Width::Narrow(groups) => groups.flush_all(self.level),
            Width::Wide(groups) => groups.flush_all(self.level),
        }
    }

    fn is_too_narrow(&self) -> bool {
        A::MAY_OVERFLOW && self.bound > i64::MAX as u128
    }

    #[cold]
    fn widen(&mut self) {
        self.flush_all();
        if let Width::Narrow(groups) = &self.groups {
            self.groups = Width::Wide(groups.widen());
        }
    }

    /// Raises the bound for a tile of values, before these are added.
    fn raise_bound(&mut self, values: &[i64]) {
        if A::MAY_OVERFLOW && matches!(self.groups, Width::Narrow(_)) {
            let farthest = u128::from(dispatch(self.level, Magnitude(values))) + 1;
            self.bound += values.len() as u128 * farthest;
            if self.is_too_narrow() {
                self.widen();
            }
        }
    }
}

impl<K: IntKey> ReduceByKey<K, Count> {
    /// Counts keys without values.
    pub fn count(&mut self, keys: &[K]) {
        self.update_with(keys, None);
    }
}

/// Computes a number whose successor is an upper bound of the magnitude of all values.
struct Magnitude<'a>(&'a [i64]);

impl Kernel for Magnitude<'_> {
    type Out = u64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> u64 {
        let fold = |bits, &value: &i64| bits | (value ^ value >> 63) as u64;
        self.0.iter().fold(0, fold)
    }
}

/// Collects groups until a batch is full.
struct Batches<K, O, F> {
    keys: Vec<K>,
    outputs: Vec<O>,
    rows: usize,
    batch: F,
}

impl<K: IntKey, O, F: FnMut(&[K], &[O])> Batches<K, O, F> {
    fn new(rows: usize, batch: F) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            outputs: Vec::with_capacity(rows),
            rows,
            batch,
        }
    }

    fn push(&mut self, key: u64, output: O) {
        self.keys.push(K::from_bits(key));
        self.outputs.push(output);
        if self.keys.len() == self.rows {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if !self.keys.is_empty() {
            (self.batch)(&self.keys, &self.outputs);
            self.keys.clear();
            self.outputs.clear();
        }
    }
}

#[cfg(test)]
mod tests;
