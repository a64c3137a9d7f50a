//! `sum(x)` of integers, decimals and floats, exact.
//!
//! The sum of integers is an `Int64` or `UInt64`, that of decimals a decimal of 38 digits; a total that does
//! not fit is an error. The sum of floats is the exact total, rounded once. The sum of a group without
//! values is null.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, Decimal128Array, PrimitiveArray};
use arrow_schema::DataType;
use keymill_kernels::accumulate::{self, FloatSum};

use super::input::{NumberKind, floats, signed, unsigned, validity};
use super::decimal_totals::{self, DecimalTotals};
use super::{
    Accumulator, Aggregate, AggregateExpr, Entry, FinishError, IntegerValue, cannot_take, not_its_state,
};
use crate::expr::Expr;
use crate::{Error, ErrorKind, Level, Result};

/// The type of the state of a sum of integers: the exact total in 128 bits.
const TOTAL: DataType = DataType::Decimal128(38, 0);

pub(super) const ENTRIES: &[Entry] = &[Entry::new("sum", "sum(x)", 1, |_| Ok(Arc::new(Sum)))];

/// The sum of all values.
#[derive(Debug)]
pub(super) struct Sum;

/// Sums the values of an expression. Nulls are skipped.
#[must_use]
pub fn sum(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Sum, [input.into()])
}

impl Aggregate for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        match kind_of(self.name(), inputs)? {
            TotalKind::Number(NumberKind::Signed) => Ok(DataType::Int64),
            TotalKind::Number(NumberKind::Unsigned) => Ok(DataType::UInt64),
            TotalKind::Number(NumberKind::Float) => Ok(DataType::Float64),
            TotalKind::Decimal(scale) => Ok(decimal_totals::total_type(scale)),
        }
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![state_type(kind_of(self.name(), inputs)?)])
    }

    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Totals::new(kind_of(self.name(), inputs)?, level)))
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Sum])
    }
}

/// What can be summed.
#[derive(Clone, Copy)]
pub(super) enum TotalKind {
    Number(NumberKind),
    /// Decimals with this number of digits after the point.
    Decimal(i8),
}

pub(super) fn kind_of(name: &str, inputs: &[DataType]) -> Result<TotalKind> {
    let [input] = inputs else {
        return Err(cannot_take(name, "one column", inputs));
    };
    let decimal = || decimal_totals::scale_of(input).map(TotalKind::Decimal);
    let number = NumberKind::of(input).map(TotalKind::Number);
    number
        .or_else(decimal)
        .ok_or_else(|| cannot_take(name, "integers, floats and decimals", inputs))
}

/// Returns the type of the state of a sum.
pub(super) fn state_type(kind: TotalKind) -> DataType {
    match kind {
        TotalKind::Number(NumberKind::Signed | NumberKind::Unsigned) => TOTAL,
        TotalKind::Number(NumberKind::Float) => DataType::Binary,
        TotalKind::Decimal(scale) => decimal_totals::state_type(scale),
    }
}

/// The exact totals of one kind of number.
pub(super) enum Totals {
    Signed(accumulate::Sum<i64>),
    Unsigned(accumulate::Sum<u64>),
    Float(FloatSum),
    Decimal(DecimalTotals),
}

impl Totals {
    pub(super) fn new(kind: TotalKind, level: Level) -> Self {
        match kind {
            TotalKind::Number(NumberKind::Signed) => Self::Signed(accumulate::Sum::new(level)),
            TotalKind::Number(NumberKind::Unsigned) => Self::Unsigned(accumulate::Sum::new(level)),
            TotalKind::Number(NumberKind::Float) => Self::Float(FloatSum::new(level, None)),
            TotalKind::Decimal(scale) => Self::Decimal(DecimalTotals::new(scale)),
        }
    }

    fn update_values(&mut self, ids: &[u32], values: &ArrayRef) -> Result<()> {
        let valid = validity(values);
        match (self, valid) {
            (Self::Signed(sum), None) => sum.update(ids, &signed(values)?),
            (Self::Signed(sum), Some(valid)) => sum.update_valid(ids, &signed(values)?, valid),
            (Self::Unsigned(sum), None) => sum.update(ids, &unsigned(values)?),
            (Self::Unsigned(sum), Some(valid)) => sum.update_valid(ids, &unsigned(values)?, valid),
            (Self::Float(sum), None) => sum.update(ids, &floats(values)?),
            (Self::Float(sum), Some(valid)) => sum.update_valid(ids, &floats(values)?, valid),
            (Self::Decimal(sum), _) => sum.update(ids, values)?,
        }
        Ok(())
    }

    /// Returns the total of a group of integers, if it has values.
    pub(super) fn integer(&self, group: u32) -> Option<i128> {
        match self {
            Self::Signed(sum) => sum.total(group),
            Self::Unsigned(sum) => sum.total(group),
            Self::Float(_) | Self::Decimal(_) => None,
        }
    }
}

impl Accumulator for Totals {
    fn resize(&mut self, groups: usize) {
        match self {
            Self::Signed(sum) => sum.resize(groups),
            Self::Unsigned(sum) => sum.resize(groups),
            Self::Float(sum) => sum.resize(groups),
            Self::Decimal(sum) => sum.resize(groups),
        }
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        self.update_values(ids, &columns[0])
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let state = states.first().ok_or_else(|| not_its_state("sum"))?;
        match self {
            Self::Signed(sum) => sum.merge(ids, totals_in(state)?).map_err(too_large),
            Self::Unsigned(sum) => sum.merge(ids, totals_in(state)?).map_err(too_large),
            Self::Float(sum) => merge_floats(sum, ids, state),
            Self::Decimal(sum) => sum.merge(ids, state),
        }
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![match self {
            Self::Float(sum) => float_states(sum, groups),
            Self::Decimal(sum) => sum.state(groups),
            _ => {
                let totals = groups.iter().map(|&group| self.integer(group));
                let totals = totals.collect::<Decimal128Array>();
                Arc::new(totals.with_data_type(TOTAL))
            }
        }])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        match self {
            Self::Signed(sum) => match sum.narrow_totals() {
                Some(totals) => Ok(values_of::<Int64Type>(totals, groups)),
                None => self.finish_as::<Int64Type>(groups),
            },
            Self::Unsigned(sum) => match sum.narrow_totals() {
                Some(totals) => Ok(values_of::<UInt64Type>(totals, groups)),
                None => self.finish_as::<UInt64Type>(groups),
            },
            Self::Float(sum) => {
                let sums = groups.iter().map(|&group| sum.sum(group));
                Ok(Arc::new(sums.collect::<PrimitiveArray<Float64Type>>()))
            }
            Self::Decimal(sum) => sum.finish(groups),
        }
    }

    fn reset(&mut self, groups: &[u32]) {
        match self {
            Self::Signed(sum) => sum.reset(groups),
            Self::Unsigned(sum) => sum.reset(groups),
            Self::Float(sum) => sum.reset(groups),
            Self::Decimal(sum) => sum.reset(groups),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Signed(sum) => sum.clear(),
            Self::Unsigned(sum) => sum.clear(),
            Self::Float(sum) => sum.clear(),
            Self::Decimal(sum) => sum.clear(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Signed(sum) => sum.bytes(),
            Self::Unsigned(sum) => sum.bytes(),
            Self::Float(sum) => sum.bytes(),
            Self::Decimal(sum) => sum.size(),
        }
    }
}

impl Totals {
    fn finish_as<T>(&self, groups: &[u32]) -> Result<ArrayRef, FinishError>
    where
        T: ArrowPrimitiveType,
        T::Native: TryFrom<i128>,
    {
        let mut sums = PrimitiveArray::<T>::builder(groups.len());
        for &group in groups {
            match self.integer(group) {
                Some(total) => match total.try_into() {
                    Ok(sum) => sums.append_value(sum),
                    Err(_) => {
                        let total = total.to_string();
                        return Err(FinishError::Overflow { group, total });
                    }
                },
                None => sums.append_null(),
            }
        }
        Ok(Arc::new(sums.finish()))
    }
}

/// Returns the values of some groups, none of them null.
fn values_of<T: ArrowPrimitiveType>(values: &[T::Native], groups: &[u32]) -> ArrayRef {
    let values = groups.iter().map(|&group| values[group as usize]);
    Arc::new(PrimitiveArray::<T>::from_iter_values(values))
}

/// Returns the totals of a state column of integers.
fn totals_in(state: &ArrayRef) -> Result<impl Iterator<Item = Option<i128>>> {
    let totals = state.as_primitive_opt::<Decimal128Type>();
    Ok(totals.ok_or_else(|| not_its_state("sum"))?.iter())
}

fn too_large(cause: accumulate::SumOverflow) -> Error {
    Error::new(ErrorKind::Capacity, "a sum is too large").with_source(cause)
}

fn float_states(sum: &FloatSum, groups: &[u32]) -> ArrayRef {
    let mut states = BinaryBuilder::with_capacity(groups.len(), 16 * groups.len());
    let mut bytes = Vec::new();
    for &group in groups {
        bytes.clear();
        sum.write_state(group, &mut bytes);
        states.append_value(&bytes);
    }
    Arc::new(states.finish())
}

fn merge_floats(sum: &mut FloatSum, ids: &[u32], state: &ArrayRef) -> Result<()> {
    let states = state.as_binary_opt::<i32>();
    let states = states.ok_or_else(|| not_its_state("sum"))?;
    for (&id, state) in ids.iter().zip(states) {
        if let Some(state) = state {
            let merged = sum.merge_state(id, state);
            merged.map_err(|cause| not_its_state("sum").with_source(cause))?;
        }
    }
    Ok(())
}
