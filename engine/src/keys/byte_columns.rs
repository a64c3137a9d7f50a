//! Converts a column of strings or binaries, of any Arrow layout, to keys of bytes and back.

use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, GenericBinaryBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{
    Array, ArrayRef, GenericStringArray, OffsetSizeTrait, StringViewArray, UInt32Array, make_array,
};
use arrow_schema::{ArrowError, DataType};
use keymill_kernels::stage::tokenize::Records;
use keymill_kernels::{InternError, KeyTable};

use super::stable_hash::no_key_type;
use crate::{Error, ErrorKind, Result};

/// Returns a function that returns the bytes of a row. The bytes of a null row are unspecified.
pub(crate) fn bytes_of<'a>(column: &'a ArrayRef) -> Result<Box<dyn Fn(usize) -> &'a [u8] + 'a>> {
    Ok(match column.data_type() {
        DataType::Utf8 => each::<Utf8Type>(column),
        DataType::LargeUtf8 => each::<LargeUtf8Type>(column),
        DataType::Binary => each::<BinaryType>(column),
        DataType::LargeBinary => each::<LargeBinaryType>(column),
        DataType::Utf8View => {
            let values = column.as_string_view();
            Box::new(|row| values.value(row).as_bytes())
        }
        DataType::BinaryView => {
            let values = column.as_binary_view();
            Box::new(|row| values.value(row))
        }
        other => return Err(no_text(other)),
    })
}

/// Returns whether these are strings or binaries.
pub(crate) fn takes(of: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(
        of,
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView
    )
}

fn no_text(of: &DataType) -> Error {
    let message =
        format!("a column of strings or binaries is needed, this one is {of}; cast it first");
    Error::new(ErrorKind::Format, message)
}

fn each<'a, T: ByteArrayType>(column: &'a ArrayRef) -> Box<dyn Fn(usize) -> &'a [u8] + 'a> {
    let values = column.as_bytes::<T>();
    Box::new(|row| values.value(row).as_ref())
}

/// Appends the id of each row to `ids`. No row is null.
pub(super) fn intern(
    table: &mut KeyTable,
    column: &ArrayRef,
    ids: &mut Vec<u32>,
) -> Result<Result<(), InternError>> {
    let rows = column.len();
    Ok(match column.data_type() {
        DataType::Utf8 => in_place(
            table,
            column.as_string::<i32>().value_data(),
            column.as_string::<i32>().value_offsets(),
            ids,
        ),
        DataType::Binary => in_place(
            table,
            column.as_binary::<i32>().value_data(),
            column.as_binary::<i32>().value_offsets(),
            ids,
        ),
        DataType::Utf8View => {
            let values = column.as_string_view();
            table.intern_with(rows, |row| values.value(row).as_bytes(), ids)
        }
        DataType::BinaryView => {
            let values = column.as_binary_view();
            table.intern_with(rows, |row| values.value(row), ids)
        }
        _ => {
            let value = bytes_of(column)?;
            table.intern_with(rows, value, ids)
        }
    })
}

fn in_place(
    table: &mut KeyTable,
    text: &[u8],
    offsets: &[i32],
    ids: &mut Vec<u32>,
) -> Result<(), InternError> {
    table.intern(text, Records::from_i32(offsets)?, ids)
}

/// Returns a column of the keys of some groups.
pub(super) fn column(of: &DataType, table: &KeyTable, groups: &[u32]) -> Result<ArrayRef> {
    column_of(of, groups.iter().map(|&group| table.emit(group)))
}

/// Returns a column of the keys with some ids. The column has the same nulls.
pub(super) fn of_codes(of: &DataType, table: &KeyTable, codes: &UInt32Array) -> Result<ArrayRef> {
    let key = |row| match codes.is_null(row) {
        true => &[][..],
        false => table.emit(codes.value(row)),
    };
    let keys = column_of(of, (0..codes.len()).map(key))?;
    let Some(nulls) = codes.nulls() else {
        return Ok(keys);
    };
    let data = keys.to_data().into_builder().nulls(Some(nulls.clone()));
    Ok(make_array(data.build().map_err(not_strings)?))
}

fn column_of<'k>(
    of: &DataType,
    keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone,
) -> Result<ArrayRef> {
    match of {
        DataType::Binary => Ok(Arc::new(binary::<i32>(keys)?)),
        DataType::LargeBinary => Ok(Arc::new(binary::<i64>(keys)?)),
        DataType::Utf8 => string::<i32>(binary(keys)?),
        DataType::LargeUtf8 => string::<i64>(binary(keys)?),
        DataType::BinaryView => Ok(Arc::new(views(keys)?)),
        DataType::Utf8View => {
            let strings: StringViewArray = views(keys)?.to_string_view().map_err(not_strings)?;
            Ok(Arc::new(strings))
        }
        other => Err(no_key_type(other)),
    }
}

fn binary<'k, O: OffsetSizeTrait>(
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Result<arrow_array::GenericBinaryArray<O>> {
    let bytes = keys.clone().map(<[u8]>::len).sum();
    if O::from_usize(bytes).is_none() {
        return Err(too_long());
    }
    let mut column = GenericBinaryBuilder::<O>::with_capacity(keys.size_hint().0, bytes);
    keys.for_each(|key| column.append_value(key));
    Ok(column.finish())
}

fn views<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Result<arrow_array::BinaryViewArray> {
    let mut column = BinaryViewBuilder::with_capacity(keys.size_hint().0);
    for key in keys {
        column.try_append_value(key).map_err(|_| too_long())?;
    }
    Ok(column.finish())
}

fn string<O: OffsetSizeTrait>(keys: arrow_array::GenericBinaryArray<O>) -> Result<ArrayRef> {
    let strings = GenericStringArray::<O>::try_from_binary(keys).map_err(not_strings)?;
    Ok(Arc::new(strings))
}

fn not_strings(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "a string key is not UTF-8").with_source(cause)
}

fn too_long() -> Error {
    let message = "keys of more than 2 GiB in one batch do not fit their column; cast it to LargeUtf8 or LargeBinary";
    Error::new(ErrorKind::Capacity, message)
}
