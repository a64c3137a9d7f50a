//! The types of arithmetic: integers in 64 bits, decimals exact, floats otherwise.

use arrow_array::new_empty_array;
use arrow_schema::DataType::{
    self, Date32, Decimal128, Decimal256, Duration, Float32, Float64, Int64, Interval, Null,
    Timestamp,
};
use arrow_schema::IntervalUnit::MonthDayNano;

use super::super::bound::{Bound, Step};
use super::super::eval::{Values, arithmetic};
use super::super::node::Arithmetic;
use super::coerce::{adapted, cannot_stand_together, cast, refused};
use super::probed;
use super::types::{digits, is_decimal};
use crate::Result;

pub(super) fn bind(of: Arithmetic, left: Bound, right: Bound, text: String) -> Result<Bound> {
    if is_time(&left.of) || is_time(&right.of) {
        return with_time(of, left, right, text);
    }
    let (left, right) = adapted(left, right)?;
    for side in [&left, &right] {
        if !side.of.is_numeric() && side.of != Null {
            let why = format!(
                "`{}` is {}, where a number is needed; CAST it",
                side.text, side.of
            );
            return Err(refused(&text, why));
        }
    }
    let either = |test: fn(&DataType) -> bool| test(&left.of) || test(&right.of);
    if either(|of| matches!(of, Decimal256(..))) {
        return Err(refused(
            &text,
            "arithmetic takes decimals of up to 38 digits",
        ));
    }
    let (left, right) = match () {
        () if either(DataType::is_floating) => {
            let narrow = |of: &DataType| matches!(of, Float32 | Null);
            let of = match narrow(&left.of) && narrow(&right.of) {
                true => Float32,
                false => Float64,
            };
            (cast(left, &of)?, cast(right, &of)?)
        }
        () if either(is_decimal) => (decimal(left)?, decimal(right)?),
        () => (cast(left, &Int64)?, cast(right, &Int64)?),
    };
    computed(of, left, right, text)
}

fn computed(of: Arithmetic, left: Bound, right: Bound, text: String) -> Result<Bound> {
    let none = |side: &Bound| Values::Each(new_empty_array(&side.of));
    let (none_left, none_right) = (none(&left), none(&right));
    let step = Step::Arithmetic(of, left.into(), right.into());
    probed(step, text, || arithmetic(of, &none_left, &none_right))
}

fn decimal(bound: Bound) -> Result<Bound> {
    let (digits, scale) = digits(&bound.of).unwrap_or((1, 0));
    cast(bound, &Decimal128(digits, scale))
}

fn is_time(of: &DataType) -> bool {
    use DataType::{Date64, Time32, Time64};
    matches!(
        of,
        Date32 | Date64 | Timestamp(..) | Interval(_) | Duration(_) | Time32(_) | Time64(_)
    )
}

/// A date or timestamp and an interval, or two dates.
fn with_time(of: Arithmetic, left: Bound, right: Bound, text: String) -> Result<Bound> {
    let (left, right) = (day(left)?, day(right)?);
    let (left, right) = match (&left.of, &right.of) {
        (Date32, _) if super::types::is_text(&right.of) && right.is_constant() => {
            adapted(left, right)?
        }
        (_, Date32) if super::types::is_text(&left.of) && left.is_constant() => {
            adapted(left, right)?
        }
        _ => (left, right),
    };
    let is_sum = matches!(of, Arithmetic::Add | Arithmetic::Subtract);
    match (&left.of, &right.of) {
        (Date32, Date32) if of == Arithmetic::Subtract => Ok(Bound {
            step: Step::Days(left.into(), right.into()),
            of: Int64,
            text: text.into(),
        }),
        (Timestamp(..), Timestamp(..)) => {
            let why = "subtract seconds instead: date_part('epoch', …) - date_part('epoch', …)";
            Err(refused(&text, why))
        }
        (Date32 | Timestamp(..), Interval(MonthDayNano)) if is_sum => {
            computed(of, left, right, text)
        }
        (Interval(MonthDayNano), Date32 | Timestamp(..)) if of == Arithmetic::Add => {
            computed(of, right, left, text)
        }
        (Date32, other) | (other, Date32) if other.is_integer() => {
            let why = "add days as an interval: day + INTERVAL '1 day'";
            Err(refused(&text, why))
        }
        _ => Err(cannot_stand_together(&left, &right, &text)),
    }
}

fn day(bound: Bound) -> Result<Bound> {
    match bound.of {
        DataType::Date64 => cast(bound, &Date32),
        _ => Ok(bound),
    }
}

pub(super) fn negate(inner: Bound, text: String) -> Result<Bound> {
    let inner = match &inner.of {
        Null => cast(inner, &Int64)?,
        of if of.is_integer() => cast(inner, &Int64)?,
        of if of.is_numeric() || matches!(of, Interval(_)) => inner,
        of => {
            let why = format!("`{}` is {of}, where a number is needed", inner.text);
            return Err(refused(&text, why));
        }
    };
    let none = new_empty_array(&inner.of);
    let step = Step::Negate(inner.into());
    probed(step, text, || arrow_arith::numeric::neg(&none))
}
