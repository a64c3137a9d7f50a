//! The numbers that aggregates of one or two columns of numbers compute with.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use keymill_kernels::accumulate::Factor;

use super::input::{NumberKind, floats, integers_of, signed, unsigned};
use crate::keys::{stored, stored_type};
use crate::{Error, ErrorKind, Result};

/// The digits of decimals that fit in 64 bits.
const MOST_DIGITS: u8 = 18;

/// Returns the number of digits after the point of numbers that have an exact product; `None` for other
/// types. It is 0 for integers and floats.
pub(super) fn scale_of(of: &DataType) -> Option<i8> {
    match of {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => Some(*scale),
        DataType::Decimal128(precision, scale) if *precision <= MOST_DIGITS => Some(*scale),
        of => NumberKind::of(of).map(|_| 0),
    }
}

/// Returns the numbers of a column of integers or decimals, as [`factors`]; `None` for other columns, and if one
/// of the numbers does not fit. The numbers of null rows are unspecified.
pub(super) fn integers(column: &ArrayRef) -> Result<Option<ScalarBuffer<i64>>> {
    if let Some(values) = column.as_primitive_opt::<Decimal128Type>() {
        let values = values.values().iter();
        return Ok(values.map(|&value| i64::try_from(value).ok()).collect());
    }
    let column = stored(column)?;
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Ok(Some(values.values().clone()));
    }
    Ok(integers_of(&column).map(|values| values.into_owned().into()))
}

/// Returns the numbers of a column; `None` for values that are not finite. The numbers of null rows are
/// unspecified. Decimals are their digits without the point.
pub(super) fn factors(column: &ArrayRef) -> Result<Vec<Option<Factor>>> {
    if let DataType::Decimal128(..) = column.data_type() {
        let values = column.as_primitive::<Decimal128Type>();
        let too_large = || {
            let message = "a decimal has more digits than its type";
            Error::new(ErrorKind::Format, message)
        };
        let rows = values.values().iter().enumerate();
        let factors = rows.map(|(row, &value)| match i64::try_from(value) {
            Ok(value) => Ok(Some(Factor::from(value))),
            Err(_) if values.is_null(row) => Ok(None),
            Err(_) => Err(too_large()),
        });
        return factors.collect();
    }
    let column = stored(column)?;
    match NumberKind::of(&stored_type(column.data_type())) {
        Some(NumberKind::Signed) => Ok(each(&signed(&column)?, |it| Some(Factor::from(it)))),
        Some(NumberKind::Unsigned) => Ok(each(&unsigned(&column)?, |it| Some(Factor::from(it)))),
        _ => Ok(each(&floats(&column)?, Factor::of_float)),
    }
}

fn each<T: Copy>(values: &[T], factor: impl Fn(T) -> Option<Factor>) -> Vec<Option<Factor>> {
    values.iter().map(|&value| factor(value)).collect()
}
