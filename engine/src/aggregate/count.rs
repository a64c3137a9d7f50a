//! `count(*)` of rows, and `count(x)` of the values that are not null.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_schema::DataType;
use keymill_kernels::accumulate;
use keymill_kernels::accumulate::Validity;

use super::{Accumulator, Aggregate, AggregateExpr, Entry, FinishError, IntegerValue, not_its_state};
use crate::expr::Expr;
use crate::{Level, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry {
    inputs: (0, 1),
    ..Entry::new("count", "count(x)", 1, |_| Ok(Arc::new(Count)))
}];

/// The number of rows, or of values that are not null.
#[derive(Debug)]
pub(super) struct Count;

/// Counts the values of an expression that are not null.
#[must_use]
pub fn count(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Count, [input.into()])
}

/// Counts rows: `count(*)`.
#[must_use]
pub fn count_rows() -> AggregateExpr {
    AggregateExpr::new(Count, [])
}

impl Aggregate for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn state_types(&self, _: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::UInt64])
    }

    fn accumulator(&self, _: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(accumulate::Count::default()))
    }

    fn integer_form(&self) -> Option<&'static [IntegerValue]> {
        Some(&[IntegerValue::Count])
    }
}

impl Accumulator for accumulate::Count {
    fn resize(&mut self, groups: usize) {
        self.resize(groups);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        match columns.first().and_then(Array::logical_nulls) {
            Some(nulls) => {
                let bits = nulls.inner();
                let valid = Validity::new(bits.values(), bits.offset(), bits.len());
                self.update_valid(ids, valid);
            }
            None => self.update(ids),
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let counts = states
            .first()
            .and_then(|state| state.as_primitive_opt::<UInt64Type>())
            .filter(|counts| counts.null_count() == 0)
            .ok_or_else(|| not_its_state("count"))?;
        self.merge(ids, counts.values());
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![counts_of(self, groups)])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        Ok(counts_of(self, groups))
    }

    fn reset(&mut self, groups: &[u32]) {
        self.reset(groups);
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

fn counts_of(count: &accumulate::Count, groups: &[u32]) -> ArrayRef {
    let counts = count.counts();
    let counts = groups.iter().map(|&group| counts[group as usize]);
    Arc::new(UInt64Array::from_iter_values(counts))
}
