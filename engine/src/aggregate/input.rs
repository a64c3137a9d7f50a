//! The values of a column as the kernels take them: 64-bit integers and floats.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
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
    /// The kind of number that a type holds. `None` if it holds no numbers.
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

/// Which rows are not null; `None` where all are.
pub(super) fn validity(array: &dyn Array) -> Option<Validity<'_>> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    let bits = nulls.inner();
    Some(Validity::new(bits.values(), bits.offset(), bits.len()))
}

/// Integers as 64 bits with a sign; `None` for a type that may have larger ones.
pub(crate) fn integers_of(array: &dyn Array) -> Option<Cow<'_, [i64]>> {
    match array.data_type() {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            let values = unsigned(array).ok()?;
            Some(values.iter().map(|value| value.cast_signed()).collect())
        }
        _ => signed(array).ok(),
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

/// A column of a signed type from values that fit it.
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

/// A column of an unsigned type from values that fit it.
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

/// A column of a float type; a 64-bit value that came from 32 bits goes back to the same.
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

/// A column of an integer type from values that fit it.
pub(crate) fn integer_column(of: &DataType, values: &[i64]) -> Result<ArrayRef> {
    let values = values.iter().copied();
    match NumberKind::of(of) {
        Some(NumberKind::Unsigned) => {
            unsigned_column(of, values.map(|value| Some(value.cast_unsigned())))
        }
        _ => signed_column(of, values.map(Some)),
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
