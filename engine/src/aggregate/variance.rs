//! `var(x)`, `stddev(x)` of a sample and `var_pop(x)`, `stddev_pop(x)` of a population: exact, rounded once.
//!
//! ```text
//! var_pop = (n Σx² − (Σx)²) ÷ n²        var = (n Σx² − (Σx)²) ÷ (n (n − 1))
//! ```
//!
//! The variance of a sample needs two values; with fewer the answer is null. It is NaN if a value is NaN or
//! infinite.

use std::sync::Arc;

use super::dyadic::Dyadic;
use super::moments::{Kind, Moment, Of, Sums};
use super::{AggregateExpr, Entry};
use crate::expr::Expr;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new("var", "var(x)", 1, |_| Ok(Arc::new(Moment(&VAR)))),
    Entry::new("var_pop", "var_pop(x)", 1, |_| Ok(Arc::new(Moment(&VAR_POP)))),
    Entry::new("stddev", "stddev(x)", 1, |_| Ok(Arc::new(Moment(&STDDEV)))),
    Entry::new("stddev_pop", "stddev_pop(x)", 1, |_| {
        Ok(Arc::new(Moment(&STDDEV_POP)))
    }),
];

const VAR: Kind = Kind {
    name: "var",
    columns: 1,
    least_rows: 2,
    sums: &[Of::X, Of::XX],
    statistic: |sums| sums.ratio(&squares(sums), &pairs(sums, 1), (2, 0)),
};

const VAR_POP: Kind = Kind {
    name: "var_pop",
    least_rows: 1,
    statistic: |sums| sums.ratio(&squares(sums), &pairs(sums, 0), (2, 0)),
    ..VAR
};

const STDDEV: Kind = Kind {
    name: "stddev",
    statistic: |sums| sums.root(&squares(sums), &pairs(sums, 1), (2, 0)),
    ..VAR
};

const STDDEV_POP: Kind = Kind {
    name: "stddev_pop",
    statistic: |sums| sums.root(&squares(sums), &pairs(sums, 0), (2, 0)),
    ..VAR_POP
};

/// Returns `n Σx² − (Σx)²`.
fn squares(sums: &Sums<'_>) -> Dyadic {
    sums.deviation(Of::XX, Of::X, Of::X)
}

/// Returns `n (n − less)`.
pub(super) fn pairs(sums: &Sums<'_>, less: u64) -> Dyadic {
    let count = i128::from(sums.count());
    Dyadic::from(count * (count - i128::from(less)))
}

/// Returns the variance of a sample. Nulls are skipped.
#[must_use]
pub fn var(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&VAR), [input.into()])
}

/// Returns the variance of a population. Nulls are skipped.
#[must_use]
pub fn var_pop(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&VAR_POP), [input.into()])
}

/// Returns the standard deviation of a sample. Nulls are skipped.
#[must_use]
pub fn stddev(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&STDDEV), [input.into()])
}

/// Returns the standard deviation of a population. Nulls are skipped.
#[must_use]
pub fn stddev_pop(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&STDDEV_POP), [input.into()])
}
