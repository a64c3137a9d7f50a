//! Expressions over the columns of a batch. Today there is one kind: a column by its name.
#![forbid(unsafe_code)]

use std::fmt;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};

use crate::{Error, ErrorKind, Result};

/// A value for each row of a batch.
///
/// # Examples
///
/// ```
/// use keymill::{Expr, col};
///
/// assert_eq!(col("site"), Expr::from("site"));
/// assert_eq!(col("site").to_string(), "site");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Column(String),
}

/// The column of that name.
#[must_use]
pub fn col(name: impl Into<String>) -> Expr {
    Expr(Node::Column(name.into()))
}

impl Expr {
    /// The field that the expression gives for batches of this schema.
    pub(crate) fn field(&self, schema: &Schema) -> Result<Field> {
        let Node::Column(name) = &self.0;
        match schema.field_with_name(name) {
            Ok(field) => Ok(field.clone()),
            Err(_) => Err(no_such_column(name, schema)),
        }
    }

    /// The values for the rows of a batch.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let Node::Column(name) = &self.0;
        let column = batch.column_by_name(name);
        column
            .cloned()
            .ok_or_else(|| no_such_column(name, &batch.schema()))
    }
}

fn no_such_column(name: &str, schema: &Schema) -> Error {
    let names = column_names(schema);
    let message = format!("there is no column `{name}`; the columns are: {names}");
    Error::new(ErrorKind::Config, message)
}

/// The names of all columns, for a message.
pub(crate) fn column_names(schema: &Schema) -> String {
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    names.join(", ")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Node::Column(name) = &self.0;
        f.write_str(name)
    }
}

impl From<&str> for Expr {
    fn from(name: &str) -> Self {
        col(name)
    }
}

impl From<String> for Expr {
    fn from(name: String) -> Self {
        col(name)
    }
}

/// The values of a dictionary column, one for each row; any other column is left as it is.
pub(crate) fn without_dictionary(array: &ArrayRef) -> Result<ArrayRef> {
    use arrow_array::cast::AsArray;
    let Some(dictionary) = array.as_any_dictionary_opt() else {
        return Ok(array.clone());
    };
    arrow_select::take::take(dictionary.values(), dictionary.keys(), None).map_err(|cause| {
        let message = format!("a column of {} cannot be unpacked", array.data_type());
        Error::new(ErrorKind::Format, message).with_source(cause)
    })
}

#[cfg(test)]
mod tests;
