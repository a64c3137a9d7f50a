//! Rows as functions see them.

use std::fmt;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    UInt64Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use crate::{Error, ErrorKind, Result};

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    UInt(u64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

macro_rules! from {
    ($($of:ty => $variant:ident),*) => {
        $(impl From<$of> for Value {
            fn from(value: $of) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from!(bool => Bool, i64 => Int, i32 => Int, u64 => UInt, u32 => UInt, f64 => Float, String => Text, &str => Text, Vec<u8> => Bytes, &[u8] => Bytes);

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl<'a> Row<'a> {
    pub(in crate::stream) fn new(batch: &'a RecordBatch, row: usize) -> Self {
        Self { batch, row }
    }

    fn column(&self, name: &str) -> Option<&'a ArrayRef> {
        let column = self.batch.column_by_name(name)?;
        column.is_valid(self.row).then_some(column)
    }

    /// The string of a column. `None` if it is null, or the column has no strings.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'a str> {
        let column = self.column(column)?;
        match column.data_type() {
            DataType::Utf8 => Some(column.as_string::<i32>().value(self.row)),
            DataType::LargeUtf8 => Some(column.as_string::<i64>().value(self.row)),
            DataType::Utf8View => Some(column.as_string_view().value(self.row)),
            _ => None,
        }
    }

    /// The integer of a column. `None` if it is null or too large, or the column has no integers.
    #[must_use]
    pub fn int(&self, column: &str) -> Option<i64> {
        match self.value(column) {
            Value::Int(value) => Some(value),
            Value::UInt(value) => value.try_into().ok(),
            _ => None,
        }
    }

    /// The number of a column, as a float. `None` if it is null, or the column has no numbers.
    #[must_use]
    pub fn float(&self, column: &str) -> Option<f64> {
        match self.value(column) {
            Value::Float(value) => Some(value),
            Value::Int(value) => Some(value as f64),
            Value::UInt(value) => Some(value as f64),
            _ => None,
        }
    }

    /// The truth value of a column.
    #[must_use]
    pub fn bool(&self, column: &str) -> Option<bool> {
        match self.value(column) {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a column. It is null if there is no such column, or if its type is none of
    /// [`Value`].
    #[must_use]
    pub fn value(&self, column: &str) -> Value {
        self.column(column)
            .map_or(Value::Null, |column| value_of(column, self.row))
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.batch.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        f.debug_map()
            .entries(names.map(|name| (name.clone(), self.value(&name))))
            .finish()
    }
}

fn value_of(column: &ArrayRef, row: usize) -> Value {
    let widened = |to| arrow_cast::cast(&column.slice(row, 1), &to).ok();
    let of = column.data_type();
    match of {
        _ if column.is_null(row) => Value::Null,
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::Utf8View => column.as_string_view().value(row).into(),
        DataType::Binary => column.as_binary::<i32>().value(row).into(),
        DataType::LargeBinary => column.as_binary::<i64>().value(row).into(),
        DataType::BinaryView => column.as_binary_view().value(row).into(),
        of if of.is_signed_integer() => widened(DataType::Int64).map_or(Value::Null, |it| {
            it.as_primitive::<Int64Type>().value(0).into()
        }),
        of if of.is_unsigned_integer() => widened(DataType::UInt64).map_or(Value::Null, |it| {
            it.as_primitive::<UInt64Type>().value(0).into()
        }),
        of if of.is_floating() => widened(DataType::Float64).map_or(Value::Null, |it| {
            it.as_primitive::<Float64Type>().value(0).into()
        }),
        _ => Value::Null,
    }
}

/// Rows that a function makes.
pub struct Rows {
    schema: SchemaRef,
    builders: Vec<Column>,
    rows: usize,
    error: Option<Error>,
}

/// The types that functions can make.
enum Column {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
}

impl Rows {
    /// Makes rows of these columns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a type that functions cannot make.
    pub(in crate::stream) fn new(schema: &SchemaRef) -> Result<Self> {
        let builders = schema.fields().iter().map(|field| {
            Ok(match field.data_type() {
                DataType::Boolean => Column::Bool(BooleanBuilder::new()),
                DataType::Int64 => Column::Int(Int64Builder::new()),
                DataType::UInt64 => Column::UInt(UInt64Builder::new()),
                DataType::Float64 => Column::Float(Float64Builder::new()),
                DataType::Utf8 => Column::Text(StringBuilder::new()),
                DataType::Binary => Column::Bytes(BinaryBuilder::new()),
                other => {
                    let message = format!(
                        "a function cannot make the column `{}` of {other}; use Boolean, Int64, \
                         UInt64, Float64, Utf8 or Binary",
                        field.name()
                    );
                    return Err(Error::new(ErrorKind::Config, message));
                }
            })
        });
        Ok(Self {
            builders: builders.collect::<Result<_>>()?,
            schema: schema.clone(),
            rows: 0,
            error: None,
        })
    }

    /// Adds a row: a value for each column. A row that does not fit the columns ends the query.
    pub fn push(&mut self, values: impl IntoIterator<Item = Value>) {
        if self.error.is_some() {
            return;
        }
        let values: Vec<Value> = values.into_iter().collect();
        let fits = values.len() == self.builders.len()
            && self
                .builders
                .iter()
                .zip(&values)
                .all(|(column, value)| column.takes(value));
        if !fits {
            let names = crate::expr::column_names(&self.schema);
            let message = format!(
                "a function made the row {values:?}, which does not fit the columns {names}"
            );
            self.error = Some(Error::new(ErrorKind::Format, message));
            return;
        }
        for (column, value) in self.builders.iter_mut().zip(values) {
            column.push(value);
        }
        self.rows += 1;
    }

    /// The rows as a batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if a row did not fit.
    pub(in crate::stream) fn finish(self) -> Result<RecordBatch> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let columns = self.builders.into_iter().map(Column::finish).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(self.schema, columns, &options).map_err(|cause| {
            let message = "a function made a null in a column that has none";
            Error::new(ErrorKind::Format, message).with_source(cause)
        })
    }
}

impl Column {
    fn takes(&self, value: &Value) -> bool {
        matches!(
            (self, value),
            (_, Value::Null)
                | (Self::Bool(_), Value::Bool(_))
                | (Self::Int(_), Value::Int(_))
                | (Self::UInt(_), Value::UInt(_))
                | (Self::Float(_), Value::Float(_))
                | (Self::Text(_), Value::Text(_))
                | (Self::Bytes(_), Value::Bytes(_))
        )
    }

    /// Adds a value that the column takes.
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Bool(column), Value::Bool(value)) => column.append_value(value),
            (Self::Int(column), Value::Int(value)) => column.append_value(value),
            (Self::UInt(column), Value::UInt(value)) => column.append_value(value),
            (Self::Float(column), Value::Float(value)) => column.append_value(value),
            (Self::Text(column), Value::Text(value)) => column.append_value(value),
            (Self::Bytes(column), Value::Bytes(value)) => column.append_value(value),
            (column, _) => column.push_null(),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::UInt(column) => column.append_null(),
            Self::Float(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
            Self::Bytes(column) => column.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut column) => ArrayBuilder::finish(&mut column),
            Self::Int(mut column) => ArrayBuilder::finish(&mut column),
            Self::UInt(mut column) => ArrayBuilder::finish(&mut column),
            Self::Float(mut column) => ArrayBuilder::finish(&mut column),
            Self::Text(mut column) => ArrayBuilder::finish(&mut column),
            Self::Bytes(mut column) => ArrayBuilder::finish(&mut column),
        }
    }
}
