//! The accumulator of `min` and `max`.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use keymill_kernels::accumulate::{Choice, Extreme};

use super::byte_values::{self, ByteValues};
use super::input::{
    NumberKind, decimal_column, decimals, float_column, floats, signed, signed_column, unsigned,
    unsigned_column, validity,
};
use super::{Accumulator, FinishError, cannot_take, not_its_state};
use crate::keys::{as_type, stored, stored_type};
use crate::{Level, Result};

/// Returns the type of the answers, which is that of the values.
pub(super) fn value_type(name: &str, inputs: &[DataType]) -> Result<DataType> {
    match inputs {
        [input] if byte_values::takes(input) => Ok(input.clone()),
        inputs => Err(cannot_take(name, "values that have an order", inputs)),
    }
}

enum Values<C> {
    Signed(Extreme<i64, C>),
    Unsigned(Extreme<u64, C>),
    Float(Extreme<f64, C>),
    Decimal(Extreme<i128, C>),
    Bytes(ByteValues),
}

/// Runs the same code on all kinds of values but the last.
macro_rules! each {
    ($values:expr, $all:ident => $run:expr, $bytes:ident => $other:expr) => {
        match $values {
            Values::Signed($all) => $run,
            Values::Unsigned($all) => $run,
            Values::Float($all) => $run,
            Values::Decimal($all) => $run,
            Values::Bytes($bytes) => $other,
        }
    };
}

/// The smallest or largest value of each group, as `C` chooses.
pub(super) struct ExtremeOf<C> {
    input: DataType,
    values: Values<C>,
}

impl<C: Choice> ExtremeOf<C> {
    pub(super) fn new(name: &str, inputs: &[DataType], level: Level) -> Result<Self> {
        let input = value_type(name, inputs)?;
        let values = match (NumberKind::of(&stored_type(&input)), &input) {
            (Some(NumberKind::Signed), _) => Values::Signed(Extreme::default()),
            (Some(NumberKind::Unsigned), _) => Values::Unsigned(Extreme::default()),
            (Some(NumberKind::Float), _) => Values::Float(Extreme::default().on(level)),
            (None, DataType::Decimal128(..)) => Values::Decimal(Extreme::default()),
            (None, input) => Values::Bytes(ByteValues::new(input)?),
        };
        Ok(Self { input, values })
    }

    fn column(&self, groups: &[u32]) -> Result<ArrayRef> {
        let of = &stored_type(&self.input);
        let ids = groups.iter();
        let column = match &self.values {
            Values::Signed(all) => signed_column(of, ids.map(|&group| all.value(group))),
            Values::Unsigned(all) => unsigned_column(of, ids.map(|&group| all.value(group))),
            Values::Float(all) => float_column(of, ids.map(|&group| all.value(group))),
            Values::Decimal(all) => Ok(decimal_column(of, ids.map(|&group| all.value(group)))),
            Values::Bytes(all) => return all.column(groups),
        };
        as_type(&column?, &self.input)
    }
}

fn update_bytes<C: Choice>(all: &mut ByteValues, ids: &[u32], column: &ArrayRef) -> Result<()> {
    let rows = all.encode(column)?;
    for (row, &id) in ids
        .iter()
        .enumerate()
        .filter(|(row, _)| column.is_valid(*row))
    {
        let row = rows.row(row);
        let value = row.data();
        let is_chosen = all
            .get(id)
            .is_none_or(|old| old != value && C::choose(old, value) == value);
        if is_chosen {
            all.set(id, value);
        }
    }
    Ok(())
}

impl<C: Choice> Accumulator for ExtremeOf<C> {
    fn resize(&mut self, groups: usize) {
        each!(&mut self.values, all => all.resize(groups), bytes => bytes.resize(groups));
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        if let Values::Bytes(all) = &mut self.values {
            return update_bytes::<C>(all, ids, &columns[0]);
        }
        let values = &stored(&columns[0])?;
        let valid = validity(values);
        match (&mut self.values, valid) {
            (Values::Signed(all), None) => all.update(ids, &signed(values)?),
            (Values::Signed(all), Some(valid)) => all.update_valid(ids, &signed(values)?, valid),
            (Values::Unsigned(all), None) => all.update(ids, &unsigned(values)?),
            (Values::Unsigned(all), Some(valid)) => {
                all.update_valid(ids, &unsigned(values)?, valid);
            }
            (Values::Float(all), None) => all.update(ids, &floats(values)?),
            (Values::Float(all), Some(valid)) => all.update_valid(ids, &floats(values)?, valid),
            (Values::Decimal(all), None) => all.update(ids, decimals(values)?),
            (Values::Decimal(all), Some(valid)) => {
                all.update_valid(ids, decimals(values)?, valid);
            }
            (Values::Bytes(_), _) => {}
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        match states {
            [state] if *state.data_type() == self.input => self.update(ids, states),
            _ => Err(not_its_state("min or max")),
        }
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.column(groups)?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        Ok(self.column(groups)?)
    }

    fn reset(&mut self, groups: &[u32]) {
        each!(&mut self.values, all => all.reset(groups), bytes => bytes.reset(groups));
    }

    fn clear(&mut self) {
        each!(&mut self.values, all => all.clear(), bytes => bytes.clear());
    }

    fn size(&self) -> usize {
        each!(&self.values, all => all.bytes(), bytes => bytes.size())
    }
}
