//! What a group-by keeps and gives: the types of its keys, aggregates, state and answers.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::schema::state_schema;
use crate::aggregate::{Accumulator, AggregateExpr, IntegerValue, count_rows};
use crate::expr::{Expr, col, without_dictionary};
use crate::{Error, ErrorKind, Level, Result};

/// The columns of a group-by, from its input to its answers.
#[derive(Debug)]
pub(crate) struct GroupShape {
    keys: Vec<Expr>,
    calls: Vec<AggregateExpr>,
    /// The type of the argument of each aggregate; `None` for aggregates of rows.
    inputs: Vec<Option<DataType>>,
    key_types: Vec<DataType>,
    schema: SchemaRef,
    state_schema: SchemaRef,
    /// Which state columns belong to each aggregate.
    states: Vec<Range<usize>>,
}

impl GroupShape {
    /// The shape of a group-by over batches of the schema `input`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a column that is not there or has a type that cannot be taken, for
    /// two columns of one name, and where there are no keys.
    pub(crate) fn new(input: &Schema, keys: &[Expr], calls: &[AggregateExpr]) -> Result<Self> {
        if keys.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "group by at least one column",
            ));
        }
        let mut fields = Vec::new();
        for key in keys {
            fields.push(key_field(&key.field(input)?)?);
        }
        let key_types = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let mut state_fields = fields.clone();
        let (mut inputs, mut states) = (Vec::new(), Vec::new());
        for call in calls {
            let of = match call.input() {
                Some(expr) => Some(value_type(expr.field(input)?.data_type()).clone()),
                None => None,
            };
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
            keys: keys.to_vec(),
            calls: calls.to_vec(),
            inputs,
            key_types,
            schema: Schema::new(fields).into(),
            state_schema: state_schema(state_fields, "group_by"),
            states,
        })
    }

    /// The shape of a count of texts: `key` BinaryView and `count` UInt64, never null. State and
    /// answers have one schema, that of a text count.
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

    /// The columns of the answers: keys, then aggregates.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of the state: keys, then what each aggregate keeps.
    pub(crate) fn state_schema(&self) -> &SchemaRef {
        &self.state_schema
    }

    /// Whether another shape has the same keys and aggregates, of the same types.
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

    /// The number of the first aggregate that counts.
    pub(crate) fn first_count(&self) -> Option<usize> {
        let mut calls = self.calls.iter();
        calls.position(|call| call.aggregate().name() == count_rows().aggregate().name())
    }

    pub(crate) fn key_types(&self) -> &[DataType] {
        &self.key_types
    }

    /// The key columns of a batch of input.
    pub(crate) fn keys_of(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let keys = self
            .keys
            .iter()
            .map(|key| evaluated(key, batch))
            .zip(&self.key_types);
        keys.map(|(column, of)| checked(without_dictionary(&column?)?, of))
            .collect()
    }

    /// The argument of each aggregate, from a batch of input.
    pub(crate) fn arguments_of(&self, batch: &RecordBatch) -> Result<Vec<Option<ArrayRef>>> {
        let calls = self.calls.iter().zip(&self.inputs);
        calls
            .map(|(call, of)| match (call.input(), of) {
                (Some(input), Some(of)) => {
                    checked(without_dictionary(&evaluated(input, batch)?)?, of).map(Some)
                }
                _ => Ok(None),
            })
            .collect()
    }

    /// The argument of each aggregate, from a list of those that there are.
    pub(crate) fn arguments_from(&self, columns: &[ArrayRef]) -> Vec<Option<ArrayRef>> {
        let mut columns = columns.iter().cloned();
        let inputs = self.inputs.iter();
        inputs
            .map(|input| input.as_ref().and_then(|_| columns.next()))
            .collect()
    }

    /// A batch of state columns.
    pub(crate) fn state_batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(self.state_schema.clone(), columns).map_err(|cause| {
            let message = "columns do not fit together";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })
    }

    /// Which value of an integer column each state column has, and the number of that column among the
    /// arguments; `None` for the number where no aggregate has an argument.
    ///
    /// There is none where aggregates are of several columns, of values that may not fit 64 bits with a
    /// sign, and where they need something else of the values.
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

    /// Which state columns belong to each aggregate.
    pub(crate) fn states(&self) -> &[Range<usize>] {
        &self.states
    }

    /// Makes the accumulators of a table without groups.
    pub(crate) fn accumulators(&self, level: Level) -> Result<Vec<Box<dyn Accumulator>>> {
        let calls = self.calls.iter().zip(&self.inputs);
        calls
            .map(|(call, input)| call.aggregate().accumulator(input.as_ref(), level))
            .collect()
    }

    /// The types of the arguments of the aggregates; `None` for aggregates of rows.
    #[cfg(feature = "gpu")]
    pub(crate) fn inputs(&self) -> &[Option<DataType>] {
        &self.inputs
    }

    /// The names of the aggregates and of their columns, for messages.
    pub(crate) fn call(&self, number: usize) -> &AggregateExpr {
        &self.calls[number]
    }
}

/// The type of a column's values: those of a dictionary are what it stands for.
fn value_type(of: &DataType) -> &DataType {
    match of {
        DataType::Dictionary(_, values) => values,
        of => of,
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

/// The values of an expression that the first batch had.
fn evaluated(expr: &Expr, batch: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(batch).map_err(|cause| {
        let message = format!("a batch lacks what the first batch had: {cause}");
        Error::new(ErrorKind::Format, message)
    })
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
