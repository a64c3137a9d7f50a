//! `min(x)`: the smallest value that is not null.
//!
//! Floats are ordered −∞ … −0.0, +0.0 … +∞. NaN is the answer only where all values are NaN.

use arrow_schema::DataType;

use super::extreme::smallest;
use super::sum::kind_of;
use super::{Accumulator, Aggregate, AggregateExpr, IntegerValue, cannot_take};
use crate::expr::Expr;
use crate::{Level, Result};

/// The smallest value.
#[derive(Debug)]
pub(super) struct Min;

/// Gives the smallest value of an expression. Nulls are skipped.
#[must_use]
pub fn min(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Min, Some(input.into()))
}

impl Aggregate for Min {
    fn name(&self) -> &'static str {
        "min"
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
        smallest(input)
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Min])
    }
}
