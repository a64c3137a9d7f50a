//! What a drain is asked for.

/// The form in which groups leave an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drain {
    /// Keys, and the answer of each aggregate.
    Values,
    /// State columns: keys, and what each aggregate keeps. [`Operator::push_state`] takes them.
    ///
    /// [`Operator::push_state`]: crate::Operator::push_state
    State,
}

/// The order in which groups leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Any order, which may differ from run to run: nothing is sorted.
    None,
    /// By the key columns, ascending.
    Key,
    /// By the first count, the largest first, and by key where counts are equal.
    #[default]
    Count,
    /// By these columns, the first one first, and by key where all are equal.
    Columns(Vec<OrderBy>),
}

/// A column to order by.
///
/// Nulls come last, whether the order ascends or descends. Floats are ordered −∞ … −0.0, +0.0 … +∞,
/// NaN.
///
/// # Examples
///
/// ```
/// use keymill::OrderBy;
///
/// let order = OrderBy::new("total").descending();
/// assert_eq!((order.column(), order.is_descending()), ("total", true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    column: String,
    descending: bool,
}

impl OrderBy {
    /// By a column, ascending.
    #[must_use]
    pub fn new(column: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            descending: false,
        }
    }

    /// The largest first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// The name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether the largest comes first.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.descending
    }
}
