//! Reads the groups of batches.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::AGGREGATE;
use crate::state::schema::check_version;
use crate::{Error, ErrorKind, Result};

/// Visits every key and count of a batch of state columns.
///
/// # Errors
///
/// [`ErrorKind::Format`] when the columns are not a key and a count, [`ErrorKind::State`] when the
/// schema names another aggregate or version.
pub(crate) fn for_each_group(
    batch: &RecordBatch,
    mut visit: impl FnMut(&[u8], u64) -> Result<()>,
) -> Result<()> {
    check_version(&batch.schema(), AGGREGATE)?;
    let (Some(keys), Some(counts)) = (batch.column_by_name("key"), batch.column_by_name("count"))
    else {
        return Err(Error::new(
            ErrorKind::Format,
            "partial counts need a column `key` and a column `count`",
        ));
    };
    let Some(counts) = counts.as_primitive_opt::<UInt64Type>() else {
        return Err(Error::new(
            ErrorKind::Format,
            format!("`count` must be UInt64, it is {}", counts.data_type()),
        ));
    };
    if keys.null_count() + counts.null_count() > 0 {
        return Err(Error::new(
            ErrorKind::Format,
            "partial counts hold a null; `key` and `count` must not be null",
        ));
    }
    let mut counts = counts.values().iter();
    for_each_value(keys, |key| match counts.next() {
        Some(&count) => visit(key, count),
        None => Ok(()),
    })
}

/// Visits every non-null value of a column of strings or bytes.
///
/// # Errors
///
/// [`ErrorKind::Format`] for any other type.
pub(crate) fn for_each_value(
    array: &dyn Array,
    mut visit: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    match array.data_type() {
        DataType::Utf8 => each(array.as_string::<i32>(), |value| visit(value.as_bytes())),
        DataType::LargeUtf8 => each(array.as_string::<i64>(), |value| visit(value.as_bytes())),
        DataType::Utf8View => each(array.as_string_view(), |value| visit(value.as_bytes())),
        DataType::Binary => each(array.as_binary::<i32>(), visit),
        DataType::LargeBinary => each(array.as_binary::<i64>(), visit),
        DataType::BinaryView => each(array.as_binary_view(), visit),
        other => Err(Error::new(
            ErrorKind::Format,
            format!("a column of strings or bytes is needed, this one is {other}; cast it first"),
        )),
    }
}

fn each<T>(
    values: impl IntoIterator<Item = Option<T>>,
    mut visit: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    values.into_iter().flatten().try_for_each(&mut visit)
}
