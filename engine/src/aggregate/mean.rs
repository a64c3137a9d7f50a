//! `mean(x)`: the exact sum divided by the number of values, rounded once.

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_schema::DataType;
use keymill_kernels::accumulate::Count;

use super::sum::{Totals, kind_of, state_type};
use super::dyadic::Dyadic;
use super::{
    Accumulator, Aggregate, AggregateExpr, Entry, FinishError, IntegerValue, not_its_state,
};
use crate::expr::Expr;
use crate::{Level, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::new("mean", "mean(x)", 1, |_| Ok(Arc::new(Mean)))];

/// The arithmetic mean of all values.
#[derive(Debug)]
pub(super) struct Mean;

/// Returns the mean of the values of an expression. Nulls are skipped.
#[must_use]
pub fn mean(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Mean, [input.into()])
}

impl Aggregate for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        kind_of(self.name(), inputs).map(|_| DataType::Float64)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        let total = state_type(kind_of(self.name(), inputs)?);
        Ok(vec![total, DataType::UInt64])
    }

    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(MeanAccumulator {
            totals: Totals::new(kind_of(self.name(), inputs)?, level),
            count: Count::default(),
        }))
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Sum, IntegerValue::Count])
    }
}

struct MeanAccumulator {
    totals: Totals,
    count: Count,
}

impl MeanAccumulator {
    fn mean(&self, group: u32) -> Option<f64> {
        let count = self.count.counts()[group as usize];
        match &self.totals {
            Totals::Float(sum) => sum.mean(group, count),
            Totals::Decimal(sum) => {
                let (total, scale) = (Dyadic::from(sum.total(group)?), sum.scale());
                let power = Dyadic::ten_to(scale.unsigned_abs().into());
                let count = Dyadic::from(i128::from(count));
                match scale < 0 {
                    true => (&total * &power).divided_by(&count),
                    false => total.divided_by(&(&count * &power)),
                }
            }
            totals => totals.integer(group).map(|total| divided(total, count)),
        }
    }
}

impl Accumulator for MeanAccumulator {
    fn resize(&mut self, groups: usize) {
        self.totals.resize(groups);
        self.count.resize(groups);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        self.totals.update(ids, columns)?;
        Accumulator::update(&mut self.count, ids, columns)
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let [total, count] = states else {
            return Err(not_its_state("mean"));
        };
        self.totals.merge(ids, std::slice::from_ref(total))?;
        Accumulator::merge(&mut self.count, ids, std::slice::from_ref(count))
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut states = self.totals.state(groups)?;
        states.extend(self.count.state(groups)?);
        Ok(states)
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let means = groups.iter().map(|&group| self.mean(group));
        Ok(Arc::new(means.collect::<PrimitiveArray<Float64Type>>()))
    }

    fn reset(&mut self, groups: &[u32]) {
        self.totals.reset(groups);
        self.count.reset(groups);
    }

    fn clear(&mut self) {
        self.totals.clear();
        self.count.clear();
    }

    fn size(&self) -> usize {
        self.totals.size() + self.count.size()
    }
}

/// Divides and rounds to the nearest double; ties to even.
pub(super) fn divided(total: i128, count: u64) -> f64 {
    let (magnitude, count) = (total.unsigned_abs(), u128::from(count));
    if magnitude == 0 || count == 0 {
        return 0.0;
    }
    // The dividend is shifted to 128 bits, so that the quotient has at least 64. A double keeps 53 of
    // these. A remainder sets the lowest bit, so that the rounding is correct.
    let shift = magnitude.leading_zeros();
    let dividend = magnitude << shift;
    let quotient = (dividend / count) | u128::from(!dividend.is_multiple_of(count));
    let scale = f64::from_bits(u64::from(1023 - shift) << 52);
    let mean = quotient as f64 * scale;
    if total < 0 { -mean } else { mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_once() {
        assert_eq!(divided(0, 3), 0.0);
        assert_eq!(divided(-1, 2), -0.5);
        assert_eq!(divided(1, 3), 1.0 / 3.0);
        assert_eq!(divided(i128::from(i64::MAX) * 3, 3), i64::MAX as f64);
        // 2^53 + 1 is halfway between two doubles; a little more rounds up, unless it is rounded twice.
        let halfway = (1i128 << 53) + 1;
        assert_eq!(divided(halfway, 1), 9_007_199_254_740_992.0);
        assert_eq!(divided(halfway * 1000 + 1, 1000), 9_007_199_254_740_994.0);
        assert_eq!(divided(i128::MIN, 1), -(2f64.powi(127)));
        assert_eq!(divided(1, u64::MAX), 1.0 / u64::MAX as f64);
    }
}
