//! `corr`, `covar`, `covar_pop`, and the line `y = slope · x + intercept` of least squares with its `r2`:
//! exact, rounded once.
//!
//! Rows where one of the columns is null are skipped. Where an answer is not defined, as the slope of
//! points with one `x`, it is null. It is NaN if a value is NaN or infinite.

use std::sync::Arc;

use super::dyadic::Dyadic;
use super::moments::{Kind, Moment, Of, Sums};
use super::variance::pairs;
use super::{AggregateExpr, Entry};
use crate::expr::Expr;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new("corr", "corr(x, y)", 2, |_| Ok(Arc::new(Moment(&CORR)))),
    Entry::new("covar", "covar(x, y)", 2, |_| Ok(Arc::new(Moment(&COVAR)))),
    Entry::new("covar_pop", "covar_pop(x, y)", 2, |_| {
        Ok(Arc::new(Moment(&COVAR_POP)))
    }),
    Entry::new("slope", "slope(y, x)", 2, |_| Ok(Arc::new(Moment(&SLOPE)))),
    Entry::new("intercept", "intercept(y, x)", 2, |_| {
        Ok(Arc::new(Moment(&INTERCEPT)))
    }),
    Entry::new("r2", "r2(y, x)", 2, |_| Ok(Arc::new(Moment(&R2)))),
];

const CORR: Kind = Kind {
    name: "corr",
    columns: 2,
    least_rows: 2,
    sums: &[Of::X, Of::Y, Of::XX, Of::XY, Of::YY],
    statistic: |sums| {
        let both = both(sums);
        let root = sums.root(&(&both * &both), &(&first(sums) * &second(sums)), (0, 0))?;
        Some(if both.is_negative() { -root } else { root })
    },
};

const COVAR: Kind = Kind {
    name: "covar",
    sums: &[Of::X, Of::Y, Of::XY],
    statistic: |sums| sums.ratio(&both(sums), &pairs(sums, 1), (1, 1)),
    ..CORR
};

const COVAR_POP: Kind = Kind {
    name: "covar_pop",
    least_rows: 1,
    statistic: |sums| sums.ratio(&both(sums), &pairs(sums, 0), (1, 1)),
    ..COVAR
};

// As in SQL, the first column of these is the one that depends on the other.

const SLOPE: Kind = Kind {
    name: "slope",
    sums: &[Of::X, Of::Y, Of::XY, Of::YY],
    statistic: |sums| sums.ratio(&both(sums), &second(sums), (1, -1)),
    ..CORR
};

const INTERCEPT: Kind = Kind {
    name: "intercept",
    sums: SLOPE.sums,
    statistic: |sums| {
        let one = &sums.of(Of::X) * &sums.of(Of::YY);
        let other = &sums.of(Of::Y) * &sums.of(Of::XY);
        sums.ratio(&(&one - &other), &second(sums), (1, 0))
    },
    ..CORR
};

const R2: Kind = Kind {
    name: "r2",
    statistic: |sums| {
        let (both, first, second) = (both(sums), first(sums), second(sums));
        // A horizontal line fits points of one height.
        if first.is_zero() && !second.is_zero() {
            return Some(1.0);
        }
        sums.ratio(&(&both * &both), &(&first * &second), (0, 0))
    },
    ..CORR
};

fn both(sums: &Sums<'_>) -> Dyadic {
    sums.deviation(Of::XY, Of::X, Of::Y)
}

fn first(sums: &Sums<'_>) -> Dyadic {
    sums.deviation(Of::XX, Of::X, Of::X)
}

fn second(sums: &Sums<'_>) -> Dyadic {
    sums.deviation(Of::YY, Of::Y, Of::Y)
}

/// Returns the correlation of two columns, by Pearson.
#[must_use]
pub fn corr(x: impl Into<Expr>, y: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&CORR), [x.into(), y.into()])
}

/// Returns the covariance of a sample.
#[must_use]
pub fn covar(x: impl Into<Expr>, y: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&COVAR), [x.into(), y.into()])
}

/// Returns the covariance of a population.
#[must_use]
pub fn covar_pop(x: impl Into<Expr>, y: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&COVAR_POP), [x.into(), y.into()])
}

/// Returns the slope of the line of least squares. `y` depends on `x`.
#[must_use]
pub fn slope(y: impl Into<Expr>, x: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&SLOPE), [y.into(), x.into()])
}

/// Returns the value of the line of least squares at `x = 0`. `y` depends on `x`.
#[must_use]
pub fn intercept(y: impl Into<Expr>, x: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&INTERCEPT), [y.into(), x.into()])
}

/// Returns the share of the variance of `y` that the line of least squares explains.
#[must_use]
pub fn r2(y: impl Into<Expr>, x: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Moment(&R2), [y.into(), x.into()])
}
