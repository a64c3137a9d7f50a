//! `bit_and(x)`, `bit_or(x)` and `bit_xor(x)` of integers, in the type of the values.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::input::{NumberKind, signed, signed_column, unsigned, unsigned_column};
use super::{Accumulator, Aggregate, AggregateExpr, Entry, FinishError, cannot_take, not_its_state};
use crate::expr::Expr;
use crate::{Level, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new("bit_and", "bit_and(x)", 1, |_| Ok(Arc::new(AND))),
    Entry::new("bit_or", "bit_or(x)", 1, |_| Ok(Arc::new(OR))),
    Entry::new("bit_xor", "bit_xor(x)", 1, |_| Ok(Arc::new(XOR))),
];

/// A function of the bits of two values.
#[derive(Clone, Copy, Debug)]
struct Bits {
    name: &'static str,
    of: fn(u64, u64) -> u64,
}

const AND: Bits = Bits {
    name: "bit_and",
    of: |one, other| one & other,
};
const OR: Bits = Bits {
    name: "bit_or",
    of: |one, other| one | other,
};
const XOR: Bits = Bits {
    name: "bit_xor",
    of: |one, other| one ^ other,
};

/// Returns the bits that are 1 in all values. Nulls are skipped.
#[must_use]
pub fn bit_and(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(AND, [input.into()])
}

/// Returns the bits that are 1 in some value. Nulls are skipped.
#[must_use]
pub fn bit_or(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(OR, [input.into()])
}

/// Returns the bits that are 1 in an odd number of values. Nulls are skipped.
#[must_use]
pub fn bit_xor(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(XOR, [input.into()])
}

impl Aggregate for Bits {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        match inputs {
            [input] if input.is_integer() => Ok(input.clone()),
            inputs => Err(cannot_take(self.name, "integers", inputs)),
        }
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.output_type(inputs)?])
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(BitsOf {
            bits: *self,
            input: self.output_type(inputs)?,
            values: Vec::new(),
        }))
    }
}

struct BitsOf {
    bits: Bits,
    input: DataType,
    /// Integers of 64 bits; `None` for a group without values.
    values: Vec<Option<u64>>,
}

impl BitsOf {
    fn is_unsigned(&self) -> bool {
        NumberKind::of(&self.input) == Some(NumberKind::Unsigned)
    }

    fn column(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|&group| self.values[group as usize]);
        match self.is_unsigned() {
            true => unsigned_column(&self.input, values),
            false => signed_column(&self.input, values.map(|it| it.map(u64::cast_signed))),
        }
    }
}

impl Accumulator for BitsOf {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let column = &columns[0];
        let bits: Vec<u64> = match self.is_unsigned() {
            true => unsigned(column)?.into_owned(),
            false => signed(column)?.iter().map(|it| it.cast_unsigned()).collect(),
        };
        for (row, (&id, &bits)) in ids.iter().zip(&bits).enumerate() {
            if column.is_valid(row) {
                let value = &mut self.values[id as usize];
                *value = Some(value.map_or(bits, |value| (self.bits.of)(value, bits)));
            }
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        match states {
            [state] if *state.data_type() == self.input => self.update(ids, states),
            _ => Err(not_its_state(self.bits.name)),
        }
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.column(groups)?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        Ok(self.column(groups)?)
    }

    fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            self.values[group as usize] = None;
        }
    }

    fn clear(&mut self) {
        self.values.clear();
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<Option<u64>>()
    }
}
