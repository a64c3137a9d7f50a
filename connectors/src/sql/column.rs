//! Columns of results as columns of a table: their types and their values.
#![forbid(unsafe_code)]

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field};
use keymill::{Error, ErrorKind, Result};

/// The type of a column of a table, without its name in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlType {
    Integer,
    Float,
    Boolean,
    /// Strings, and bytes that mostly are text.
    Text,
    Decimal,
    Date,
    /// A time, with a time zone or without.
    Timestamp {
        has_zone: bool,
    },
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(&'a str),
    /// Bytes that are not UTF-8.
    Bytes(&'a [u8]),
    /// A decimal, a date or a time as text.
    Formatted(String),
}

/// A column of the results.
#[derive(Clone, Debug)]
pub(crate) struct SqlColumn {
    pub(crate) name: String,
    pub(crate) of: SqlType,
}

impl SqlColumn {
    /// The column of a table for a column of results.
    pub(crate) fn of(field: &Field) -> Result<Self> {
        use DataType::{
            Binary, BinaryView, Boolean, Date32, Date64, Decimal128, Decimal256, Float16, Float32,
            Float64, LargeBinary, LargeUtf8, Timestamp, Utf8, Utf8View,
        };
        let of = match field.data_type() {
            integer if integer.is_integer() => SqlType::Integer,
            Float16 | Float32 | Float64 => SqlType::Float,
            Boolean => SqlType::Boolean,
            Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => SqlType::Text,
            Decimal128(..) | Decimal256(..) => SqlType::Decimal,
            Date32 | Date64 => SqlType::Date,
            Timestamp(_, zone) => SqlType::Timestamp {
                has_zone: zone.is_some(),
            },
            other => {
                let name = field.name();
                let message =
                    format!("column `{name}` is {other}, which cannot be written to a database");
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        let name = field.name().clone();
        Ok(Self { name, of })
    }

    /// The array in the one form that [`SqlColumn::cells`] reads.
    pub(crate) fn plain(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let to = match (self.of, array.data_type()) {
            (SqlType::Integer, DataType::UInt64) => DataType::UInt64,
            (SqlType::Integer, _) => DataType::Int64,
            (SqlType::Float, _) => DataType::Float64,
            (SqlType::Text, _) => DataType::BinaryView,
            _ => return Ok(array.clone()),
        };
        cast(array, &to).map_err(|cause| self.unwritable().with_source(cause))
    }

    fn unwritable(&self) -> Error {
        let message = format!("column `{}` cannot be written", self.name);
        Error::new(ErrorKind::Sink, message)
    }

    /// The values of an array that [`SqlColumn::plain`] gave.
    pub(crate) fn cells<'a>(&self, array: &'a ArrayRef) -> Result<Vec<Cell<'a>>> {
        match self.of {
            SqlType::Integer => self.integers(array),
            SqlType::Float => {
                let values = array.as_primitive::<arrow_array::types::Float64Type>();
                Ok(values.iter().map(|it| cell(it, Cell::Float)).collect())
            }
            SqlType::Boolean => {
                let values = array.as_boolean().iter();
                Ok(values.map(|it| cell(it, Cell::Boolean)).collect())
            }
            SqlType::Text => {
                let values = array.as_binary_view().iter();
                Ok(values.map(|it| cell(it, text)).collect())
            }
            SqlType::Decimal | SqlType::Date | SqlType::Timestamp { .. } => self.formatted(array),
        }
    }

    fn integers(&self, array: &ArrayRef) -> Result<Vec<Cell<'static>>> {
        let Some(unsigned) = array.as_primitive_opt::<UInt64Type>() else {
            let values = array.as_primitive::<Int64Type>().iter();
            return Ok(values.map(|it| cell(it, Cell::Integer)).collect());
        };
        let signed = unsigned.iter().map(|value| match value {
            None => Ok(Cell::Null),
            Some(value) => i64::try_from(value).map(Cell::Integer).map_err(|_| {
                let message = format!(
                    "{value} in column `{}` does not fit in the 64-bit signed integer of a \
                     database",
                    self.name
                );
                Error::new(ErrorKind::Sink, message)
            }),
        });
        signed.collect()
    }

    fn formatted(&self, array: &ArrayRef) -> Result<Vec<Cell<'static>>> {
        let options = FormatOptions::default();
        let fail = |cause| self.unwritable().with_source(cause);
        let formatter = ArrayFormatter::try_new(array, &options).map_err(fail)?;
        let rows = (0..array.len()).map(|row| match array.is_null(row) {
            true => Ok(Cell::Null),
            false => {
                let text = formatter.value(row).try_to_string();
                text.map(Cell::Formatted).map_err(fail)
            }
        });
        rows.collect()
    }
}

fn cell<'a, T>(value: Option<T>, of: impl Fn(T) -> Cell<'a>) -> Cell<'a> {
    value.map_or(Cell::Null, of)
}

fn text(bytes: &[u8]) -> Cell<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text),
        Err(_) => Cell::Bytes(bytes),
    }
}
