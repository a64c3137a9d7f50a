//! Functions over rows. They run on the CPU.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;

use super::{BoundTransform, Row, RowTransform, Rows};
use crate::expr::RowSteps;
use crate::{Error, ErrorKind, Result};

/// Filters and selections by expressions.
impl RowTransform for RowSteps {
    fn describe(&self) -> String {
        let steps = self.describe().into_iter();
        let steps: Vec<String> = steps.map(|(step, what)| format!("{step} {what}")).collect();
        steps.join(" and ")
    }

    fn bind(self: Box<Self>, input: &SchemaRef) -> Result<BoundTransform> {
        let bound = Self::bind(&self, input)?;
        Ok(BoundTransform {
            schema: bound.schema().clone(),
            apply: Arc::new(move |batch: &RecordBatch| bound.apply(batch.clone())),
        })
    }
}

/// Keeps the rows for which a function returns true.
pub(crate) struct FilterRows<F>(pub(crate) F);

impl<F> RowTransform for FilterRows<F>
where
    F: Fn(Row<'_>) -> bool + Send + Sync + 'static,
{
    fn describe(&self) -> String {
        "filter by a function".to_owned()
    }

    fn bind(self: Box<Self>, input: &SchemaRef) -> Result<BoundTransform> {
        let keep = self.0;
        let apply = move |batch: &RecordBatch| {
            let rows = (0..batch.num_rows()).map(|row| Some(keep(Row::new(batch, row))));
            filter_record_batch(batch, &rows.collect::<BooleanArray>()).map_err(|cause| {
                Error::new(ErrorKind::Internal, "rows cannot be left out").with_source(cause)
            })
        };
        Ok(BoundTransform {
            schema: input.clone(),
            apply: Arc::new(apply),
        })
    }
}

/// Makes any number of rows from each row.
pub(crate) struct FlatMapRows<F> {
    pub(crate) schema: SchemaRef,
    pub(crate) run: F,
}

impl<F> RowTransform for FlatMapRows<F>
where
    F: Fn(Row<'_>, &mut Rows) + Send + Sync + 'static,
{
    fn describe(&self) -> String {
        "map by a function".to_owned()
    }

    fn bind(self: Box<Self>, _: &SchemaRef) -> Result<BoundTransform> {
        Rows::new(&self.schema)?;
        let Self { schema, run } = *self;
        let made = schema.clone();
        let apply = move |batch: &RecordBatch| {
            let mut rows = Rows::new(&made)?;
            for row in 0..batch.num_rows() {
                run(Row::new(batch, row), &mut rows);
            }
            rows.finish()
        };
        Ok(BoundTransform {
            schema,
            apply: Arc::new(apply),
        })
    }
}
