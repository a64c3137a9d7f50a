//! The aggregates of the values of a key: count, sum, min, max, and tuples of these.
#![forbid(unsafe_code)]

use bytemuck::Zeroable;

/// An aggregate function, or a tuple of them.
///
/// It is the type parameter of a [`ReduceByKey`](super::ReduceByKey): `Sum`, or `(Count, Min,
/// Max)`.
pub trait Aggregate: Copy + Send + Sync + 'static {
    /// The state that a table stores for each key.
    type State: Copy + Send + Sync + Zeroable;
    /// The same aggregate with a state that cannot overflow.
    type Wide: Aggregate<Output = Self::Output, Wide = Self::Wide>;
    /// The result for a key.
    type Output: Copy + Send + Sync + core::fmt::Debug + PartialEq;

    /// Whether the state may overflow, so that a bound of the sums is needed.
    const MAY_OVERFLOW: bool;
    /// The state of no values.
    const EMPTY: Self::State;
    /// Whether that state is all-zero bytes, like new memory.
    const EMPTY_IS_ZERO: bool;

    /// Adds one value.
    fn add(state: &mut Self::State, value: i64);

    /// Merges another state.
    fn merge(state: &mut Self::State, other: Self::State);

    /// Converts the state to a wide one.
    fn widen(state: Self::State) -> <Self::Wide as Aggregate>::State;

    /// Returns the result.
    fn finish(state: Self::State) -> Self::Output;
}

/// The number of rows of the key.
#[derive(Clone, Copy, Debug)]
pub struct Count;

impl Aggregate for Count {
    type State = u64;
    type Wide = Self;
    type Output = u64;
    const MAY_OVERFLOW: bool = false;
    const EMPTY: u64 = 0;
    const EMPTY_IS_ZERO: bool = true;

    #[inline(always)]
    fn add(state: &mut u64, _: i64) {
        *state += 1;
    }

    #[inline(always)]
    fn merge(state: &mut u64, other: u64) {
        *state += other;
    }

    #[inline(always)]
    fn widen(state: u64) -> u64 {
        state
    }

    #[inline(always)]
    fn finish(state: u64) -> u64 {
        state
    }
}

/// The exact sum of the values, as 128 bits.
///
/// It is kept in 64 bits while rows times the largest magnitude prove that these suffice.
#[derive(Clone, Copy, Debug)]
pub struct Sum;

impl Aggregate for Sum {
    type State = i64;
    type Wide = WideSum;
    type Output = i128;
    const MAY_OVERFLOW: bool = true;
    const EMPTY: i64 = 0;
    const EMPTY_IS_ZERO: bool = true;

    #[inline(always)]
    fn add(state: &mut i64, value: i64) {
        *state = state.wrapping_add(value);
    }

    #[inline(always)]
    fn merge(state: &mut i64, other: i64) {
        *state = state.wrapping_add(other);
    }

    #[inline(always)]
    fn widen(state: i64) -> i128 {
        i128::from(state)
    }

    #[inline(always)]
    fn finish(state: i64) -> i128 {
        i128::from(state)
    }
}

/// [`Sum`], kept in 128 bits from the first row on: 2⁶⁴ rows cannot overflow it.
#[derive(Clone, Copy, Debug)]
pub struct WideSum;

impl Aggregate for WideSum {
    type State = i128;
    type Wide = Self;
    type Output = i128;
    const MAY_OVERFLOW: bool = false;
    const EMPTY: i128 = 0;
    const EMPTY_IS_ZERO: bool = true;

    #[inline(always)]
    fn add(state: &mut i128, value: i64) {
        *state += i128::from(value);
    }

    #[inline(always)]
    fn merge(state: &mut i128, other: i128) {
        *state += other;
    }

    #[inline(always)]
    fn widen(state: i128) -> i128 {
        state
    }

    #[inline(always)]
    fn finish(state: i128) -> i128 {
        state
    }
}

/// The smallest or the largest value.
macro_rules! extreme {
    ($name:ident, $doc:literal, $pick:ident, $empty:expr) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Aggregate for $name {
            type State = i64;
            type Wide = Self;
            type Output = i64;
            const MAY_OVERFLOW: bool = false;
            const EMPTY: i64 = $empty;
            const EMPTY_IS_ZERO: bool = false;

            #[inline(always)]
            fn add(state: &mut i64, value: i64) {
                *state = value.$pick(*state);
            }

            #[inline(always)]
            fn merge(state: &mut i64, other: i64) {
                *state = other.$pick(*state);
            }

            #[inline(always)]
            fn widen(state: i64) -> i64 {
                state
            }

            #[inline(always)]
            fn finish(state: i64) -> i64 {
                state
            }
        }
    };
}

extreme!(Min, "The smallest value.", min, i64::MAX);
extreme!(Max, "The largest value.", max, i64::MIN);

/// Tuples of aggregates, each with its part of the state.
macro_rules! several {
    ($($name:ident $part:tt),+) => {
        impl<$($name: Aggregate),+> Aggregate for ($($name,)+) {
            type State = ($($name::State,)+);
            type Wide = ($($name::Wide,)+);
            type Output = ($($name::Output,)+);
            const MAY_OVERFLOW: bool = $($name::MAY_OVERFLOW)||+;
            const EMPTY: Self::State = ($($name::EMPTY,)+);
            const EMPTY_IS_ZERO: bool = $($name::EMPTY_IS_ZERO)&&+;

            #[inline(always)]
            fn add(state: &mut Self::State, value: i64) {
                $($name::add(&mut state.$part, value);)+
            }

            #[inline(always)]
            fn merge(state: &mut Self::State, other: Self::State) {
                $($name::merge(&mut state.$part, other.$part);)+
            }

            #[inline(always)]
            fn widen(state: Self::State) -> <Self::Wide as Aggregate>::State {
                ($($name::widen(state.$part),)+)
            }

            #[inline(always)]
            fn finish(state: Self::State) -> Self::Output {
                ($($name::finish(state.$part),)+)
            }
        }
    };
}

several!(A 0, B 1);
several!(A 0, B 1, C 2);
several!(A 0, B 1, C 2, D 3);
