//! The column types that the text formats can write.
#![forbid(unsafe_code)]

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, BinaryViewArray, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use arrow_schema::{DataType, Schema};

use crate::{Error, ErrorKind, Result};

/// One column of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column<'a> {
    Bytes(&'a BinaryViewArray),
    Text(&'a StringViewArray),
    Unsigned(&'a UInt64Array),
    Signed(&'a Int64Array),
}

/// One value of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Bytes(&'a [u8]),
    Unsigned(u64),
    Signed(i64),
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
        }
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
    matches!(
        data_type,
        DataType::BinaryView | DataType::Utf8View | DataType::UInt64 | DataType::Int64
    )
}

/// Returns the columns of a batch whose schema passed [`check`].
///
/// # Errors
///
/// [`ErrorKind::Internal`] for a batch of another schema, or one with nulls: counts have none.
pub(super) fn columns(batch: &RecordBatch) -> Result<Vec<Column<'_>>> {
    batch.columns().iter().map(|array| column(array)).collect()
}

fn column(array: &dyn Array) -> Result<Column<'_>> {
    if array.null_count() > 0 {
        return Err(unwritable("a column with nulls"));
    }
    Ok(match array.data_type() {
        DataType::BinaryView => Column::Bytes(array.as_binary_view()),
        DataType::Utf8View => Column::Text(array.as_string_view()),
        DataType::UInt64 => Column::Unsigned(array.as_primitive::<UInt64Type>()),
        DataType::Int64 => Column::Signed(array.as_primitive::<Int64Type>()),
        _ => return Err(unwritable("a batch with another schema than the writer")),
    })
}

fn unwritable(what: &str) -> Error {
    let message = format!("a text writer got {what}; this is a bug of keymill, please report it");
    Error::new(ErrorKind::Internal, message)
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
