//! `min(x)`: the smallest value that is not null.
//!
//! Floats are ordered −∞ … −0.0, +0.0 … +∞. The answer is NaN only if all values are NaN.

use arrow_schema::DataType;
use keymill_kernels::accumulate::Smaller;

use super::extreme::{ExtremeOf, value_type};
use super::{Accumulator, Aggregate, AggregateExpr, IntegerValue};
use crate::expr::Expr;
use crate::{Level, Result};

/// The smallest value.
#[derive(Debug)]
pub(super) struct Min;

/// Returns the smallest value of an expression. Nulls are skipped.
#[must_use]
pub fn min(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Min, Some(input.into()))
}

impl Aggregate for Min {
    fn name(&self) -> &'static str {
        "min"
    }

    fn output_type(&self, input: Option<&DataType>) -> Result<DataType> {
        value_type(self.name(), input)
    }

    fn state_types(&self, input: Option<&DataType>) -> Result<Vec<DataType>> {
        Ok(vec![self.output_type(input)?])
    }

    fn accumulator(&self, input: Option<&DataType>, _: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(ExtremeOf::<Smaller>::new(self.name(), input)?))
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Min])
    }
}
