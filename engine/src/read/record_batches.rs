//! Arrow batches as the input of a job.
#![forbid(unsafe_code)]

use std::iter::Peekable;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::{Field, Schema, SchemaRef};

use crate::expr::{Expr, without_dictionary};
use crate::{Error, ErrorKind, Result};

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A sequence of record batches.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use keymill::arrow::array::{ArrayRef, StringArray};
/// use keymill::prelude::*;
/// use keymill::read::RecordBatches;
///
/// let rows: ArrayRef = Arc::new(StringArray::from(vec!["to be", "or not to be"]));
/// let counts = Engine::new()?
///     .read_record_batches(RecordBatches::of_arrays("line", [rows]))
///     .column("line")
///     .tokenize(whitespace())
///     .count_by_key()
///     .collect()?;
/// assert_eq!(counts.get("be"), Some(2));
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct RecordBatches {
    name: String,
    schema: Option<SchemaRef>,
    batches: Peekable<Batches>,
}

/// A record batch, or the result of reading one.
pub trait IntoBatch {
    /// Returns the batch.
    ///
    /// # Errors
    ///
    /// The error of the result, if it is one.
    fn into_batch(self) -> Result<RecordBatch>;
}

impl IntoBatch for RecordBatch {
    fn into_batch(self) -> Result<RecordBatch> {
        Ok(self)
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> IntoBatch for Result<RecordBatch, E> {
    fn into_batch(self) -> Result<RecordBatch> {
        self.map_err(|cause| {
            let message = "cannot read a batch of the input";
            Error::new(ErrorKind::Source, message).with_source(cause)
        })
    }
}

impl RecordBatches {
    /// Creates a sequence from batches of one schema, or from the results of reading them.
    pub fn new<I>(batches: I) -> Self
    where
        I: IntoIterator,
        I::Item: IntoBatch + 'static,
        I::IntoIter: Send + 'static,
    {
        let batches = batches.into_iter().map(IntoBatch::into_batch);
        Self::of("batches", None, Box::new(batches))
    }

    /// Creates a sequence from a reader, whose schema is known before its first batch.
    pub fn of_reader(reader: impl RecordBatchReader + Send + 'static) -> Self {
        let schema = reader.schema();
        let batches = reader.map(IntoBatch::into_batch);
        Self::of("batches", Some(schema), Box::new(batches))
    }

    /// Creates a sequence from arrays of one type: each is a batch with one column of this name.
    pub fn of_arrays<I>(column: &str, arrays: I) -> Self
    where
        I: IntoIterator<Item = ArrayRef>,
        I::IntoIter: Send + 'static,
    {
        let name = column.to_owned();
        let batches = arrays
            .into_iter()
            .map(move |array| one_column(&name, array));
        Self::of("arrays", None, Box::new(batches))
    }

    fn of(name: &str, schema: Option<SchemaRef>, batches: Batches) -> Self {
        Self {
            name: name.to_owned(),
            schema,
            batches: batches.peekable(),
        }
    }

    /// Evaluates an expression on every batch. The new batches have only its result as a column.
    pub(crate) fn project(self, expr: Expr) -> Self {
        let name = format!("column {expr}");
        let batches = self.batches.map(move |batch| {
            let column = without_dictionary(&expr.evaluate(&batch?)?)?;
            one_column(&expr.to_string(), column)
        });
        Self::of(&name, None, Box::new(batches))
    }

    /// Returns the schema of the batches, which is that of the first one if no reader gave it.
    ///
    /// # Errors
    ///
    /// The error of reading the first batch, and [`ErrorKind::Config`] if there is no batch.
    pub(crate) fn schema(&mut self) -> Result<SchemaRef> {
        if let Some(schema) = &self.schema {
            return Ok(schema.clone());
        }
        match self.batches.peek() {
            Some(Ok(batch)) => Ok(batch.schema()),
            Some(Err(_)) => match self.batches.next() {
                Some(Err(error)) => Err(error),
                _ => Err(no_batch()),
            },
            None => Err(no_batch()),
        }
    }

    /// The columns of the batches, if they are known or there is a first batch. An error that came
    /// instead is told, and stays for the job.
    pub(crate) fn peek_schema(&mut self) -> std::result::Result<SchemaRef, String> {
        if let Some(schema) = &self.schema {
            return Ok(schema.clone());
        }
        match self.batches.peek() {
            Some(Ok(batch)) => Ok(batch.schema()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(no_batch().to_string()),
        }
    }

    pub(crate) fn describe(&self) -> String {
        self.name.clone()
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

fn no_batch() -> Error {
    let message = "the input has no batch, so its columns are unknown; use a reader with a schema";
    Error::new(ErrorKind::Config, message)
}

fn one_column(name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let field = Field::new(name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    RecordBatch::try_new(schema, vec![column]).map_err(|cause| {
        Error::new(ErrorKind::Internal, "a column does not fit its schema").with_source(cause)
    })
}
