//! Filters, selects, orders and limits the rows of a result.
//!
//! ```text
//! rows ─▶ having ─▶ selected columns, sort columns ─▶ sort ─▶ selected columns, limit
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::ordering::sorted;
use super::sort_columns::SortColumns;
use super::{BatchSource, Batches, Order};
use crate::BatchLimits;
use crate::expr::{Bound, BoundSteps, Expr, RowSteps, Rows};
use crate::runtime::Resources;
use crate::sort::SortKey;
use crate::spill::SpillSpace;
use crate::state::GroupShape;
use crate::{Error, ErrorKind, Result};

/// What is done with the rows of a result before they are returned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrangement {
    /// Keeps the rows for which this is true.
    pub(crate) having: Option<Expr>,
    /// The columns of the result; `None` keeps all columns.
    pub(crate) select: Option<Vec<Expr>>,
    pub(crate) order: Vec<SortBy>,
    /// The order of rows that are equal in `order`.
    pub(crate) ties: Ties,
    /// The number of first rows that are left out.
    pub(crate) offset: usize,
}

/// An expression over the columns before the selection, to sort by.
#[derive(Clone, Debug)]
pub(crate) struct SortBy {
    pub(crate) by: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

impl std::fmt::Display for SortBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = if self.descending { " DESC" } else { "" };
        let nulls = if self.nulls_first { " NULLS FIRST" } else { "" };
        write!(f, "{}{direction}{nulls}", self.by)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Ties {
    /// The order in which the rows come.
    #[default]
    Position,
    /// The first columns, which no two rows have the same values of.
    FirstColumns(usize),
}

impl Arrangement {
    /// The columns that are needed; `None` is all.
    pub(crate) fn columns(&self) -> Option<HashSet<String>> {
        let select = self.select.as_ref()?;
        let mut used = HashSet::new();
        let order = self.order.iter().map(|by| &by.by);
        for expr in select.iter().chain(order).chain(&self.having) {
            expr.each_column(&mut |name| used.extend([name.to_owned()]));
        }
        Some(used)
    }

    /// What is done with the groups of a group-by; `None` if only its own order and limits matter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an order by an unknown column.
    pub(crate) fn over_groups(self, shape: &GroupShape, order: &Order) -> Result<Option<Self>> {
        let is_plain = self.having.is_none() && self.select.is_none() && self.order.is_empty();
        if is_plain && self.offset == 0 {
            return Ok(None);
        }
        let order = match self.order.is_empty() {
            true => self.sort_by(shape, order)?,
            false => self.order.clone(),
        };
        Ok(Some(Self {
            ties: Ties::FirstColumns(shape.key_types().len()),
            order,
            ..self
        }))
    }

    /// An order by columns of the groups, or by selected columns.
    fn sort_by(&self, shape: &GroupShape, order: &Order) -> Result<Vec<SortBy>> {
        let fields = shape.schema().fields();
        let column = |number: usize| crate::expr::col(fields[number].name());
        let by = |by, descending| SortBy {
            by,
            descending,
            nulls_first: false,
        };
        let keys = shape.key_types().len();
        match order {
            Order::None => Ok(Vec::new()),
            Order::Key => Ok((0..keys).map(|key| by(column(key), false)).collect()),
            Order::Count => match shape.first_count() {
                Some(count) => Ok(vec![by(column(keys + count), true)]),
                None => Err(Error::new(
                    ErrorKind::Config,
                    "the order by count needs the aggregate `count`",
                )),
            },
            Order::Columns(columns) => columns
                .iter()
                .map(|one| {
                    let expr = self.named(one.column(), shape.schema())?;
                    Ok(by(expr, one.is_descending()))
                })
                .collect(),
        }
    }

    /// The selected column of that name, or the column of the groups.
    fn named(&self, name: &str, schema: &Schema) -> Result<Expr> {
        let mut selected = self.select.iter().flatten();
        if let Some(expr) = selected.find(|expr| expr.output_name() == name) {
            return Ok(expr.clone());
        }
        if schema.field_with_name(name).is_ok() {
            return Ok(crate::expr::col(name));
        }
        let selected = self.select.iter().flatten().map(Expr::output_name);
        let names: Vec<_> = selected.collect();
        let names = match names.is_empty() {
            true => crate::expr::column_names(schema),
            false => names.join(", "),
        };
        let message = format!("cannot sort by `{name}`; the columns are: {names}");
        Err(Error::new(ErrorKind::Config, message))
    }
}

/// Arranges rows.
///
/// # Errors
///
/// [`ErrorKind::Config`] for expressions that the columns do not have, and those of sorting.
pub(crate) fn arrange(
    batches: Batches,
    arrangement: &Arrangement,
    limits: BatchLimits,
    resources: &Resources,
) -> Result<Batches> {
    let input = batches.schema();
    let prepared = Prepared::new(batches, arrangement)?;
    let schema = prepared.selected.clone();
    let wide = prepared.wide.clone();
    let top = limits.top;
    let last = top.map(|top| top.saturating_add(arrangement.offset));
    let source: Box<dyn BatchSource> = match arrangement.order.is_empty() {
        true => Box::new(prepared),
        false => {
            let keys = prepared.keys.clone();
            check_sortable(&wide, &keys, &input)?;
            let space = SpillSpace::new(resources.spill_dir.clone());
            let limits = BatchLimits {
                top: last,
                ..limits
            };
            Box::new(sorted(prepared, &wide, &keys, limits, resources, &space)?)
        }
    };
    let finished = Finished {
        source,
        schema: schema.clone(),
        skip: arrangement.offset,
    };
    Ok(Batches::new(schema, finished, top))
}

/// The batches; if they have no row, `other`.
pub(crate) fn or_else(batches: Batches, other: RecordBatch) -> Batches {
    let (schema, other) = (batches.schema(), Some(other));
    Batches::new(schema, OrElse { batches, other }, None)
}

struct OrElse {
    batches: Batches,
    /// It is returned if no row came before the end.
    other: Option<RecordBatch>,
}

impl BatchSource for OrElse {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.batches.next().transpose()?;
        if batch.as_ref().is_some_and(|batch| batch.num_rows() > 0) {
            self.other = None;
        }
        Ok(batch.or_else(|| self.other.take()))
    }

    fn end(&mut self) -> Result<()> {
        self.batches.end()
    }

    fn groups(&self) -> u64 {
        self.batches.groups().max(1)
    }

    fn spilled_bytes(&self) -> u64 {
        self.batches.spilled_bytes()
    }

    fn has_ready(&self) -> bool {
        false
    }
}

fn check_sortable(wide: &Schema, keys: &[SortKey], input: &Schema) -> Result<()> {
    for key in keys {
        let of = wide.field(key.column).data_type();
        if !RowConverter::supports_fields(&[SortField::new(of.clone())]) {
            let names = crate::expr::column_names(input);
            let message = format!("cannot sort by a column of {of}; the columns are: {names}");
            return Err(Error::new(ErrorKind::Config, message));
        }
    }
    Ok(())
}

/// The selected columns, then those that are only sorted by.
struct Prepared {
    batches: Batches,
    having: Option<BoundSteps>,
    columns: Vec<Bound>,
    keys: Vec<SortKey>,
    /// The number of rows so far, if it is a sort column.
    position: Option<u64>,
    input: SchemaRef,
    selected: SchemaRef,
    wide: SchemaRef,
}

impl Prepared {
    fn new(batches: Batches, arrangement: &Arrangement) -> Result<Self> {
        let input = batches.schema();
        let having = arrangement.having.clone().map(|condition| {
            let mut steps = RowSteps::default();
            steps.filter(condition);
            steps.bind(&input)
        });
        let all = input
            .fields()
            .iter()
            .map(|field| crate::expr::col(field.name()));
        let selected = arrangement.select.clone().unwrap_or_else(|| all.collect());
        let fields = selected.iter().map(|expr| expr.field(&input));
        let fields = fields.collect::<Result<Vec<Field>>>()?;
        let by_position =
            matches!(arrangement.ties, Ties::Position) && !arrangement.order.is_empty();
        let SortColumns {
            bound: columns,
            mut keys,
            ..
        } = SortColumns::of(arrangement, selected, &input)?;
        let mut wide = fields.clone();
        let extra = columns.iter().skip(fields.len());
        wide.extend(extra.map(|bound| Field::new("", bound.data_type().clone(), true)));
        if by_position {
            keys.push(SortKey::ascending(wide.len()));
            wide.push(Field::new("", DataType::UInt64, false));
        }
        Ok(Self {
            batches,
            having: having.transpose()?,
            columns,
            keys,
            position: by_position.then_some(0),
            input,
            selected: Schema::new(fields).into(),
            wide: Schema::new(wide).into(),
        })
    }

    fn widened(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = Rows::new(batch, &self.input);
        let mut columns = Vec::with_capacity(self.columns.len() + 1);
        for (column, field) in self.columns.iter().zip(self.wide.fields()) {
            let values = column.values(&rows)?;
            columns.push(of_type(values, field)?);
        }
        if let Some(position) = &mut self.position {
            let first = *position;
            *position += rows.len() as u64;
            columns.push(Arc::new(UInt64Array::from_iter_values(first..*position)));
        }
        made(&self.wide, columns, rows.len())
    }
}

/// A batch without the dictionary that the schema names gets it.
fn of_type(values: ArrayRef, field: &Field) -> Result<ArrayRef> {
    if values.data_type() == field.data_type() {
        return Ok(values);
    }
    arrow_cast::cast(&values, field.data_type()).map_err(|cause| {
        let message = format!("the column `{}` changed its type", field.name());
        Error::new(ErrorKind::Format, message).with_source(cause)
    })
}

fn made(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(|cause| {
        Error::new(ErrorKind::Internal, "columns do not fit their schema").with_source(cause)
    })
}

impl BatchSource for Prepared {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.batches.next().transpose()? else {
            return Ok(None);
        };
        let batch = match &self.having {
            Some(having) => having.apply(batch)?,
            None => batch,
        };
        self.widened(&batch).map(Some)
    }

    fn end(&mut self) -> Result<()> {
        self.batches.end()
    }

    fn groups(&self) -> u64 {
        self.batches.groups()
    }

    fn spilled_bytes(&self) -> u64 {
        self.batches.spilled_bytes()
    }

    fn has_ready(&self) -> bool {
        false
    }
}

/// The selected columns, without the first rows.
struct Finished {
    source: Box<dyn BatchSource>,
    schema: SchemaRef,
    skip: usize,
}

impl BatchSource for Finished {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.source.next_batch()? {
            let skipped = self.skip.min(batch.num_rows());
            self.skip -= skipped;
            if skipped < batch.num_rows() {
                let left = batch.slice(skipped, batch.num_rows() - skipped);
                let columns = left.columns()[..self.schema.fields().len()].to_vec();
                return made(&self.schema, columns, left.num_rows()).map(Some);
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<()> {
        self.source.end()
    }

    fn groups(&self) -> u64 {
        self.source.groups()
    }

    fn spilled_bytes(&self) -> u64 {
        self.source.spilled_bytes()
    }

    fn has_ready(&self) -> bool {
        self.source.has_ready()
    }
}
