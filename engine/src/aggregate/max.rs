//! `max(x)`: the largest value that is not null.
//!
//! Strings and binaries are ordered by their bytes, and `false` is before `true`. Floats are ordered −∞ … −0.0, +0.0 … +∞. The answer is NaN only if all values are NaN.

use std::sync::Arc;

use arrow_schema::DataType;
use keymill_kernels::accumulate::Larger;

use super::extreme::{ExtremeOf, value_type};
use super::{Accumulator, Aggregate, AggregateExpr, Entry, IntegerValue};
use crate::expr::Expr;
use crate::{Level, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::new("max", "max(x)", 1, |_| Ok(Arc::new(Max)))];

/// The largest value.
#[derive(Debug)]
pub(super) struct Max;

/// Returns the largest value of an expression. Nulls are skipped.
#[must_use]
pub fn max(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Max, [input.into()])
}

impl Aggregate for Max {
    fn name(&self) -> &'static str {
        "max"
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        value_type(self.name(), inputs)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.output_type(inputs)?])
    }

    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(ExtremeOf::<Larger>::new(
            self.name(),
            inputs,
            level,
        )?))
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Max])
    }
}
