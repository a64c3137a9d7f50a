//! What is done to the rows of an epoch before they are grouped.

mod join;
mod rows;
mod value;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::read::RecordBatches;
use crate::{Error, ErrorKind, Result};

pub(crate) use join::Join;
pub use join::{JoinKind, StaticTable};
pub(crate) use rows::{FilterRows, FlatMapRows};
pub use value::{Row, Rows, Value};

/// A step that makes rows from rows. It must give the same rows for the same rows, at any time, because
/// epochs run again after a crash.
pub(crate) trait RowTransform: Send {
    /// Describes it in a few words. A query with other words cannot continue from its checkpoint.
    fn describe(&self) -> String;

    /// Prepares the step for rows of these columns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it does not fit them.
    fn bind(self: Box<Self>, input: &SchemaRef) -> Result<BoundTransform>;
}

type Apply = dyn Fn(&RecordBatch) -> Result<RecordBatch> + Send + Sync;

/// A step over rows of known columns.
#[derive(Clone)]
pub(crate) struct BoundTransform {
    /// The columns that it makes.
    pub(super) schema: SchemaRef,
    pub(super) apply: Arc<Apply>,
}

/// The steps of a query, bound to the columns of its sources.
#[derive(Clone, Default)]
pub(super) struct Transforms(Vec<BoundTransform>);

impl Transforms {
    /// Binds steps that follow each other. Returns them with the columns after the last one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a step does not fit, or if the sources give text.
    pub(super) fn bind(
        steps: Vec<Box<dyn RowTransform>>,
        rows: Option<SchemaRef>,
    ) -> Result<(Self, Option<SchemaRef>)> {
        let Some(step) = steps.first() else {
            return Ok((Self::default(), rows));
        };
        let Some(mut schema) = rows else {
            let message = format!(
                "the source gives text, which has no rows to {}; name its columns",
                step.describe()
            );
            return Err(Error::new(ErrorKind::Config, message));
        };
        let mut bound = Vec::new();
        for step in steps {
            let step = step.bind(&schema)?;
            schema = step.schema.clone();
            bound.push(step);
        }
        Ok((Self(bound), Some(schema)))
    }

    /// The rows after all steps.
    pub(super) fn rows(&self, batches: RecordBatches) -> RecordBatches {
        if self.0.is_empty() {
            return batches;
        }
        let steps = self.0.clone();
        batches.map(move |batch| {
            let mut steps = steps.iter();
            steps.try_fold(batch, |batch, step| (step.apply)(&batch))
        })
    }
}

#[cfg(test)]
mod tests;
