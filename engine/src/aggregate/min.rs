//! `min(x)`: the smallest value that is not null; and `any(x)`, which is the same one.
//!
//! Strings and binaries are ordered by their bytes, and `false` is before `true`. Floats are ordered −∞ … −0.0, +0.0 … +∞. The answer is NaN only if all values are NaN.

use std::sync::Arc;

use arrow_schema::DataType;
use keymill_kernels::accumulate::Smaller;

use super::extreme::{ExtremeOf, value_type};
use super::{Accumulator, Aggregate, AggregateExpr, Entry, IntegerValue};
use crate::expr::Expr;
use crate::{Level, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new("min", "min(x)", 1, |_| Ok(Arc::new(Min { name: "min" }))),
    Entry::new("any", "any(x)", 1, |_| Ok(Arc::new(Min { name: "any" }))),
];

/// The smallest value.
#[derive(Debug)]
pub(super) struct Min {
    name: &'static str,
}

/// Returns the smallest value of an expression. Nulls are skipped.
#[must_use]
pub fn min(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Min { name: "min" }, [input.into()])
}

/// Returns one of the values of an expression: the smallest, so that it is the same in every run. Nulls are
/// skipped.
#[must_use]
pub fn any(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Min { name: "any" }, [input.into()])
}

impl Aggregate for Min {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        value_type(self.name(), inputs)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.output_type(inputs)?])
    }

    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(ExtremeOf::<Smaller>::new(
            self.name(),
            inputs,
            level,
        )?))
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Min])
    }
}
