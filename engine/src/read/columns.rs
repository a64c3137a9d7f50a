//! Columns of text in Arrow batches.
#![forbid(unsafe_code)]

use arrow_array::{ArrayRef, RecordBatch};

use crate::{Error, ErrorKind, Result};

/// Arrow arrays of text or bytes, one after the other; each row is a record.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, StringArray};
/// use keymill::{prelude::*, read::Columns};
///
/// let rows: ArrayRef = Arc::new(StringArray::from(vec!["to be", "or not to be"]));
/// let columns = Columns::of_arrays([rows]);
/// let counts = Engine::new()?
///     .read_columns(columns)
///     .tokenize(whitespace())
///     .count_by_key()
///     .collect()?;
/// assert_eq!(counts.get("be"), Some(2));
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct Columns {
    name: String,
    arrays: Box<dyn Iterator<Item = Result<ArrayRef>> + Send>,
}

impl Columns {
    /// One column of some batches.
    pub fn new<I>(batches: I, column: &str) -> Self
    where
        I: IntoIterator<Item = RecordBatch>,
        I::IntoIter: Send + 'static,
    {
        let name = column.to_owned();
        let arrays = batches.into_iter().map(move |batch| pick(&batch, &name));
        Self {
            name: format!("column {column}"),
            arrays: Box::new(arrays),
        }
    }

    /// Arrays that are the column already.
    pub fn of_arrays<I>(arrays: I) -> Self
    where
        I: IntoIterator<Item = ArrayRef>,
        I::IntoIter: Send + 'static,
    {
        Self {
            name: "arrays".to_owned(),
            arrays: Box::new(arrays.into_iter().map(Ok)),
        }
    }

    pub(crate) fn describe(&self) -> String {
        self.name.clone()
    }
}

impl Iterator for Columns {
    type Item = Result<ArrayRef>;

    fn next(&mut self) -> Option<Self::Item> {
        self.arrays.next()
    }
}

fn pick(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    batch.column_by_name(name).cloned().ok_or_else(|| {
        let schema = batch.schema();
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        Error::new(
            ErrorKind::Format,
            format!(
                "there is no column `{name}`; there are {}",
                names.join(", ")
            ),
        )
    })
}
