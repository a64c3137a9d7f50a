//! Parts of dates and timestamps.

use std::sync::Arc;

use arrow_arith::numeric::{div, mul, sub};
use arrow_arith::temporal::{DatePart, date_part};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, Scalar};
use arrow_cast::cast;
use arrow_schema::DataType::{Date32, Duration, Float64, Int32, Int64, Timestamp};
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::Values;

/// The parts of a date or timestamp. `epoch` is the seconds since 1970, as a float.
pub(in crate::expr) const PARTS: [(&str, Option<DatePart>); 13] = [
    ("year", Some(DatePart::Year)),
    ("quarter", Some(DatePart::Quarter)),
    ("month", Some(DatePart::Month)),
    ("week", Some(DatePart::Week)),
    ("day", Some(DatePart::Day)),
    ("dow", Some(DatePart::DayOfWeekSunday0)),
    ("isodow", Some(DatePart::DayOfWeekMonday1)),
    ("doy", Some(DatePart::DayOfYear)),
    ("isoyear", Some(DatePart::YearISO)),
    ("hour", Some(DatePart::Hour)),
    ("minute", Some(DatePart::Minute)),
    ("second", Some(DatePart::Second)),
    ("epoch", None),
];

/// What a date or timestamp can be truncated to.
pub(in crate::expr) const UNITS: [&str; 8] = [
    "year", "quarter", "month", "week", "day", "hour", "minute", "second",
];

const SECONDS_OF_DAY: i64 = 86_400;

/// Days between two dates.
pub(super) fn days_between(left: &Values, right: &Values) -> Result<ArrayRef, ArrowError> {
    let seconds = cast(&sub(left, right)?, &Duration(TimeUnit::Second))?;
    let day = Scalar::new(Int64Array::from(vec![SECONDS_OF_DAY]));
    div(&cast(&seconds, &Int64)?, &day)
}

/// A part, as `Int64`; the epoch as `Float64`.
pub(super) fn part(name: &Values, value: &Values) -> Result<ArrayRef, ArrowError> {
    let (name, array) = (name.array().as_string::<i32>().value(0), value.array());
    match PARTS.iter().find(|row| row.0 == name) {
        Some((_, Some(part))) => cast(&date_part(array, *part)?, &Int64),
        _ => epoch(array),
    }
}

fn epoch(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        Timestamp(unit, _) => {
            let floats = cast(&cast(array, &Int64)?, &Float64)?;
            div(&floats, &one_float(ticks(*unit)))
        }
        _ => {
            let days = cast(&cast(array, &Int32)?, &Float64)?;
            mul(&days, &one_float(SECONDS_OF_DAY))
        }
    }
}

fn one_float(value: i64) -> Scalar<Float64Array> {
    Scalar::new(Float64Array::from(vec![value as f64]))
}

fn ticks(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The start of the unit that a date or timestamp is in, in its own time zone.
pub(super) fn truncate(unit: &Values, value: &Values) -> Result<ArrayRef, ArrowError> {
    let (unit, array) = (unit.array().as_string::<i32>().value(0), value.array());
    let days = match unit {
        "hour" | "minute" | "second" | "day" => None,
        _ => Some(days_since_start(unit, array)?),
    };
    match array.data_type() {
        Timestamp(of, _) => truncate_ticks(unit, ticks(*of), array, days),
        _ => match days {
            None => Ok(array.clone()),
            Some(days) => {
                let numbers = cast(array, &Int32)?;
                cast(&sub(&numbers, &days)?, &Date32)
            }
        },
    }
}

fn truncate_ticks(
    unit: &str,
    per_second: i64,
    array: &ArrayRef,
    days: Option<Int32Array>,
) -> Result<ArrayRef, ArrowError> {
    let of: &DataType = array.data_type();
    let parts = |part| date_part(array, part).map(|it| it.as_primitive::<Int32Type>().clone());
    let hours = parts(DatePart::Hour)?;
    let minutes = parts(DatePart::Minute)?;
    let seconds = parts(DatePart::Second)?;
    let all = cast(array, &Int64)?;
    let all = all.as_primitive::<Int64Type>();
    let start = |row: usize| -> Result<Option<i64>, ArrowError> {
        // A value that no calendar has is null.
        if all.is_null(row) || hours.is_null(row) {
            return Ok(None);
        }
        let [hour, minute, second] =
            [&hours, &minutes, &seconds].map(|it| i64::from(it.value(row)));
        let since = match unit {
            "second" => 0,
            "minute" => second,
            "hour" => minute * 60 + second,
            _ => hour * 3600 + minute * 60 + second,
        };
        let days = days.as_ref().map_or(0, |days| i64::from(days.value(row)));
        let value = all.value(row);
        let since = (since + days * SECONDS_OF_DAY) * per_second + value.rem_euclid(per_second);
        let what = || ArrowError::ArithmeticOverflow(format!("date_trunc of {value}"));
        value.checked_sub(since).map(Some).ok_or_else(what)
    };
    let starts: Int64Array = (0..all.len()).map(start).collect::<Result<_, _>>()?;
    cast(&(Arc::new(starts) as ArrayRef), of)
}

/// How many days ago the unit began.
fn days_since_start(unit: &str, array: &ArrayRef) -> Result<Int32Array, ArrowError> {
    let parts = |part| date_part(array, part).map(|it| it.as_primitive::<Int32Type>().clone());
    Ok(match unit {
        "week" => parts(DatePart::DayOfWeekMonday0)?,
        "month" => parts(DatePart::Day)?.unary(|day| day - 1),
        "year" => parts(DatePart::DayOfYear)?.unary(|day| day - 1),
        _ => {
            let (years, quarters) = (parts(DatePart::Year)?, parts(DatePart::Quarter)?);
            let days = parts(DatePart::DayOfYear)?;
            let since = |row: usize| {
                days.is_valid(row).then(|| {
                    let quarter = quarters.value(row);
                    days.value(row) - 1 - days_before_quarter(years.value(row), quarter)
                })
            };
            (0..days.len()).map(since).collect()
        }
    })
}

fn days_before_quarter(year: i32, quarter: i32) -> i32 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match quarter {
        1 => 0,
        2 => 90 + i32::from(leap),
        3 => 181 + i32::from(leap),
        _ => 273 + i32::from(leap),
    }
}
