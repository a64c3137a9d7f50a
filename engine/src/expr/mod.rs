//! Expressions over the columns of a batch: one tree, evaluated by Arrow's compute kernels.
//!
//! ```text
//! text ─ parse ─▶ ┐
//!                 ├─▶ Expr ─ bind to a schema, check types ─▶ Bound ─ evaluate ─▶ a value for each row
//! col("n") + … ─▶ ┘
//! ```
#![forbid(unsafe_code)]

mod bind;
mod bound;
#[cfg(feature = "parquet")]
pub(crate) mod bounds;
mod build;
mod display;
mod eval;
mod literal;
mod node;
#[cfg(any(test, feature = "oracle"))]
mod oracle;
#[cfg(feature = "sql")]
pub(crate) mod parse;
mod steps;
mod walk;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::{Error, ErrorKind, Result};

pub(crate) use bound::Bound;
pub use build::{Case, coalesce, col, concat, lit, when};
pub(crate) use eval::Rows;
pub use literal::Literal;
use node::Node;
#[cfg(any(test, feature = "oracle"))]
pub use oracle::check as check_expression;
pub(crate) use steps::{BoundSteps, RowSteps};

/// A value for each row of a batch, computed from its columns.
///
/// A text is a column's name; [`lit`] makes a constant. With the feature `sql`, `str::parse` reads the
/// textual form.
///
/// # Examples
///
/// ```
/// use keymill::{Expr, col, lit};
///
/// assert_eq!(col("site"), Expr::from("site"));
/// let large = col("count").gt(lit(0)).and(col("site").like("%.org"));
/// assert_eq!(large.to_string(), "count > 0 AND site LIKE '%.org'");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr(Node);

impl Expr {
    /// The values for the rows of a batch.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let schema = batch.schema();
        self.bind(&schema)?.values(&Rows::new(batch, &schema))
    }
}

fn no_such_column(name: &str, schema: &Schema) -> Error {
    let names = column_names(schema);
    let message = format!("there is no column `{name}`; the columns are: {names}");
    Error::new(ErrorKind::Config, message)
}

/// The most characters of the names of columns in a message.
const MOST_SHOWN: usize = 1000;

/// The names of all columns, for a message.
pub(crate) fn column_names(schema: &Schema) -> String {
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let names = names.join(", ");
    match names.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &names[..end]),
        None => names,
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

/// The type of a column's values; for a dictionary the type of its entries.
pub(crate) fn value_type(of: &DataType) -> &DataType {
    match of {
        DataType::Dictionary(_, values) => values,
        of => of,
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
