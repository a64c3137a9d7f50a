//! Converts the values of columns to 64-bit integers and floats, and back.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;
use keymill_kernels::accumulate::Validity;

use crate::{Error, ErrorKind, Result};

/// The kinds of numbers that are accumulated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberKind {
    Signed,
    Unsigned,
    Float,
}

impl NumberKind {
    /// Returns the kind of number of a type; `None` for other types.
    pub(super) fn of(input: &DataType) -> Option<Self> {
        use DataType::{
            Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64,
        };
        match input {
            Int8 | Int16 | Int32 | Int64 => Some(Self::Signed),
            UInt8 | UInt16 | UInt32 | UInt64 => Some(Self::Unsigned),
            Float32 | Float64 => Some(Self::Float),
            _ => None,
        }
    }
}

/// Returns which rows are not null; `None` if no row is null.
pub(super) fn validity(array: &dyn Array) -> Option<Validity<'_>> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    let bits = nulls.inner();
    Some(Validity::new(bits.values(), bits.offset(), bits.len()))
}

/// Returns integers as `i64`; `None` if one of them is 2⁶³ or more, or for another type. The values of
/// null rows are unspecified.
pub(crate) fn integers_of(array: &dyn Array) -> Option<Cow<'_, [i64]>> {
    match array.data_type() {
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().values().iter();
            values.map(|&value| value.try_into().ok()).collect()
        }
        DataType::UInt32 => Some(widened::<UInt32Type, i64>(array)),
        DataType::UInt16 => Some(widened::<UInt16Type, i64>(array)),
        DataType::UInt8 => Some(widened::<UInt8Type, i64>(array)),
        _ => signed(array).ok(),
    }
}

/// Returns integers in two's complement. The bits of null rows are unspecified.
#[cfg(feature = "gpu")]
pub(crate) fn integer_bits(array: &dyn Array) -> Result<Vec<u64>> {
    match NumberKind::of(array.data_type()) {
        Some(NumberKind::Unsigned) => Ok(unsigned(array)?.into_owned()),
        _ => Ok(signed(array)?
            .iter()
            .map(|value| value.cast_unsigned())
            .collect()),
    }
}

pub(super) fn signed(array: &dyn Array) -> Result<Cow<'_, [i64]>> {
    match array.data_type() {
        DataType::Int64 => Ok(array.as_primitive::<Int64Type>().values().as_ref().into()),
        DataType::Int32 => Ok(widened::<Int32Type, i64>(array)),
        DataType::Int16 => Ok(widened::<Int16Type, i64>(array)),
        DataType::Int8 => Ok(widened::<Int8Type, i64>(array)),
        other => Err(unexpected(other)),
    }
}

pub(super) fn unsigned(array: &dyn Array) -> Result<Cow<'_, [u64]>> {
    match array.data_type() {
        DataType::UInt64 => Ok(array.as_primitive::<UInt64Type>().values().as_ref().into()),
        DataType::UInt32 => Ok(widened::<UInt32Type, u64>(array)),
        DataType::UInt16 => Ok(widened::<UInt16Type, u64>(array)),
        DataType::UInt8 => Ok(widened::<UInt8Type, u64>(array)),
        other => Err(unexpected(other)),
    }
}

pub(super) fn floats(array: &dyn Array) -> Result<Cow<'_, [f64]>> {
    match array.data_type() {
        DataType::Float64 => Ok(array.as_primitive::<Float64Type>().values().as_ref().into()),
        DataType::Float32 => Ok(widened::<Float32Type, f64>(array)),
        other => Err(unexpected(other)),
    }
}

/// Returns the digits of decimals of 128 bits.
pub(super) fn decimals(array: &dyn Array) -> Result<&[i128]> {
    let decimals = array.as_primitive_opt::<Decimal128Type>();
    let decimals = decimals.ok_or_else(|| unexpected(array.data_type()))?;
    Ok(decimals.values())
}

fn widened<T, W: Clone>(array: &dyn Array) -> Cow<'_, [W]>
where
    T: ArrowPrimitiveType,
    T::Native: Into<W>,
{
    let values = array.as_primitive::<T>().values().iter();
    Cow::Owned(values.map(|&value| value.into()).collect())
}

fn unexpected(found: &DataType) -> Error {
    let message = format!("a batch has values of {found} where another type was expected");
    Error::new(ErrorKind::Internal, message)
}

/// Returns a column of a signed type. A value that does not fit the type becomes null.
pub(super) fn signed_column(
    of: &DataType,
    values: impl Iterator<Item = Option<i64>>,
) -> Result<ArrayRef> {
    match of {
        DataType::Int64 => Ok(Arc::new(values.collect::<PrimitiveArray<Int64Type>>())),
        DataType::Int32 => Ok(narrowed::<Int32Type, i64>(values)),
        DataType::Int16 => Ok(narrowed::<Int16Type, i64>(values)),
        DataType::Int8 => Ok(narrowed::<Int8Type, i64>(values)),
        other => Err(unexpected(other)),
    }
}

/// Returns a column of an unsigned type. A value that does not fit the type becomes null.
pub(super) fn unsigned_column(
    of: &DataType,
    values: impl Iterator<Item = Option<u64>>,
) -> Result<ArrayRef> {
    match of {
        DataType::UInt64 => Ok(Arc::new(values.collect::<PrimitiveArray<UInt64Type>>())),
        DataType::UInt32 => Ok(narrowed::<UInt32Type, u64>(values)),
        DataType::UInt16 => Ok(narrowed::<UInt16Type, u64>(values)),
        DataType::UInt8 => Ok(narrowed::<UInt8Type, u64>(values)),
        other => Err(unexpected(other)),
    }
}

/// Returns a column of a float type. Values for `Float32` were widened from 32 bits, so they are exact.
pub(super) fn float_column(
    of: &DataType,
    values: impl Iterator<Item = Option<f64>>,
) -> Result<ArrayRef> {
    match of {
        DataType::Float64 => Ok(Arc::new(values.collect::<PrimitiveArray<Float64Type>>())),
        DataType::Float32 => {
            let values = values.map(|value| value.map(|value| value as f32));
            Ok(Arc::new(values.collect::<PrimitiveArray<Float32Type>>()))
        }
        other => Err(unexpected(other)),
    }
}

/// Returns a column of a type of decimals of 128 bits.
pub(super) fn decimal_column(
    of: &DataType,
    values: impl Iterator<Item = Option<i128>>,
) -> ArrayRef {
    let values = values.collect::<PrimitiveArray<Decimal128Type>>();
    Arc::new(values.with_data_type(of.clone()))
}

/// Returns a column of an integer type. A value that does not fit the type becomes null.
pub(crate) fn integer_column(of: &DataType, values: impl Iterator<Item = i64>) -> Result<ArrayRef> {
    match NumberKind::of(of) {
        Some(NumberKind::Unsigned) => {
            unsigned_column(of, values.map(|value| value.try_into().ok()))
        }
        _ => signed_column(of, values.map(Some)),
    }
}

/// Returns a column of an integer type from values in two's complement. A value that does not fit the
/// type becomes null.
#[cfg(feature = "gpu")]
pub(crate) fn integer_column_of_bits(
    of: &DataType,
    bits: impl Iterator<Item = u64>,
) -> Result<ArrayRef> {
    match NumberKind::of(of) {
        Some(NumberKind::Unsigned) => unsigned_column(of, bits.map(Some)),
        _ => signed_column(of, bits.map(|bits| Some(bits.cast_signed()))),
    }
}

fn narrowed<T, W>(values: impl Iterator<Item = Option<W>>) -> ArrayRef
where
    T: ArrowPrimitiveType,
    W: TryInto<T::Native>,
    PrimitiveArray<T>: FromIterator<Option<T::Native>>,
{
    let values = values.map(|value| value.and_then(|value| value.try_into().ok()));
    Arc::new(values.collect::<PrimitiveArray<T>>())
}

#[cfg(test)]
mod tests {
    use arrow_array::{UInt16Array, UInt64Array};

    use super::*;

    #[cfg(feature = "gpu")]
    #[test]
    fn columns_become_bits_and_back() {
        let small: ArrayRef = Arc::new(arrow_array::Int8Array::from(vec![i8::MIN, -1, 0, i8::MAX]));
        let wide: ArrayRef = Arc::new(UInt64Array::from(vec![0, 1 << 63, u64::MAX]));
        for column in [small, wide] {
            let bits = integer_bits(&column).unwrap();
            let back = integer_column_of_bits(column.data_type(), bits.into_iter()).unwrap();
            assert_eq!(&back, &column);
        }
        let back = integer_column_of_bits(&DataType::UInt16, [1 << 16].into_iter()).unwrap();
        assert_eq!(back.null_count(), 1);
    }

    #[test]
    fn values_that_do_not_fit_are_found() {
        let column = |value: u64| UInt64Array::from(vec![3, value]);
        let most = column(i64::MAX as u64);
        assert_eq!(integers_of(&most).as_deref(), Some(&[3, i64::MAX][..]));
        assert_eq!(integers_of(&column(1 << 63)), None);
        let found = integer_column(&DataType::UInt16, [7, -1, 1 << 16].into_iter()).unwrap();
        let expected: ArrayRef = Arc::new(UInt16Array::from(vec![Some(7), None, None]));
        assert_eq!(&found, &expected);
    }
}
