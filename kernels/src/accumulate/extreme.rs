//! The smallest and the largest value of each group.
//!
//! Floats are compared by a total order: −∞ < … < −0.0 < +0.0 < … < +∞. NaN is ignored if the group
//! has other values. If all values of the group are NaN, the result is the positive quiet NaN.

use core::marker::PhantomData;

use super::Validity;
use super::seen::Seen;
use crate::Level;
use crate::isa::{Isa, Kernel, dispatch};

/// Values whose ranks are computed at a time.
const BATCH: usize = 256;

/// A type with a total order.
pub trait Ordered: Copy + Send + Sync + 'static {
    /// Integer type with the order of the values.
    #[doc(hidden)]
    type Rank: Copy + Ord + Send + Sync + core::fmt::Debug;
    /// The smallest and the largest rank. For floats both stand for NaN.
    #[doc(hidden)]
    const ENDS: [Self::Rank; 2];

    /// Returns the rank of the value, or `otherwise` for NaN.
    #[doc(hidden)]
    fn rank(self, otherwise: Self::Rank) -> Self::Rank;

    /// Returns the ranks of at most [`BATCH`] values; `ranks` is memory for them.
    #[doc(hidden)]
    fn ranks<'a>(
        level: Level,
        values: &'a [Self],
        otherwise: Self::Rank,
        ranks: &'a mut [Self::Rank; BATCH],
    ) -> &'a [Self::Rank];

    /// Returns the value of a rank.
    #[doc(hidden)]
    fn from_rank(rank: Self::Rank) -> Self;
}

macro_rules! ordered_integer {
    ($($int:ty)*) => {$(
        impl Ordered for $int {
            type Rank = Self;
            const ENDS: [Self; 2] = [Self::MIN, Self::MAX];

            #[inline(always)]
            fn rank(self, _: Self) -> Self {
                self
            }

            #[inline(always)]
            fn ranks<'a>(
                _: Level,
                values: &'a [Self],
                _: Self,
                _: &'a mut [Self; BATCH],
            ) -> &'a [Self] {
                values
            }

            #[inline(always)]
            fn from_rank(rank: Self) -> Self {
                rank
            }
        }
    )*};
}

ordered_integer!(i8 i16 i32 i64 i128 u8 u16 u32 u64);

impl Ordered for f64 {
    type Rank = i64;
    const ENDS: [i64; 2] = [i64::MIN, i64::MAX];

    #[inline(always)]
    fn rank(self, otherwise: i64) -> i64 {
        if self.is_nan() {
            otherwise
        } else {
            flip(self.to_bits() as i64)
        }
    }

    fn ranks<'a>(
        level: Level,
        values: &'a [Self],
        otherwise: i64,
        ranks: &'a mut [i64; BATCH],
    ) -> &'a [i64] {
        let ranks = &mut ranks[..values.len()];
        dispatch(
            level,
            FloatRanks {
                values,
                otherwise,
                ranks,
            },
        );
        ranks
    }

    #[inline(always)]
    fn from_rank(rank: i64) -> Self {
        // Both ends are outside the ranks of the infinities.
        if Self::ENDS.contains(&rank) {
            Self::NAN
        } else {
            Self::from_bits(flip(rank) as u64)
        }
    }
}

/// Computes the ranks of floats.
struct FloatRanks<'a> {
    values: &'a [f64],
    otherwise: i64,
    ranks: &'a mut [i64],
}

impl Kernel for FloatRanks<'_> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for (rank, value) in self.ranks.iter_mut().zip(self.values) {
            *rank = value.rank(self.otherwise);
        }
    }
}

/// Reverses the order of negative numbers, whose lower bits are a magnitude.
#[inline(always)]
fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// The choice between two ranks.
#[doc(hidden)]
pub trait Choice: Send + Sync + 'static {
    /// Returns the rank that any other one replaces.
    fn weakest<T: Ordered>() -> T::Rank;

    /// Returns the chosen rank.
    fn choose<R: Ord>(one: R, other: R) -> R;
}

/// Chooses the smaller one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Smaller;

/// Chooses the larger one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Larger;

impl Choice for Smaller {
    #[inline(always)]
    fn weakest<T: Ordered>() -> T::Rank {
        T::ENDS[1]
    }

    #[inline(always)]
    fn choose<R: Ord>(one: R, other: R) -> R {
        one.min(other)
    }
}

impl Choice for Larger {
    #[inline(always)]
    fn weakest<T: Ordered>() -> T::Rank {
        T::ENDS[0]
    }

    #[inline(always)]
    fn choose<R: Ord>(one: R, other: R) -> R {
        one.max(other)
    }
}

/// The smallest value of each group.
///
/// # Examples
///
/// ```
/// use keymill_kernels::accumulate::Min;
///
/// let mut min = Min::<f64>::default();
/// min.resize(3);
/// min.update(&[0, 1, 0, 0], &[2.5, f64::NAN, -0.0, 0.0]);
/// assert!(min.value(0).is_some_and(|least| least == 0.0 && least.is_sign_negative()));
/// assert!(min.value(1).is_some_and(f64::is_nan));
/// assert_eq!(min.value(2), None);
/// ```
pub type Min<T> = Extreme<T, Smaller>;

/// The largest value of each group.
///
/// # Examples
///
/// ```
/// use keymill_kernels::accumulate::Max;
///
/// let mut max = Max::<i64>::default();
/// max.resize(2);
/// max.update(&[0, 1, 0], &[2, -7, 9]);
/// assert_eq!((max.value(0), max.value(1)), (Some(9), Some(-7)));
/// ```
pub type Max<T> = Extreme<T, Larger>;

/// The first or last value of each group in order; see [`Min`] and [`Max`].
#[derive(Debug)]
pub struct Extreme<T: Ordered, C> {
    level: Level,
    ranks: Vec<T::Rank>,
    seen: Seen,
    choice: PhantomData<C>,
}

impl<T: Ordered, C> Default for Extreme<T, C> {
    fn default() -> Self {
        Self {
            level: Level::best(),
            ranks: Vec::new(),
            seen: Seen::default(),
            choice: PhantomData,
        }
    }
}

impl<T: Ordered, C: Choice> Extreme<T, C> {
    /// Sets the SIMD level; the default is the best one.
    #[must_use]
    pub fn on(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Sets the number of groups; new ones have no value.
    pub fn resize(&mut self, groups: usize) {
        self.ranks.resize(groups, C::weakest::<T>());
        self.seen.resize(groups);
    }

    /// Updates the group of each row by its value. This is also the way to merge: with the values
    /// of the other groups.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of `ids` and `values` differ.
    pub fn update(&mut self, ids: &[u32], values: &[T]) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        self.seen.mark(ids);
        let weakest = C::weakest::<T>();
        let mut memory = [weakest; BATCH];
        for (ids, values) in ids.chunks(BATCH).zip(values.chunks(BATCH)) {
            let ranks = T::ranks(self.level, values, weakest, &mut memory);
            for (&id, &rank) in ids.iter().zip(ranks) {
                let chosen = &mut self.ranks[id as usize];
                *chosen = C::choose(*chosen, rank);
            }
        }
    }

    /// Updates the group of each row that is not null by its value.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of the arguments differ.
    pub fn update_valid(&mut self, ids: &[u32], values: &[T], valid: Validity<'_>) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        assert_eq!(ids.len(), valid.len(), "one bit for each row");
        self.seen.mark_valid(ids, valid.rows());
        for ((&id, &value), valid) in ids.iter().zip(values).zip(valid.rows()) {
            let weakest = C::weakest::<T>();
            let value = if valid { value.rank(weakest) } else { weakest };
            let rank = &mut self.ranks[id as usize];
            *rank = C::choose(*rank, value);
        }
    }

    /// Returns the value of a group, or `None` if it has no value.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    #[must_use]
    pub fn value(&self, id: u32) -> Option<T> {
        let value = T::from_rank(self.ranks[id as usize]);
        self.seen.has(id).then_some(value)
    }

    /// Resets groups to the state of new ones.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn reset(&mut self, ids: &[u32]) {
        for &id in ids {
            self.ranks[id as usize] = C::weakest::<T>();
            self.seen.unmark(id);
        }
    }

    /// Removes all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.ranks.clear();
        self.seen.clear();
    }

    /// Returns the bytes of memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ranks.capacity() * size_of::<T::Rank>() + self.seen.bytes()
    }
}

#[cfg(test)]
mod tests;
