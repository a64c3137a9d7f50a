//! Converts columns to the types that tables and accumulators store, and back.
//!
//! ```text
//! dates, times, timestamps, durations, small decimals   ─▶ the integers that Arrow stores them as
//! floats that are keys                                  ─▶ integers with the order of the floats
//! ```
//!
//! As a key, −0.0 is 0.0, and all NaNs are one. Keys of floats are ordered −∞ … 0.0 … +∞, NaN.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, make_array};
use arrow_schema::DataType;

use crate::{Error, ErrorKind, Result};

/// Returns the integer type that stores dates, times and small decimals; any other type as it is.
pub(crate) fn stored_type(of: &DataType) -> DataType {
    use DataType::{
        Date32, Date64, Decimal32, Decimal64, Duration, Int32, Int64, Time32, Time64, Timestamp,
    };
    match of {
        Date32 | Time32(_) | Decimal32(..) => Int32,
        Date64 | Time64(_) | Timestamp(..) | Duration(_) | Decimal64(..) => Int64,
        other => other.clone(),
    }
}

/// Returns a column with its stored type. No value is copied.
pub(crate) fn stored(column: &ArrayRef) -> Result<ArrayRef> {
    as_type(column, &stored_type(column.data_type()))
}

/// Returns a column of a stored type with the type that it stands for.
pub(crate) fn as_type(column: &ArrayRef, of: &DataType) -> Result<ArrayRef> {
    if column.data_type() == of {
        return Ok(Arc::clone(column));
    }
    let data = column.to_data().into_builder().data_type(of.clone());
    let data = data.build().map_err(|cause| {
        let message = format!("a column of {} is not a {of}", column.data_type());
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })?;
    Ok(make_array(data))
}

/// Returns the type by which a type of keys is stored.
pub(crate) fn key_type(of: &DataType) -> DataType {
    match of {
        DataType::Float32 => DataType::Int32,
        DataType::Float64 => DataType::Int64,
        other => stored_type(other),
    }
}

/// Returns key columns by which tables store them.
pub(crate) fn key_columns(keys: &[ArrayRef]) -> Result<Cow<'_, [ArrayRef]>> {
    let is_stored = |key: &ArrayRef| key_type(key.data_type()) == *key.data_type();
    if keys.iter().all(is_stored) {
        return Ok(Cow::Borrowed(keys));
    }
    let columns: Result<Vec<_>> = keys.iter().map(key_column).collect();
    columns.map(Cow::Owned)
}

fn key_column(key: &ArrayRef) -> Result<ArrayRef> {
    match key.data_type() {
        DataType::Float64 => {
            let values = key.as_primitive::<Float64Type>();
            Ok(Arc::new(values.unary::<_, Int64Type>(|value| {
                flip64(canonical(value).to_bits().cast_signed())
            })))
        }
        DataType::Float32 => {
            let values = key.as_primitive::<Float32Type>();
            Ok(Arc::new(values.unary::<_, Int32Type>(|value| {
                // Widening is exact, and so is narrowing it again.
                let value = canonical(value.into()) as f32;
                flip32(value.to_bits().cast_signed())
            })))
        }
        _ => stored(key),
    }
}

/// Returns a key column of the type that it stands for.
pub(crate) fn from_key_column(key: &ArrayRef, of: &DataType) -> Result<ArrayRef> {
    match of {
        DataType::Float64 => {
            let values = key.as_primitive::<Int64Type>();
            Ok(Arc::new(values.unary::<_, Float64Type>(|rank| {
                f64::from_bits(flip64(rank).cast_unsigned())
            })))
        }
        DataType::Float32 => {
            let values = key.as_primitive::<Int32Type>();
            Ok(Arc::new(values.unary::<_, Float32Type>(|rank| {
                f32::from_bits(flip32(rank).cast_unsigned())
            })))
        }
        _ => as_type(key, of),
    }
}

fn canonical(value: f64) -> f64 {
    match value {
        _ if value.is_nan() => f64::NAN,
        // Also −0.0.
        0.0 => 0.0,
        value => value,
    }
}

/// Reverses the order of negative numbers, whose lower bits are a magnitude.
fn flip64(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

fn flip32(bits: i32) -> i32 {
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Float32Array, Float64Array};

    use super::*;

    #[test]
    fn floats_become_integers_in_their_order_and_back() {
        let values = [
            f64::NEG_INFINITY,
            -1.5,
            -5e-324,
            0.0,
            5e-324,
            1.5,
            f64::INFINITY,
            f64::NAN,
        ];
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let stored = key_column(&column).unwrap();
        let ranks = stored.as_primitive::<Int64Type>().values();
        assert!(ranks.is_sorted_by(|one, other| one < other));
        let back = from_key_column(&stored, &DataType::Float64).unwrap();
        let bits = |it: &ArrayRef| -> Vec<u64> {
            let values = it.as_primitive::<Float64Type>().values().iter();
            values.map(|value| value.to_bits()).collect()
        };
        assert_eq!(bits(&back), bits(&column));
    }

    #[test]
    fn zeros_and_nans_are_one_key_each() {
        let values = vec![Some(-0.0), Some(0.0), Some(-f32::NAN), Some(f32::NAN), None];
        let stored = key_column(&(Arc::new(Float32Array::from(values)) as ArrayRef)).unwrap();
        let ranks = stored.as_primitive::<Int32Type>();
        assert_eq!(ranks.value(0), ranks.value(1));
        assert_eq!(ranks.value(2), ranks.value(3));
        assert!(ranks.value(1) < ranks.value(2) && ranks.is_null(4));
    }
}
