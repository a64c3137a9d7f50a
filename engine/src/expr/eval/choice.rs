//! Steps that need some parts for some rows only: `AND`, `OR`, `CASE`, `COALESCE`.
//!
//! A part that may fail, such as a division, is evaluated only for the rows that need it. So
//! `CASE WHEN n <> 0 THEN total / n END` never divides by zero.

use std::sync::Arc;

use arrow_arith::boolean::{is_not_null, not};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Scalar};
use arrow_schema::ArrowError;
use arrow_select::filter::filter;
use arrow_select::merge::{merge, merge_n};
use arrow_select::zip::zip;

use super::{Rows, Values, kleene, without_nulls};
use crate::Result;
use crate::expr::bound::Bound;
use crate::expr::node::Logic;

/// `a AND b AND c`, or with `OR`.
pub(super) fn logic(whole: &Bound, of: Logic, parts: &[Bound], rows: &Rows<'_>) -> Result<Values> {
    let failed = |error| whole.failed(error);
    let mut parts = parts.iter();
    let Some(first) = parts.next() else {
        return Ok(Values::One(Arc::new(BooleanArray::from(vec![
            of == Logic::And,
        ]))));
    };
    let mut so_far = first.values(rows)?.as_boolean().clone();
    for part in parts {
        let open = open(of, &so_far).map_err(failed)?;
        let values = match part.can_fail() && open.true_count() < rows.len {
            false => part.values(rows)?,
            true => {
                let chosen = rows.chosen(&open, &[part]).map_err(failed)?;
                let values = part.values(&chosen)?;
                let decided = Scalar::new(BooleanArray::from(vec![of == Logic::Or]));
                merge(&open, &values, &decided).map_err(failed)?
            }
        };
        so_far = kleene(of, &so_far, values.as_boolean()).map_err(failed)?;
    }
    Ok(Values::Each(Arc::new(so_far)))
}

/// For which rows the next part matters: those that are not yet false with `AND`, true with `OR`.
fn open(of: Logic, so_far: &BooleanArray) -> Result<BooleanArray, ArrowError> {
    match of {
        Logic::And => not(&without_nulls(&not(so_far)?)),
        Logic::Or => not(&without_nulls(so_far)),
    }
}

/// The value of the first condition that is true.
pub(super) fn case(
    whole: &Bound,
    branches: &[(Bound, Bound)],
    otherwise: &Bound,
    rows: &Rows<'_>,
) -> Result<Values> {
    let failed = |error| whole.failed(error);
    if whole.can_fail() {
        return case_by_rows(whole, branches, otherwise, rows);
    }
    let mut values = otherwise.evaluate(rows)?;
    for (condition, then) in branches.iter().rev() {
        let mask = condition.values(rows)?;
        let mask = without_nulls(mask.as_boolean());
        let then = then.evaluate(rows)?;
        values = Values::Each(zip(&mask, &then, &values).map_err(failed)?);
    }
    Ok(values)
}

/// Evaluates each condition for the rows that no earlier one was true for, and each value for its rows.
fn case_by_rows(
    whole: &Bound,
    branches: &[(Bound, Bound)],
    otherwise: &Bound,
    rows: &Rows<'_>,
) -> Result<Values> {
    let failed = |error| whole.failed(error);
    let mut of_row = vec![0usize; rows.len];
    let mut left_rows: Vec<usize> = (0..rows.len).collect();
    let mut left: Option<Rows<'static>> = None;
    let mut pieces: Vec<ArrayRef> = Vec::new();
    for (number, (condition, then)) in branches.iter().enumerate() {
        let now = left.as_ref().unwrap_or(rows);
        let mask = without_nulls(condition.values(now)?.as_boolean());
        let chosen = now.chosen(&mask, &[then]).map_err(failed)?;
        pieces.push(then.values(&chosen)?);
        let rest: Vec<&Bound> = branches[number + 1..]
            .iter()
            .flat_map(|(condition, then)| [condition, then])
            .chain([otherwise])
            .collect();
        left = Some(
            now.chosen(&not(&mask).map_err(failed)?, &rest)
                .map_err(failed)?,
        );
        let mut still = Vec::new();
        for (row, is_true) in left_rows.into_iter().zip(mask.values()) {
            match is_true {
                true => of_row[row] = number,
                false => still.push(row),
            }
        }
        left_rows = still;
    }
    let now = left.as_ref().unwrap_or(rows);
    pieces.push(otherwise.values(now)?);
    left_rows
        .into_iter()
        .for_each(|row| of_row[row] = branches.len());
    let pieces: Vec<&dyn Array> = pieces.iter().map(|piece| &**piece).collect();
    merge_n(&pieces, &of_row).map(Values::Each).map_err(failed)
}

/// The first value that is not null.
pub(super) fn coalesce(whole: &Bound, parts: &[Bound], rows: &Rows<'_>) -> Result<Values> {
    let failed = |error| whole.failed(error);
    let mut values = match parts.first() {
        Some(first) => first.evaluate(rows)?,
        None => return Ok(Values::One(Arc::new(BooleanArray::new_null(1)))),
    };
    for part in &parts[1..] {
        if values.array().logical_null_count() == 0 {
            break;
        }
        let so_far = values.into_array(rows.len)?;
        let known = is_not_null(&so_far).map_err(failed)?;
        let chosen = match part.can_fail() {
            false => zip(&known, &so_far, &part.evaluate(rows)?),
            true => {
                let chosen = rows.chosen(&not(&known).map_err(failed)?, &[part]);
                let chosen = chosen.map_err(failed)?;
                let part = part.values(&chosen)?;
                let so_far = filter(&so_far, &known).map_err(failed)?;
                merge(&known, &so_far, &part)
            }
        };
        values = Values::Each(chosen.map_err(failed)?);
    }
    Ok(values)
}
