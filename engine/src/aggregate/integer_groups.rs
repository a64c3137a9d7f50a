//! Groups of integers as the stage `reduce_by_key` leaves them, on the processor or on a device.

/// What an aggregate needs of the integers of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntegerNeeds {
    /// The number of values.
    pub count: bool,
    /// Their sum.
    pub sum: bool,
    /// The smallest and the largest of them.
    pub extremes: bool,
}

impl IntegerNeeds {
    /// The number of values.
    pub const COUNT: Self = Self::of(true, false, false);
    /// The sum of the values.
    pub const SUM: Self = Self::of(false, true, false);
    /// The number of values and their sum.
    pub const MEAN: Self = Self::of(true, true, false);
    /// The smallest and the largest value.
    pub const EXTREMES: Self = Self::of(false, false, true);

    const fn of(count: bool, sum: bool, extremes: bool) -> Self {
        Self {
            count,
            sum,
            extremes,
        }
    }

    /// What either needs.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            count: self.count || other.count,
            sum: self.sum || other.sum,
            extremes: self.extremes || other.extremes,
        }
    }
}

/// The count, sum, smallest and largest value of each group. No value was null.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct IntegerGroups<'a> {
    /// How many values each group has; never 0. Empty, as the others, where it was not needed.
    pub counts: &'a [u64],
    /// The exact sums.
    pub sums: &'a [i128],
    /// The smallest values.
    pub mins: &'a [i64],
    /// The largest values.
    pub maxs: &'a [i64],
}
