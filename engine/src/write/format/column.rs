//! The column types that the text formats can write.
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, BinaryViewArray, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use arrow_schema::{DataType, Schema};

use super::lists::{self, is_list};
use crate::{Error, ErrorKind, Result};

/// One column of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column<'a> {
    Bytes(&'a BinaryViewArray),
    Text(&'a StringViewArray),
    Unsigned(&'a UInt64Array),
    Signed(&'a Int64Array),
    /// Values of another type, or with nulls.
    Other(&'a dyn Array),
}

/// One value of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Bytes(&'a [u8]),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Null,
}

impl<'a> Column<'a> {
    /// Returns the value in a row.
    #[inline]
    pub(super) fn cell(&self, row: usize) -> Cell<'a> {
        match self {
            Self::Bytes(array) => Cell::Bytes(array.value(row)),
            Self::Text(array) => Cell::Bytes(array.value(row).as_bytes()),
            Self::Unsigned(array) => Cell::Unsigned(array.value(row)),
            Self::Signed(array) => Cell::Signed(array.value(row)),
            Self::Other(array) if array.is_null(row) => Cell::Null,
            Self::Other(array) => other_cell(*array, row),
        }
    }
}

fn other_cell(array: &dyn Array, row: usize) -> Cell<'_> {
    match array.data_type() {
        DataType::BinaryView => Cell::Bytes(array.as_binary_view().value(row)),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Cell::Bytes(array.as_binary::<i64>().value(row)),
        DataType::Utf8View => Cell::Bytes(array.as_string_view().value(row).as_bytes()),
        DataType::Utf8 => Cell::Bytes(array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => Cell::Bytes(array.as_string::<i64>().value(row).as_bytes()),
        DataType::UInt64 => Cell::Unsigned(value::<UInt64Type>(array, row)),
        DataType::UInt32 => Cell::Unsigned(value::<UInt32Type>(array, row).into()),
        DataType::UInt16 => Cell::Unsigned(value::<UInt16Type>(array, row).into()),
        DataType::UInt8 => Cell::Unsigned(value::<UInt8Type>(array, row).into()),
        DataType::Int64 => Cell::Signed(value::<Int64Type>(array, row)),
        DataType::Int32 => Cell::Signed(value::<Int32Type>(array, row).into()),
        DataType::Int16 => Cell::Signed(value::<Int16Type>(array, row).into()),
        DataType::Int8 => Cell::Signed(value::<Int8Type>(array, row).into()),
        DataType::Float64 => Cell::Float(value::<Float64Type>(array, row)),
        DataType::Float32 => Cell::Float(value::<Float32Type>(array, row).into()),
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        // `check` has refused all other types.
        _ => Cell::Null,
    }
}

fn value<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// The shortest text that is read back as the same float: `7`, `0.1`, `1e300`, `NaN`, `inf`.
pub(super) fn float_text(value: f64) -> String {
    let size = value.abs();
    match value.is_finite() && size != 0.0 && !(1e-5..1e16).contains(&size) {
        true => format!("{value:e}"),
        false => value.to_string(),
    }
}

/// Checks that text formats can write every column.
///
/// # Errors
///
/// [`ErrorKind::Config`] naming the first column of another type.
pub(super) fn check(schema: &Schema) -> Result<()> {
    for field in schema.fields() {
        if !is_known(field.data_type()) {
            let (name, data_type) = (field.name(), field.data_type());
            let message = format!(
                "text formats cannot write column `{name}` of type {data_type}; \
                 use parquet or arrow"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
    }
    Ok(())
}

fn is_known(data_type: &DataType) -> bool {
    if let DataType::List(values) = data_type {
        return !is_list(values.data_type()) && is_known(values.data_type());
    }
    matches!(
        data_type,
        DataType::BinaryView
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::Utf8View
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Boolean
    ) || data_type.is_integer()
        || matches!(data_type, DataType::Float64 | DataType::Float32)
        || is_cast(data_type)
}

/// Returns whether the values of a type are written as the text that Arrow casts them to:
/// `2024-02-29`, `2024-02-29T12:30:00`, `12.50`; or that of a list.
fn is_cast(data_type: &DataType) -> bool {
    data_type.is_temporal() || data_type.is_decimal() || is_list(data_type)
}

/// Returns a batch with text in place of values of other types.
///
/// # Errors
///
/// [`ErrorKind::Format`] for a date or time outside of the years that have a text.
pub(super) fn with_texts(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    if !schema
        .fields()
        .iter()
        .any(|field| is_cast(field.data_type()))
    {
        return Ok(batch.clone());
    }
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let (mut field, mut column) = (field.clone(), column.clone());
        if is_cast(field.data_type()) {
            column = match column.as_list_opt::<i32>() {
                Some(lists) => Arc::new(lists::texts(lists)?),
                None => arrow_cast::cast(&column, &DataType::Utf8).map_err(|cause| {
                    let message = format!("column `{}` cannot be written as text", field.name());
                    Error::new(ErrorKind::Format, message).with_source(cause)
                })?,
            };
            field = Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8));
        }
        fields.push(field);
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|cause| Error::new(ErrorKind::Internal, "columns do not fit").with_source(cause))
}

/// Returns the columns of a batch.
pub(super) fn columns(batch: &RecordBatch) -> Vec<Column<'_>> {
    batch.columns().iter().map(|array| column(array)).collect()
}

fn column(array: &dyn Array) -> Column<'_> {
    if array.null_count() > 0 {
        return Column::Other(array);
    }
    match array.data_type() {
        DataType::BinaryView => Column::Bytes(array.as_binary_view()),
        DataType::Utf8View => Column::Text(array.as_string_view()),
        DataType::UInt64 => Column::Unsigned(array.as_primitive::<UInt64Type>()),
        DataType::Int64 => Column::Signed(array.as_primitive::<Int64Type>()),
        _ => Column::Other(array),
    }
}

/// Returns a batch whose view columns have buffers of their own.
///
/// Many batches may share the buffers of their views. A format that writes whole buffers would write
/// the shared ones with every batch.
#[cfg(feature = "ipc")]
pub(super) fn compact(
    batch: &RecordBatch,
) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    use std::sync::Arc;
    let columns = batch.columns().iter().map(|array| match array.data_type() {
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()) as _,
        DataType::Utf8View => Arc::new(array.as_string_view().gc()) as _,
        _ => Arc::clone(array),
    });
    RecordBatch::try_new(batch.schema(), columns.collect())
}
