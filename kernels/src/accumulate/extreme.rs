//! The smallest and the largest value of each group.
//!
//! Floats are compared by a total order: −∞ < … < −0.0 < +0.0 < … < +∞. NaN takes part only where
//! there is nothing else: the minimum or maximum is NaN when all values of the group are NaN, and is
//! then the positive quiet NaN, whichever NaNs came.

use core::marker::PhantomData;

use super::Validity;
use super::seen::Seen;

/// A type whose values have a smallest and a largest.
pub trait Ordered: Copy + Send + Sync + 'static {
    /// Integers in the order of the values.
    #[doc(hidden)]
    type Rank: Copy + Ord + Send + Sync + core::fmt::Debug;
    /// The smallest and the largest rank. A float has neither, but NaN.
    #[doc(hidden)]
    const ENDS: [Self::Rank; 2];

    /// The rank of the value; where it takes no part, `otherwise`.
    #[doc(hidden)]
    fn rank(self, otherwise: Self::Rank) -> Self::Rank;

    /// The value of a rank.
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

    #[inline(always)]
    fn from_rank(rank: i64) -> Self {
        // Both ends lie beyond the infinities.
        if Self::ENDS.contains(&rank) {
            Self::NAN
        } else {
            Self::from_bits(flip(rank) as u64)
        }
    }
}

/// Reverses the order of negative numbers, as their magnitude is in the lower bits.
#[inline(always)]
fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// Which of two ranks stays.
#[doc(hidden)]
pub trait Choice: Send + Sync + 'static {
    /// The rank that gives way to every other one.
    fn weakest<T: Ordered>() -> T::Rank;

    /// The rank that stays.
    fn choose<R: Ord>(one: R, other: R) -> R;
}

/// The smaller one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Smaller;

/// The larger one.
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

/// The value of each group that comes first or last in order; see [`Min`] and [`Max`].
#[derive(Debug)]
pub struct Extreme<T: Ordered, C> {
    ranks: Vec<T::Rank>,
    seen: Seen,
    choice: PhantomData<C>,
}

impl<T: Ordered, C> Default for Extreme<T, C> {
    fn default() -> Self {
        Self {
            ranks: Vec::new(),
            seen: Seen::default(),
            choice: PhantomData,
        }
    }
}

impl<T: Ordered, C: Choice> Extreme<T, C> {
    /// Makes room for so many groups in all; new ones have no value.
    pub fn resize(&mut self, groups: usize) {
        self.ranks.resize(groups, C::weakest::<T>());
        self.seen.resize(groups);
    }

    /// Compares each value with that of its row's group. This also merges: the values of other
    /// groups are values like others.
    ///
    /// # Panics
    ///
    /// When there is no such group, or not one value for each id.
    pub fn update(&mut self, ids: &[u32], values: &[T]) {
        assert_eq!(ids.len(), values.len(), "one value for each id");
        self.seen.mark(ids);
        for (&id, &value) in ids.iter().zip(values) {
            let rank = &mut self.ranks[id as usize];
            *rank = C::choose(*rank, value.rank(C::weakest::<T>()));
        }
    }

    /// The same for those rows that are not null.
    ///
    /// # Panics
    ///
    /// When there is no such group, or not one value and bit for each id.
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

    /// The value of a group, or `None` when it has none.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    #[must_use]
    pub fn value(&self, id: u32) -> Option<T> {
        let value = T::from_rank(self.ranks[id as usize]);
        self.seen.has(id).then_some(value)
    }

    /// Makes groups as they were when they were new.
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

    /// Forgets all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.ranks.clear();
        self.seen.clear();
    }

    /// How many bytes of memory it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ranks.capacity() * size_of::<T::Rank>() + self.seen.bytes()
    }
}

#[cfg(test)]
mod tests;
