//! What is done with rows before they are grouped, or with groups before they are returned.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::Expr;
use super::bound::Bound;
use super::eval::Rows;
use crate::{Error, ErrorKind, Result};

/// Filters and selections, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowSteps(Vec<RowStep>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum RowStep {
    /// Keeps the rows for which this is true.
    Filter(Expr),
    /// Replaces the columns.
    Select(Vec<Expr>),
}

impl RowSteps {
    pub(crate) fn filter(&mut self, condition: Expr) {
        self.0.push(RowStep::Filter(condition));
    }

    pub(crate) fn select(&mut self, columns: Vec<Expr>) {
        self.0.push(RowStep::Select(columns));
    }

    /// The columns of the input that are needed, where these are needed after the steps; `None` is all.
    pub(crate) fn columns(&self, used: Option<HashSet<String>>) -> Option<HashSet<String>> {
        let mut used = used;
        for step in self.0.iter().rev() {
            match step {
                RowStep::Filter(condition) => {
                    if let Some(used) = &mut used {
                        condition.each_column(&mut |name| used.extend([name.to_owned()]));
                    }
                }
                RowStep::Select(columns) => {
                    let mut all = HashSet::new();
                    for column in columns {
                        column.each_column(&mut |name| all.extend([name.to_owned()]));
                    }
                    used = Some(all);
                }
            }
        }
        used
    }

    /// The filters before any selection, as one condition over the columns of the input.
    pub(crate) fn first_filter(&self) -> Option<Expr> {
        let filters = self.0.iter().map_while(|step| match step {
            RowStep::Filter(condition) => Some(condition.clone()),
            RowStep::Select(_) => None,
        });
        filters.reduce(Expr::and)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Describes the steps, one per line; empty without steps.
    pub(crate) fn describe(&self) -> Vec<(&'static str, String)> {
        let lines = self.0.iter().map(|step| match step {
            RowStep::Filter(condition) => ("filter", condition.to_string()),
            RowStep::Select(columns) => {
                let columns: Vec<_> = columns.iter().map(ToString::to_string).collect();
                ("select", columns.join(", "))
            }
        });
        lines.collect()
    }

    /// The steps over batches of a schema.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a column that does not exist, for types that do not fit, and for two
    /// selected columns of one name.
    pub(crate) fn bind(&self, input: &SchemaRef) -> Result<BoundSteps> {
        let mut steps = Vec::new();
        let mut schema = input.clone();
        for step in &self.0 {
            let (step, output) = match step {
                RowStep::Filter(condition) => {
                    let condition = condition.bind_condition(&schema)?;
                    (Step::Filter(condition), schema.clone())
                }
                RowStep::Select(columns) => {
                    let fields = columns.iter().map(|column| column.field(&schema));
                    let fields = fields.collect::<Result<Vec<_>>>()?;
                    check_names(&fields)?;
                    let bound = columns.iter().map(|column| column.bind(&schema));
                    let output = Arc::new(Schema::new(fields));
                    (Step::Select(bound.collect::<Result<_>>()?), output)
                }
            };
            steps.push((step, schema, output.clone()));
            schema = output;
        }
        Ok(BoundSteps { steps, schema })
    }
}

fn check_names(fields: &[arrow_schema::Field]) -> Result<()> {
    let mut names = HashSet::new();
    match fields.iter().find(|field| !names.insert(field.name())) {
        Some(field) => {
            let message = format!(
                "two selected columns are called `{}`; name one of them with `alias` or `AS`",
                field.name()
            );
            Err(Error::new(ErrorKind::Config, message))
        }
        None => Ok(()),
    }
}

/// Steps over batches of a known schema.
#[derive(Clone, Debug)]
pub(crate) struct BoundSteps {
    /// Each with the schema before and after it.
    steps: Vec<(Step, SchemaRef, SchemaRef)>,
    schema: SchemaRef,
}

#[derive(Clone, Debug)]
enum Step {
    Filter(Bound),
    Select(Vec<Bound>),
}

impl BoundSteps {
    /// The schema after all steps.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows that are left of a batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] and [`ErrorKind::Capacity`] for values that an expression cannot take.
    pub(crate) fn apply(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let mut batch = batch;
        for (step, before, after) in &self.steps {
            let next = match step {
                Step::Filter(condition) => filtered(&batch, condition, before)?,
                Step::Select(columns) => Cow::Owned(selected(&batch, columns, before, after)?),
            };
            if let Cow::Owned(next) = next {
                batch = next;
            }
        }
        Ok(batch)
    }
}

fn filtered<'a>(
    batch: &'a RecordBatch,
    condition: &Bound,
    schema: &SchemaRef,
) -> Result<Cow<'a, RecordBatch>> {
    let mask = condition.selection(&Rows::new(batch, schema))?;
    if mask.true_count() == batch.num_rows() {
        return Ok(Cow::Borrowed(batch));
    }
    filter_record_batch(batch, &mask)
        .map(Cow::Owned)
        .map_err(|cause| {
            let message = "the rows of a batch cannot be filtered";
            Error::new(ErrorKind::Capacity, message).with_source(cause)
        })
}

fn selected(
    batch: &RecordBatch,
    columns: &[Bound],
    before: &SchemaRef,
    after: &SchemaRef,
) -> Result<RecordBatch> {
    let rows = Rows::new(batch, before);
    let columns = columns.iter().zip(after.fields()).map(|(column, field)| {
        let values = column.values(&rows)?;
        match values.data_type() == field.data_type() {
            true => Ok(values),
            // A batch without the dictionary that the first batch had.
            false => arrow_cast::cast(&values, field.data_type()).map_err(|cause| {
                let message = format!("the column `{}` changed its type", field.name());
                Error::new(ErrorKind::Format, message).with_source(cause)
            }),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(after.clone(), columns, &options).map_err(|cause| {
        Error::new(ErrorKind::Internal, "columns do not fit their schema").with_source(cause)
    })
}
