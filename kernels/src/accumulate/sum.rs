//! Exact sums of integers.
//!
//! They are kept in 64 bits while rows times the largest magnitude prove that these are enough,
//! then in 128 bits. So the result is the mathematical total, in any order of rows.

use core::fmt;

use super::Validity;
use super::seen::Seen;
use crate::Level;
use crate::isa::{Isa, Kernel, dispatch};

/// Rows whose bound is computed before they are added, while they are in the first-level cache.
const TILE: usize = 1024;

/// An integer type that can be summed.
pub trait SumInput:
    Copy + Default + Into<i128> + TryFrom<i128> + Send + Sync + fmt::Debug + 'static
{
    /// The largest magnitude of a total that the type can hold with either sign.
    const LARGEST: u128;

    /// Returns a number whose successor is at least the magnitude.
    #[doc(hidden)]
    fn magnitude(self) -> u64;

    /// Returns the sum, which must fit.
    #[doc(hidden)]
    fn plus(self, other: Self) -> Self;

    /// Returns the value, or 0 if it is not valid.
    #[doc(hidden)]
    fn if_valid(self, valid: bool) -> Self;
}

impl SumInput for i64 {
    const LARGEST: u128 = Self::MAX as u128;

    #[inline(always)]
    fn magnitude(self) -> u64 {
        (self ^ self >> 63) as u64
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn if_valid(self, valid: bool) -> Self {
        self & -Self::from(valid)
    }
}

impl SumInput for u64 {
    const LARGEST: u128 = Self::MAX as u128;

    #[inline(always)]
    fn magnitude(self) -> u64 {
        self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn if_valid(self, valid: bool) -> Self {
        self & Self::from(valid).wrapping_neg()
    }
}

/// A total that does not fit in 128 bits. Only merged totals can be so large, not sums of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumOverflow {
    /// The group.
    pub id: u32,
}

impl fmt::Display for SumOverflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the total of group {} does not fit in 128 bits", self.id)
    }
}

impl core::error::Error for SumOverflow {}

/// Sums of integers by group.
///
/// # Examples
///
/// ```
/// use keymill_kernels::Level;
/// use keymill_kernels::accumulate::Sum;
///
/// let mut sum = Sum::<i64>::new(Level::best());
/// sum.resize(3);
/// sum.update(&[0, 1, 0], &[i64::MAX, -7, i64::MAX]);
/// assert_eq!(sum.total(0), Some(2 * i128::from(i64::MAX)));
/// assert_eq!((sum.total(1), sum.total(2)), (Some(-7), None));
/// ```
#[derive(Debug)]
pub struct Sum<T: SumInput> {
    level: Level,
    totals: Totals<T>,
    seen: Seen,
    /// Upper bound of the magnitude of all totals.
    bound: u128,
    /// Rows since the bound was last computed from the totals.
    rows: usize,
}

#[derive(Debug)]
enum Totals<T> {
    Narrow(Vec<T>),
    Wide(Vec<i128>),
}

impl<T: SumInput> Sum<T> {
    /// Makes an empty accumulator.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self {
            level,
            totals: Totals::Narrow(Vec::new()),
            seen: Seen::default(),
            bound: 0,
            rows: 0,
        }
    }

    /// Sets the number of groups; new ones have no value.
    pub fn resize(&mut self, groups: usize) {
        self.seen.resize(groups);
        match &mut self.totals {
            Totals::Narrow(totals) => totals.resize(groups, T::default()),
            Totals::Wide(totals) => totals.resize(groups, 0),
        }
    }

    /// Adds each value to the group of its row.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of `ids` and `values` differ.
    pub fn update(&mut self, ids: &[u32], values: &[T]) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        self.seen.mark(ids);
        for (ids, values) in ids.chunks(TILE).zip(values.chunks(TILE)) {
            self.raise_bound(values);
            self.add(ids, values);
        }
    }

    fn add(&mut self, ids: &[u32], values: &[T]) {
        match &mut self.totals {
            Totals::Narrow(totals) => {
                for (&id, &value) in ids.iter().zip(values) {
                    let total = &mut totals[id as usize];
                    *total = total.plus(value);
                }
            }
            Totals::Wide(totals) => {
                for (&id, &value) in ids.iter().zip(values) {
                    totals[id as usize] += value.into();
                }
            }
        }
    }

    /// Adds each value that is not null to the group of its row. The value of a null row is
    /// ignored.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of the arguments differ.
    pub fn update_valid(&mut self, ids: &[u32], values: &[T], valid: Validity<'_>) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        assert_eq!(ids.len(), valid.len(), "one bit for each row");
        self.raise_bound(values);
        self.seen.mark_valid(ids, valid.rows());
        let rows = ids.iter().zip(values).zip(valid.rows());
        match &mut self.totals {
            Totals::Narrow(totals) => {
                for ((&id, &value), valid) in rows {
                    let total = &mut totals[id as usize];
                    *total = total.plus(value.if_valid(valid));
                }
            }
            Totals::Wide(totals) => {
                for ((&id, &value), valid) in rows {
                    totals[id as usize] += value.if_valid(valid).into();
                }
            }
        }
    }

    /// Adds other totals, each to the group of its id; `None` adds nothing.
    ///
    /// # Errors
    ///
    /// When a total does not fit in 128 bits. It is then unchanged, and later ones are not added.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn merge(
        &mut self,
        ids: &[u32],
        totals: impl IntoIterator<Item = Option<i128>>,
    ) -> Result<(), SumOverflow> {
        for (&id, total) in ids.iter().zip(totals) {
            if let Some(total) = total {
                self.merge_one(id, total)?;
            }
        }
        Ok(())
    }

    fn merge_one(&mut self, id: u32, total: i128) -> Result<(), SumOverflow> {
        let mine: i128 = match &self.totals {
            Totals::Narrow(totals) => totals[id as usize].into(),
            Totals::Wide(totals) => totals[id as usize],
        };
        let sum = mine.checked_add(total).ok_or(SumOverflow { id })?;
        match (&mut self.totals, T::try_from(sum)) {
            (Totals::Narrow(totals), Ok(sum)) => totals[id as usize] = sum,
            (_, Err(_)) => self.widen()[id as usize] = sum,
            (Totals::Wide(totals), Ok(_)) => totals[id as usize] = sum,
        }
        self.bound = self.bound.max(sum.unsigned_abs());
        self.seen.mark_one(id);
        Ok(())
    }

    /// Returns the total of a group, or `None` if it has no value.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    #[must_use]
    pub fn total(&self, id: u32) -> Option<i128> {
        let total = match &self.totals {
            Totals::Narrow(totals) => totals[id as usize].into(),
            Totals::Wide(totals) => totals[id as usize],
        };
        self.seen.has(id).then_some(total)
    }

    /// Returns the totals of all groups, if they fit in 64 bits and every group has a value.
    #[must_use]
    pub fn narrow_totals(&self) -> Option<&[T]> {
        match &self.totals {
            Totals::Narrow(totals) if self.seen.has_all() => Some(totals),
            _ => None,
        }
    }

    /// Resets groups to the state of new ones.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn reset(&mut self, ids: &[u32]) {
        for &id in ids {
            match &mut self.totals {
                Totals::Narrow(totals) => totals[id as usize] = T::default(),
                Totals::Wide(totals) => totals[id as usize] = 0,
            }
            self.seen.unmark(id);
        }
    }

    /// Removes all groups and keeps the memory.
    pub fn clear(&mut self) {
        match &mut self.totals {
            Totals::Narrow(totals) => totals.clear(),
            Totals::Wide(_) => self.totals = Totals::Narrow(Vec::new()),
        }
        self.seen.clear();
        (self.bound, self.rows) = (0, 0);
    }

    /// Returns the bytes of memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let totals = match &self.totals {
            Totals::Narrow(totals) => totals.capacity() * size_of::<T>(),
            Totals::Wide(totals) => totals.capacity() * size_of::<i128>(),
        };
        totals + self.seen.bytes()
    }

    /// Raises the bound for a batch of values, before these are added.
    fn raise_bound(&mut self, values: &[T]) {
        if matches!(self.totals, Totals::Wide(_)) {
            return;
        }
        let largest = u128::from(dispatch(self.level, Magnitude(values))) + 1;
        let more = values.len() as u128 * largest;
        self.rows += values.len();
        if self.bound + more > T::LARGEST {
            self.recompute_bound();
        }
        self.bound += more;
        if self.bound > T::LARGEST {
            self.widen();
        }
    }

    /// Computes the bound from the totals, if there were enough rows since the last time.
    #[cold]
    fn recompute_bound(&mut self) {
        if let Totals::Narrow(totals) = &self.totals
            && self.rows >= totals.len()
        {
            let magnitudes = totals.iter().map(|&total| total.into().unsigned_abs());
            self.bound = magnitudes.max().unwrap_or(0);
            self.rows = 0;
        }
    }

    /// Converts the totals to 128 bits.
    #[cold]
    fn widen(&mut self) -> &mut Vec<i128> {
        if let Totals::Narrow(totals) = &self.totals {
            let wide = totals.iter().map(|&total| total.into());
            self.totals = Totals::Wide(wide.collect());
        }
        match &mut self.totals {
            Totals::Wide(totals) => totals,
            Totals::Narrow(_) => unreachable!("the totals were widened above"),
        }
    }
}

/// Computes a number whose successor is an upper bound of the magnitude of all values.
struct Magnitude<'a, T>(&'a [T]);

impl<T: SumInput> Kernel for Magnitude<'_, T> {
    type Out = u64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> u64 {
        self.0
            .iter()
            .fold(0, |bits, value| bits | value.magnitude())
    }
}

#[cfg(test)]
mod tests;
