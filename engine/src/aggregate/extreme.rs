//! The accumulator of `min` and `max`.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use keymill_kernels::accumulate::{Choice, Extreme};

use super::input::{
    NumberKind, float_column, floats, signed, signed_column, unsigned, unsigned_column, validity,
};
use super::sum::kind_of;
use super::{Accumulator, FinishError, cannot_take, not_its_state};
use crate::{Error, ErrorKind, Result};

/// Returns the type of the answers, which is that of the values.
pub(super) fn value_type(name: &str, input: Option<&DataType>) -> Result<DataType> {
    match input {
        Some(input) if NumberKind::of(input).is_some() => Ok(input.clone()),
        _ => Err(cannot_take(name, input)),
    }
}

enum Values<C> {
    Signed(Extreme<i64, C>),
    Unsigned(Extreme<u64, C>),
    Float(Extreme<f64, C>),
}

/// The smallest or largest value of each group, as `C` chooses.
pub(super) struct ExtremeOf<C> {
    input: DataType,
    values: Values<C>,
}

impl<C: Choice> ExtremeOf<C> {
    pub(super) fn new(name: &str, input: Option<&DataType>) -> Result<Self> {
        let values = match kind_of(name, input)? {
            NumberKind::Signed => Values::Signed(Extreme::<i64, C>::default()),
            NumberKind::Unsigned => Values::Unsigned(Extreme::<u64, C>::default()),
            NumberKind::Float => Values::Float(Extreme::<f64, C>::default()),
        };
        let input = value_type(name, input)?;
        Ok(Self { input, values })
    }

    fn column(&self, groups: &[u32]) -> Result<ArrayRef> {
        let (of, groups) = (&self.input, groups.iter());
        match &self.values {
            Values::Signed(all) => signed_column(of, groups.map(|&group| all.value(group))),
            Values::Unsigned(all) => unsigned_column(of, groups.map(|&group| all.value(group))),
            Values::Float(all) => float_column(of, groups.map(|&group| all.value(group))),
        }
    }
}

impl<C: Choice> Accumulator for ExtremeOf<C> {
    fn resize(&mut self, groups: usize) {
        match &mut self.values {
            Values::Signed(all) => all.resize(groups),
            Values::Unsigned(all) => all.resize(groups),
            Values::Float(all) => all.resize(groups),
        }
    }

    fn update(&mut self, ids: &[u32], values: Option<&dyn Array>) -> Result<()> {
        let Some(values) = values else {
            let message = "`min` or `max` got no values";
            return Err(Error::new(ErrorKind::Internal, message));
        };
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
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        match states.first() {
            Some(state) if *state.data_type() == self.input => self.update(ids, Some(state)),
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
        match &mut self.values {
            Values::Signed(all) => all.reset(groups),
            Values::Unsigned(all) => all.reset(groups),
            Values::Float(all) => all.reset(groups),
        }
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Signed(all) => all.clear(),
            Values::Unsigned(all) => all.clear(),
            Values::Float(all) => all.clear(),
        }
    }

    fn size(&self) -> usize {
        match &self.values {
            Values::Signed(all) => all.bytes(),
            Values::Unsigned(all) => all.bytes(),
            Values::Float(all) => all.bytes(),
        }
    }
}
