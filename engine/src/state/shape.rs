//! The columns of a group-by: the types of its keys, arguments, state and answers.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::schema::{batch_of, state_schema};
use crate::aggregate::{
    Accumulator, AggregateExpr, FinishError, IntegerValue, POSITION, count_rows,
};
use crate::expr::{Bound, Expr, Rows, col, value_type, without_dictionary};
use crate::keys::{key_type, takes_bytes};
use crate::{Error, ErrorKind, Level, Result};

/// The name of the one key, a constant, of aggregates of all rows.
pub(crate) const ONE_GROUP: &str = "()";

/// The columns of a group-by, from its input to its answers.
#[derive(Debug)]
pub(crate) struct GroupShape {
    input: SchemaRef,
    keys: Vec<Expr>,
    bound_keys: Vec<Bound>,
    calls: Vec<AggregateExpr>,
    /// The different arguments of all aggregates, and their types.
    columns: Vec<Bound>,
    column_types: Vec<DataType>,
    /// By aggregate: its columns. That of the row positions comes after all others.
    arguments: Vec<Vec<usize>>,
    /// Whether an aggregate depends on the order of rows.
    is_ordered: bool,
    key_types: Vec<DataType>,
    schema: SchemaRef,
    state_schema: SchemaRef,
    /// The state columns of each aggregate.
    states: Vec<Range<usize>>,
}

impl GroupShape {
    /// Creates the shape of a group-by over batches of the schema `input`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a column that does not exist or has an unsupported type, for two
    /// columns with the same name, and without keys.
    pub(crate) fn new(input: &Schema, keys: &[Expr], calls: &[AggregateExpr]) -> Result<Self> {
        if keys.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "group by at least one column",
            ));
        }
        let (mut fields, mut bound_keys) = (Vec::new(), Vec::new());
        for key in keys {
            fields.push(key_field(&key.field(input)?)?);
            bound_keys.push(key.bind(input)?);
        }
        let key_types = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let mut state_fields = fields.clone();
        let exprs = distinct_inputs(calls);
        let columns = exprs.iter().map(|expr| expr.bind(input));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let column_types: Vec<DataType> = columns
            .iter()
            .map(|column| value_type(column.data_type()).clone())
            .collect();
        let (mut arguments, mut states) = (Vec::new(), Vec::new());
        for call in calls {
            let mut of_call = places_of(call, &exprs);
            let inputs: Vec<DataType> =
                of_call.iter().map(|&it| column_types[it].clone()).collect();
            if call.aggregate().is_ordered() {
                of_call.push(columns.len());
            }
            let name = call.output_name();
            let output = call.aggregate().output_type(&inputs)?;
            fields.push(Field::new(&name, output, true));
            let first = state_fields.len();
            for (number, part) in call
                .aggregate()
                .state_types(&inputs)?
                .into_iter()
                .enumerate()
            {
                state_fields.push(Field::new(format!("{name}.{number}"), part, true));
            }
            states.push(first..state_fields.len());
            arguments.push(of_call);
        }
        check_names(&fields)?;
        Ok(Self {
            input: input.clone().into(),
            keys: keys.to_vec(),
            bound_keys,
            calls: calls.to_vec(),
            is_ordered: calls.iter().any(|call| call.aggregate().is_ordered()),
            columns,
            column_types,
            arguments,
            key_types,
            schema: Schema::new(fields).into(),
            state_schema: state_schema(state_fields, "group_by"),
            states,
        })
    }

    /// Returns the shape of a text count: `key` (`BinaryView`) and `count` (`UInt64`), never null. State
    /// and answers have the same schema.
    pub(crate) fn counts() -> Result<Self> {
        let key = Field::new("key", DataType::BinaryView, false);
        let count = Field::new("count", DataType::UInt64, false);
        let input = Schema::new(vec![key.clone()]);
        let shape = Self::new(&input, &[col("key")], &[count_rows().alias("count")])?;
        let schema = state_schema(vec![key, count], "count");
        Ok(Self {
            schema: Arc::clone(&schema),
            state_schema: schema,
            ..shape
        })
    }

    /// Whether all rows are one group, so that its key says nothing.
    pub(crate) fn is_one_group(&self) -> bool {
        self.key_types.len() == 1 && self.schema.field(0).name() == ONE_GROUP
    }

    /// Returns the schema of the answers: keys, then aggregates.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the schema of the state: keys, then the state columns of each aggregate.
    pub(crate) fn state_schema(&self) -> &SchemaRef {
        &self.state_schema
    }

    /// Returns whether another shape has the same keys and aggregates, of the same types.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        fn calls(shape: &GroupShape) -> impl Iterator<Item = (&'static str, Vec<String>, &[Expr])> {
            let calls = shape.calls.iter();
            calls.map(|call| {
                let aggregate = call.aggregate();
                (aggregate.name(), aggregate.parameters(), call.inputs())
            })
        }
        self.keys == other.keys
            && calls(self).eq(calls(other))
            && self.schema == other.schema
            && self.state_schema == other.state_schema
    }

    /// Returns the number of the first `count`.
    pub(crate) fn first_count(&self) -> Option<usize> {
        let mut calls = self.calls.iter();
        calls.position(|call| call.aggregate().name() == count_rows().aggregate().name())
    }

    /// Returns the key column, if it is the only one, has strings or binaries, and is no argument.
    pub(crate) fn text_key(&self) -> Option<&str> {
        let ([key], [of]) = (&self.keys[..], &self.key_types[..]) else {
            return None;
        };
        let name = key.as_column()?;
        let is_bytes = self
            .input
            .field_with_name(name)
            .is_ok_and(|it| it.data_type() == of)
            && takes_bytes(of);
        let mut is_argument = false;
        for input in self.calls.iter().flat_map(AggregateExpr::inputs) {
            input.each_column(&mut |column| is_argument |= column == name);
        }
        (is_bytes && !is_argument).then_some(name)
    }

    pub(crate) fn key_types(&self) -> &[DataType] {
        &self.key_types
    }

    /// Returns the key columns of an input batch.
    pub(crate) fn keys_of(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let rows = Rows::new(batch, &self.input);
        let keys = self.bound_keys.iter().zip(&self.key_types);
        keys.map(|(key, of)| checked(without_dictionary(&key.values(&rows)?)?, of))
            .collect()
    }

    /// Returns the columns of all aggregates, from an input batch whose first row has this position.
    pub(crate) fn arguments_of(
        &self,
        batch: &RecordBatch,
        position: i128,
    ) -> Result<Vec<ArrayRef>> {
        let rows = Rows::new(batch, &self.input);
        let columns = self.columns.iter().zip(&self.column_types);
        let columns =
            columns.map(|(column, of)| checked(without_dictionary(&column.values(&rows)?)?, of));
        let mut columns = columns.collect::<Result<Vec<_>>>()?;
        if self.is_ordered {
            let rows = batch.num_rows() as i128;
            let positions = Decimal128Array::from_iter_values(position..position + rows);
            columns.push(Arc::new(positions.with_data_type(POSITION)));
        }
        Ok(columns)
    }

    /// Returns the columns of one aggregate.
    pub(crate) fn arguments(&self, number: usize, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let arguments = self.arguments[number].iter();
        arguments
            .map(|&column| Arc::clone(&columns[column]))
            .collect()
    }

    /// Returns the number and the type of the first column of an aggregate.
    #[cfg(feature = "gpu")]
    pub(crate) fn first_argument(&self, number: usize) -> Option<(usize, &DataType)> {
        let column = *self.arguments[number].first()?;
        Some((column, self.column_types.get(column)?))
    }

    /// Creates a batch of state columns.
    pub(crate) fn state_batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        batch_of(&self.state_schema, columns)
    }

    /// Returns which value of one integer column each state column holds, and the number of this column; no
    /// number if no aggregate has a column.
    ///
    /// `None` if the aggregates have different columns, if values may not fit in an `i64`, and if an
    /// aggregate has no integer form.
    pub(crate) fn integer_reduction(&self) -> Option<(Vec<IntegerValue>, Option<usize>)> {
        let mut values = Vec::new();
        for call in &self.calls {
            values.extend_from_slice(call.aggregate().integer_form()?);
        }
        match &self.column_types[..] {
            [] => Some((values, None)),
            [of] if of.is_integer() && *of != DataType::UInt64 => Some((values, Some(0))),
            _ => None,
        }
    }

    /// Returns the state columns of each aggregate.
    pub(crate) fn states(&self) -> &[Range<usize>] {
        &self.states
    }

    /// Creates the accumulators of an empty table.
    pub(crate) fn accumulators(&self, level: Level) -> Result<Vec<Box<dyn Accumulator>>> {
        let calls = self.calls.iter().zip(&self.arguments);
        calls
            .map(|(call, columns)| {
                let inputs = columns
                    .iter()
                    .filter_map(|&it| self.column_types.get(it).cloned());
                call.aggregate()
                    .accumulator(&inputs.collect::<Vec<_>>(), level)
            })
            .collect()
    }

    /// Returns the keys and answers of a group without rows. Its keys are null.
    pub(crate) fn group_without_rows(&self, level: Level) -> Result<RecordBatch> {
        let keys = self.key_types.iter().map(|of| new_null_array(of, 1));
        let mut columns: Vec<ArrayRef> = keys.collect();
        for mut accumulator in self.accumulators(level)? {
            accumulator.resize(1);
            let answer = accumulator.finish(&[0]).map_err(|error| match error {
                FinishError::Other(error) => error,
                FinishError::Overflow { .. } => Error::new(
                    ErrorKind::Internal,
                    "no values have a sum that is too large",
                ),
            })?;
            columns.push(answer);
        }
        batch_of(&self.schema, columns)
    }

    /// Returns an aggregate with its argument and name.
    pub(crate) fn call(&self, number: usize) -> &AggregateExpr {
        &self.calls[number]
    }
}

/// Returns the different columns of all aggregates.
fn distinct_inputs(calls: &[AggregateExpr]) -> Vec<Expr> {
    let mut columns: Vec<Expr> = Vec::new();
    for expr in calls.iter().flat_map(AggregateExpr::inputs) {
        if !columns.contains(expr) {
            columns.push(expr.clone());
        }
    }
    columns
}

/// Returns the places of the columns of an aggregate among those of all.
fn places_of(call: &AggregateExpr, columns: &[Expr]) -> Vec<usize> {
    let place = |input: &Expr| columns.iter().position(|column| column == input);
    call.inputs().iter().filter_map(place).collect()
}

fn key_field(field: &Field) -> Result<Field> {
    use DataType::{
        Binary, BinaryView, Boolean, Decimal128, Decimal256, LargeBinary, LargeUtf8, Utf8, Utf8View,
    };
    let of = value_type(field.data_type());
    let is_key = match key_type(of) {
        Boolean | Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => true,
        Decimal128(..) | Decimal256(..) => true,
        of => of.is_integer(),
    };
    if is_key {
        return Ok(Field::new(field.name(), of.clone(), true));
    }
    let message = format!(
        "column `{}` cannot be a key: it is {of}; keys are numbers, booleans, dates, times, decimals, strings and binaries",
        field.name()
    );
    Err(Error::new(ErrorKind::Config, message))
}

fn check_names(fields: &[Field]) -> Result<()> {
    let mut names = HashSet::new();
    match fields.iter().find(|field| !names.insert(field.name())) {
        Some(field) => {
            let message = format!(
                "two columns of the answer are called `{}`; name one of them with `alias`",
                field.name()
            );
            Err(Error::new(ErrorKind::Config, message))
        }
        None => Ok(()),
    }
}

fn checked(column: ArrayRef, of: &DataType) -> Result<ArrayRef> {
    if column.data_type() == of {
        return Ok(column);
    }
    let message = format!(
        "a batch has a column of {} where the first batch had {of}",
        column.data_type()
    );
    Err(Error::new(ErrorKind::Format, message))
}
