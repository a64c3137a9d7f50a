//! Times of rows in milliseconds since 1970.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};

use crate::{Error, ErrorKind, Result};

/// The largest time that is taken, in milliseconds: the year 275760, or as far before 1970.
const MOST: i64 = 8_640_000_000_000_000;

/// Checks that a type can be read as a time.
///
/// # Errors
///
/// [`ErrorKind::Config`] if it cannot.
pub(super) fn check(of: &DataType, expr: &dyn std::fmt::Display) -> Result<()> {
    use DataType::{Date32, Date64, LargeUtf8, Timestamp, Utf8, Utf8View};
    match of {
        Timestamp(..) | Date32 | Date64 | Utf8 | LargeUtf8 | Utf8View => Ok(()),
        of if of.is_integer() || of.is_floating() => Ok(()),
        other => {
            let message = format!(
                "`{expr}` is no time: it is {other}; times are timestamps, dates, numbers and texts"
            );
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

/// The times of a column. A value that is no time is null.
pub(super) fn times_of(column: &ArrayRef) -> Result<Int64Array> {
    use DataType::{Date32, Date64, LargeUtf8, Timestamp, Utf8, Utf8View};
    let times: Int64Array = match column.data_type() {
        Timestamp(..) | Date32 | Date64 => timestamps(column)?,
        Utf8 | LargeUtf8 | Utf8View => texts(column)?,
        of if of.is_integer() => {
            let numbers = cast(column, &DataType::Int64)?;
            numbers.as_primitive::<Int64Type>().unary(of_integer)
        }
        _ => {
            let numbers = cast(column, &DataType::Float64)?;
            numbers
                .as_primitive::<Float64Type>()
                .unary_opt::<_, Int64Type>(of_float)
        }
    };
    let in_range = |time: i64| (-MOST..=MOST).contains(&time).then_some(time);
    Ok(times.unary_opt(in_range))
}

fn timestamps(column: &ArrayRef) -> Result<Int64Array> {
    // A timestamp without a zone is taken as UTC, as are dates.
    let milliseconds = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    let milliseconds = cast(&milliseconds, &DataType::Int64)?;
    Ok(milliseconds.as_primitive::<Int64Type>().clone())
}

/// Numbers, and times of ISO 8601.
fn texts(column: &ArrayRef) -> Result<Int64Array> {
    let texts = cast(column, &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let numbers: Int64Array = texts.iter().map(|text| of_number(text?.trim())).collect();
    if numbers.null_count() == texts.null_count() {
        return Ok(numbers);
    }
    let timestamps = timestamps(column)?;
    let times = numbers.iter().zip(&timestamps);
    Ok(times.map(|(number, time)| number.or(time)).collect())
}

fn of_number(text: &str) -> Option<i64> {
    match text.parse() {
        Ok(number) => Some(of_integer(number)),
        Err(_) => text.parse().ok().and_then(of_float),
    }
}

/// The milliseconds of a number, by its size: see [`super::Window::on`].
fn of_integer(number: i64) -> i64 {
    match number.unsigned_abs() {
        0..100_000_000_000 => number * 1000,
        100_000_000_000..100_000_000_000_000 => number,
        100_000_000_000_000..100_000_000_000_000_000 => number.div_euclid(1000),
        _ => number.div_euclid(1_000_000),
    }
}

fn of_float(number: f64) -> Option<i64> {
    let milliseconds = match number.abs() {
        // To microseconds first: the product of 4.054 and 1000 is a little less than 4054.
        size if size < 1e11 => (number * 1e6).round() / 1e3,
        size if size < 1e14 => number,
        size if size < 1e17 => number / 1e3,
        size if size < 1e20 => number / 1e6,
        _ => return None,
    };
    Some(milliseconds.floor() as i64)
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions::default();
    cast_with_options(column, to, &options).map_err(|cause| {
        let message = format!("a column of {} is no time", column.data_type());
        Error::new(ErrorKind::Format, message).with_source(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_or_iso_8601() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1000)),
            ("12.5", Some(12_500)),
            ("-4.054", Some(-4054)),
            ("1700000000.001", Some(1_700_000_000_001)),
            ("0.0019", Some(1)),
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000123", Some(1_700_000_000_123)),
            ("1700000000123456", Some(1_700_000_000_123)),
            ("1700000000123456789", Some(1_700_000_000_123)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-14 22:13:20.5", Some(1_700_000_000_500)),
            ("2023-11-14T23:13:20+01:00", Some(1_700_000_000_000)),
            ("2023-11-14", Some(1_699_920_000_000)),
            ("", None),
            ("soon", None),
            ("NaN", None),
        ] {
            let column: ArrayRef = std::sync::Arc::new(arrow_array::StringArray::from(vec![text]));
            let times = times_of(&column).unwrap();
            let time = (!times.is_null(0)).then(|| times.value(0));
            assert_eq!(time, expected, "{text}");
        }
    }
}
