//! How a device runs a group-by: its input columns, and the state columns made from its answers.
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, UInt64Array};
use arrow_schema::DataType;

use crate::Result;
use crate::aggregate::{
    IntegerValue, integer_bits, integer_column, integer_column_of_bits, integers_of,
};
use crate::device::Fault;
use crate::device::reduce_by_key::Group;
use crate::state::GroupShape;

/// Bytes of a key and of a value on a device.
const WORD: usize = 8;

/// The columns of a group-by on a device.
///
/// A device reduces keys with one column of values at a time. Aggregates of the same expression share
/// a column.
#[derive(Debug)]
pub(crate) struct DevicePlan {
    key: DataType,
    values: Vec<ValueColumn>,
    states: Vec<StateColumn>,
}

/// A column of values.
#[derive(Debug)]
struct ValueColumn {
    /// Its number among the columns of all aggregates.
    argument: usize,
    of: DataType,
}

/// A state column: its value, and the number of the column of values.
#[derive(Debug)]
struct StateColumn {
    what: IntegerValue,
    values: usize,
}

/// The input of a device: the bits of keys, and one or more columns of values.
#[derive(Clone, Debug, Default)]
pub(super) struct DeviceRows {
    pub(super) keys: Vec<u64>,
    pub(super) values: Vec<Vec<i64>>,
}

impl DeviceRows {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Appends some rows of another input.
    pub(super) fn extend(&mut self, others: &Self, rows: std::ops::Range<usize>) {
        self.keys.extend_from_slice(&others.keys[rows.clone()]);
        self.values.resize_with(others.values.len(), Vec::new);
        for (column, other) in self.values.iter_mut().zip(&others.values) {
            column.extend_from_slice(&other[rows.clone()]);
        }
    }

    /// Returns the bytes of memory of the rows.
    pub(super) fn size(&self) -> usize {
        let values = self.values.iter().map(Vec::capacity);
        (self.keys.capacity() + values.sum::<usize>()) * WORD
    }

    /// Returns each row as a group of one row, for each column of values.
    pub(super) fn as_groups(&self, rows: std::ops::Range<usize>) -> Vec<Vec<Group<u64>>> {
        let group = |(&key, &value): (&u64, &i64)| Group {
            key,
            count: 1,
            sum: value.into(),
            min: value,
            max: value,
        };
        let keys = &self.keys[rows.clone()];
        let columns = self.values.iter().map(|column| &column[rows.clone()]);
        columns
            .map(|column| keys.iter().zip(column).map(group).collect())
            .collect()
    }
}

impl DevicePlan {
    /// Creates the plan of a group-by; the error is the reason why no device can run it.
    pub(crate) fn new(shape: &GroupShape) -> std::result::Result<Self, String> {
        let [of] = shape.key_types() else {
            let keys = shape.key_types().len();
            return Err(format!(
                "a device groups by one column of integers, and the keys are {keys} columns"
            ));
        };
        if shape.is_one_group() {
            return Err(
                "a device groups by one column of integers, and there is no key".to_owned(),
            );
        }
        if !of.is_integer() {
            let name = shape.schema().field(0).name();
            return Err(format!(
                "a device groups by one column of integers, and `{name}` is {of}"
            ));
        }
        let mut plan = Self {
            key: of.clone(),
            values: Vec::new(),
            states: Vec::new(),
        };
        for number in 0..shape.states().len() {
            plan.add(shape, number)?;
        }
        Ok(plan)
    }

    /// Adds the state columns of an aggregate.
    fn add(&mut self, shape: &GroupShape, number: usize) -> std::result::Result<(), String> {
        let call = shape.call(number);
        let form = call.aggregate().integer_form();
        let form = form.ok_or_else(|| format!("no device computes `{call}`"))?;
        let argument = shape.first_argument(number);
        let input = argument.map(|(_, of)| of);
        let needs_values = form.iter().any(|what| *what != IntegerValue::Count);
        let values = match (needs_values, argument) {
            (false, _) => 0,
            (true, Some((column, of))) if of.is_integer() => self.value_column(column, of),
            (true, Some((_, of))) => {
                return Err(format!(
                    "a device computes `{call}` of integers, and the values are {of}"
                ));
            }
            (true, None) => return Err(format!("no device computes `{call}`")),
        };
        let fields = &shape.state_schema().fields()[shape.states()[number].clone()];
        let fits = |(what, of): (&IntegerValue, &DataType)| *of == state_type(*what, input);
        let types = fields.iter().map(|field| field.data_type());
        if form.len() != fields.len() || !form.iter().zip(types).all(fits) {
            return Err(format!("no device computes the state of `{call}`"));
        }
        let states = form.iter().map(|&what| StateColumn { what, values });
        self.states.extend(states);
        Ok(())
    }

    /// Returns the number of the column with the argument of an aggregate.
    fn value_column(&mut self, argument: usize, of: &DataType) -> usize {
        let is_same = |column: &ValueColumn| column.argument == argument;
        self.values.iter().position(is_same).unwrap_or_else(|| {
            let of = of.clone();
            self.values.push(ValueColumn { argument, of });
            self.values.len() - 1
        })
    }

    /// Returns the number of columns of values; it is 1 if rows are only counted.
    pub(super) fn columns(&self) -> usize {
        self.values.len().max(1)
    }

    /// Returns the bytes of a row on a device.
    pub(super) fn row_bytes(&self) -> usize {
        WORD * (1 + self.columns())
    }

    /// Converts rows for a device; the inner error is the reason why it cannot reduce these.
    pub(super) fn rows(
        &self,
        keys: &[ArrayRef],
        arguments: &[ArrayRef],
    ) -> Result<std::result::Result<DeviceRows, &'static str>> {
        let mut columns = keys.iter().chain(arguments);
        if columns.any(|column| column.logical_null_count() > 0) {
            return Ok(Err("they have nulls"));
        }
        let keys = integer_bits(&keys[0])?;
        let mut values = Vec::with_capacity(self.columns());
        for ValueColumn { argument, .. } in &self.values {
            match integers_of(&arguments[*argument]) {
                Some(column) => values.push(column.into_owned()),
                None => return Ok(Err("they have values of 2^63 and more")),
            }
        }
        if values.is_empty() {
            values.push(vec![0; keys.len()]);
        }
        Ok(Ok(DeviceRows { keys, values }))
    }

    /// Returns the state columns of groups. There is one list of groups per column of values.
    ///
    /// # Errors
    ///
    /// [`Fault::NotConserved`] for keys and values that do not fit their types, and if the lists have
    /// different groups.
    pub(super) fn states(
        &self,
        shape: &GroupShape,
        groups: &[Vec<Group<u64>>],
    ) -> std::result::Result<RecordBatch, Fault> {
        let [first, others @ ..] = groups else {
            return Err(wrong("there is no column of values"));
        };
        if !others.iter().all(|other| are_same_groups(first, other)) {
            return Err(wrong("two columns of values have different groups"));
        }
        let keys = first.iter().map(|group| group.key);
        let key = integer_column_of_bits(&self.key, keys);
        let mut columns = vec![key.map_err(not_made)?];
        for state in &self.states {
            columns.push(self.state(state, &groups[state.values])?);
        }
        if columns.iter().any(|column| column.null_count() > 0) {
            return Err(wrong("a key or a value does not fit its type"));
        }
        shape.state_batch(columns).map_err(not_made)
    }

    fn state(
        &self,
        state: &StateColumn,
        groups: &[Group<u64>],
    ) -> std::result::Result<ArrayRef, Fault> {
        let column = |value: fn(&Group<u64>) -> i64| {
            let of = &self.values[state.values].of;
            integer_column(of, groups.iter().map(value)).map_err(not_made)
        };
        match state.what {
            IntegerValue::Count => {
                let counts = groups.iter().map(|group| group.count);
                Ok(Arc::new(UInt64Array::from_iter_values(counts)))
            }
            IntegerValue::Sum => {
                let sums = Decimal128Array::from_iter_values(groups.iter().map(|group| group.sum));
                Ok(Arc::new(sums.with_data_type(TOTAL)))
            }
            IntegerValue::Min => column(|group| group.min),
            IntegerValue::Max => column(|group| group.max),
        }
    }
}

/// The type of an exact sum.
const TOTAL: DataType = DataType::Decimal128(38, 0);

fn state_type(what: IntegerValue, input: Option<&DataType>) -> DataType {
    match what {
        IntegerValue::Count => DataType::UInt64,
        IntegerValue::Sum => TOTAL,
        IntegerValue::Min | IntegerValue::Max => input.cloned().unwrap_or(DataType::Null),
    }
}

/// Returns whether both lists have the same keys and counts, in the same order.
fn are_same_groups(one: &[Group<u64>], other: &[Group<u64>]) -> bool {
    let of = |group: &Group<u64>| (group.key, group.count);
    one.len() == other.len() && one.iter().map(of).eq(other.iter().map(of))
}

fn wrong(what: &str) -> Fault {
    Fault::NotConserved(format!("group-by, {what}"))
}

fn not_made(error: crate::Error) -> Fault {
    Fault::NotConserved(format!("group-by, {error}"))
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::aggregate::{AggregateExpr, count, count_rows, max, mean, min, sum};
    use crate::col;

    fn shape(keys: &[&str], calls: &[AggregateExpr]) -> GroupShape {
        let field = |name, of| Field::new(name, of, true);
        let input = Schema::new(vec![
            field("key", DataType::Int16),
            field("x", DataType::Int64),
            field("y", DataType::UInt8),
            field("float", DataType::Float64),
            field("name", DataType::Utf8),
            field("flag", DataType::Boolean),
        ]);
        let keys: Vec<_> = keys.iter().map(|key| col(*key)).collect();
        GroupShape::new(&input, &keys, calls).unwrap()
    }

    #[test]
    fn aggregates_of_the_same_values_share_a_run() {
        let calls = [count_rows(), sum("x"), min("y"), mean("x"), max("x")];
        let plan = DevicePlan::new(&shape(&["key"], &calls)).unwrap();
        assert_eq!((plan.columns(), plan.row_bytes()), (2, 24));
        let runs: Vec<usize> = plan.states.iter().map(|state| state.values).collect();
        assert_eq!(runs, [0, 0, 1, 0, 0, 0]);
        let counts = DevicePlan::new(&shape(&["key"], &[count("name")])).unwrap();
        assert_eq!(counts.columns(), 1);
    }

    #[test]
    fn what_no_device_can_run_is_refused_with_the_reason() {
        let refused = |keys: &[&str], call: AggregateExpr, why: &str| {
            let said = DevicePlan::new(&shape(keys, &[call])).unwrap_err();
            assert!(said.contains(why), "{said}");
        };
        refused(&["key", "x"], sum("x"), "the keys are 2 columns");
        refused(&["name"], sum("x"), "`name` is Utf8");
        refused(&["flag"], count_rows(), "`flag` is Boolean");
        refused(&["key"], sum("float"), "`sum(float)` of integers");
        refused(&["key"], mean("float"), "the values are Float64");
    }

    fn group(key: i64, count: u64, min: i64) -> Group<u64> {
        Group {
            key: key as u64,
            count,
            sum: i128::from(min) * i128::from(count),
            min,
            max: min,
        }
    }

    #[test]
    fn groups_that_cannot_be_are_a_fault() {
        let shape = shape(&["key"], &[sum("x"), min("y")]);
        let plan = DevicePlan::new(&shape).unwrap();
        let states = |x: Group<u64>, y: Group<u64>| plan.states(&shape, &[vec![x], vec![y]]);
        let right = states(group(-3, 2, -7), group(-3, 2, 255)).unwrap();
        assert_eq!(right.num_rows(), 1);
        for (x, y) in [
            // The columns of values disagree about a key, or about its rows.
            (group(3, 2, 0), group(4, 2, 0)),
            (group(3, 2, 0), group(3, 1, 0)),
            // Keys of 16 bits, and values of 8 without a sign.
            (group(1 << 15, 2, 0), group(1 << 15, 2, 0)),
            (group(3, 2, 0), group(3, 2, 256)),
            (group(3, 2, 0), group(3, 2, -1)),
        ] {
            let fault = states(x, y).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{x:?}, {y:?}");
        }
        assert!(plan.states(&shape, &[]).is_err());
    }
}
