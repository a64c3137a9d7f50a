//! The columns of a group-by: the types of its keys, arguments, state and answers.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::schema::{batch_of, state_schema};
use crate::aggregate::{Accumulator, AggregateExpr, FinishError, IntegerValue, count_rows};
use crate::expr::{Bound, Expr, Rows, col, value_type, without_dictionary};
use crate::{Error, ErrorKind, Level, Result};

/// The columns of a group-by, from its input to its answers.
#[derive(Debug)]
pub(crate) struct GroupShape {
    input: SchemaRef,
    keys: Vec<Expr>,
    bound_keys: Vec<Bound>,
    /// The argument of each aggregate; `None` for aggregates of rows.
    bound_arguments: Vec<Option<Bound>>,
    calls: Vec<AggregateExpr>,
    /// The type of the argument of each aggregate; `None` for aggregates of rows.
    inputs: Vec<Option<DataType>>,
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
        let (mut inputs, mut states) = (Vec::new(), Vec::new());
        let mut bound_arguments = Vec::new();
        for call in calls {
            let bound = call.input().map(|expr| expr.bind(input)).transpose()?;
            let of = bound.as_ref().map(|it| value_type(it.data_type()).clone());
            bound_arguments.push(bound);
            let name = call.output_name();
            let output = call.aggregate().output_type(of.as_ref())?;
            fields.push(Field::new(&name, output, true));
            let first = state_fields.len();
            for (number, part) in call
                .aggregate()
                .state_types(of.as_ref())?
                .into_iter()
                .enumerate()
            {
                state_fields.push(Field::new(format!("{name}.{number}"), part, true));
            }
            states.push(first..state_fields.len());
            inputs.push(of);
        }
        check_names(&fields)?;
        Ok(Self {
            input: input.clone().into(),
            keys: keys.to_vec(),
            bound_keys,
            bound_arguments,
            calls: calls.to_vec(),
            inputs,
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
        fn calls(shape: &GroupShape) -> impl Iterator<Item = (&'static str, Option<&Expr>)> {
            let calls = shape.calls.iter();
            calls.map(|call| (call.aggregate().name(), call.input()))
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

    /// Returns the argument of each aggregate, from an input batch.
    pub(crate) fn arguments_of(&self, batch: &RecordBatch) -> Result<Vec<Option<ArrayRef>>> {
        let rows = Rows::new(batch, &self.input);
        let arguments = self.bound_arguments.iter().zip(&self.inputs);
        arguments
            .map(|(argument, of)| match (argument, of) {
                (Some(argument), Some(of)) => {
                    checked(without_dictionary(&argument.values(&rows)?)?, of).map(Some)
                }
                _ => Ok(None),
            })
            .collect()
    }

    /// Returns the argument of each aggregate, from the list of those that are not `None`.
    pub(crate) fn arguments_from(&self, columns: &[ArrayRef]) -> Vec<Option<ArrayRef>> {
        let mut columns = columns.iter().cloned();
        let inputs = self.inputs.iter();
        inputs
            .map(|input| input.as_ref().and_then(|_| columns.next()))
            .collect()
    }

    /// Creates a batch of state columns.
    pub(crate) fn state_batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        batch_of(&self.state_schema, columns)
    }

    /// Returns which value of one integer column each state column holds, and the number of the argument
    /// with that column; no number if no aggregate has an argument.
    ///
    /// `None` if the aggregates have different columns, if values may not fit in an `i64`, and if an
    /// aggregate has no integer form.
    pub(crate) fn integer_reduction(&self) -> Option<(Vec<IntegerValue>, Option<usize>)> {
        let mut values = Vec::new();
        let mut argument: Option<usize> = None;
        for (number, (call, input)) in self.calls.iter().zip(&self.inputs).enumerate() {
            values.extend_from_slice(call.aggregate().integer_form()?);
            let Some(input) = input else { continue };
            let is_taken = input.is_integer() && *input != DataType::UInt64;
            let is_same = argument.is_none_or(|first| self.calls[first].input() == call.input());
            if !is_taken || !is_same {
                return None;
            }
            argument = argument.or(Some(number));
        }
        Some((values, argument))
    }

    /// Returns the state columns of each aggregate.
    pub(crate) fn states(&self) -> &[Range<usize>] {
        &self.states
    }

    /// Creates the accumulators of an empty table.
    pub(crate) fn accumulators(&self, level: Level) -> Result<Vec<Box<dyn Accumulator>>> {
        let calls = self.calls.iter().zip(&self.inputs);
        calls
            .map(|(call, input)| call.aggregate().accumulator(input.as_ref(), level))
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

    /// Returns the type of each argument; `None` for aggregates of rows.
    #[cfg(feature = "gpu")]
    pub(crate) fn inputs(&self) -> &[Option<DataType>] {
        &self.inputs
    }

    /// Returns an aggregate with its argument and name.
    pub(crate) fn call(&self, number: usize) -> &AggregateExpr {
        &self.calls[number]
    }
}

fn key_field(field: &Field) -> Result<Field> {
    use DataType::{
        Binary, BinaryView, Boolean, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, UInt8,
        UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    let of = value_type(field.data_type());
    match of {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Boolean | Utf8
        | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => {
            Ok(Field::new(field.name(), of.clone(), true))
        }
        other => {
            let message = format!(
                "column `{}` cannot be a key: it is {other}; keys are integers, booleans, strings and binaries",
                field.name()
            );
            Err(Error::new(ErrorKind::Config, message))
        }
    }
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
