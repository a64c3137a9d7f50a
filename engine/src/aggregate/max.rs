//! `max(x)`: the largest value that is not null.
//!
//! Floats are ordered −∞ … −0.0, +0.0 … +∞. NaN is the answer only where all values are NaN.

use arrow_schema::DataType;

use super::extreme::largest;
use super::sum::kind_of;
use super::{Accumulator, Aggregate, AggregateExpr, IntegerValue, cannot_take};
use crate::expr::Expr;
use crate::{Level, Result};

/// The largest value.
#[derive(Debug)]
pub(super) struct Max;

/// Gives the largest value of an expression. Nulls are skipped.
#[must_use]
pub fn max(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Max, Some(input.into()))
}

impl Aggregate for Max {
    fn name(&self) -> &'static str {
        "max"
    }

    fn output_type(&self, input: Option<&DataType>) -> Result<DataType> {
        kind_of(self.name(), input)?;
        input
            .cloned()
            .ok_or_else(|| cannot_take(self.name(), input))
    }

    fn state_types(&self, input: Option<&DataType>) -> Result<Vec<DataType>> {
        Ok(vec![self.output_type(input)?])
    }

    fn accumulator(&self, input: Option<&DataType>, _: Level) -> Result<Box<dyn Accumulator>> {
        largest(input)
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Max])
    }
}
