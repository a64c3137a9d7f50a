//! The form and the order of drained groups.

/// The form of drained groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drain {
    /// Keys, and the answer of each aggregate.
    Values,
    /// State columns: keys, and the state of each aggregate. [`Operator::push_state`] merges them.
    ///
    /// [`Operator::push_state`]: crate::Operator::push_state
    State,
}

/// The order of drained groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// No order: it may differ from run to run.
    None,
    /// By the key columns, ascending.
    Key,
    /// By the first count, largest first; groups with equal counts by key.
    #[default]
    Count,
    /// By these columns, the first one first; groups that are equal in all of them by key.
    Columns(Vec<OrderBy>),
}

/// A column to order by.
///
/// Nulls are last in both directions. Floats are ordered −∞ … −0.0, +0.0 … +∞,
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
    /// Orders by a column, ascending.
    #[must_use]
    pub fn new(column: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            descending: false,
        }
    }

    /// Orders largest first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// Returns the name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Returns whether the order is largest first.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.descending
    }
}
