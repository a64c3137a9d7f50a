//! Exact sums of decimals.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Decimal256Array};
use arrow_buffer::i256;
use arrow_schema::DataType;

use super::{FinishError, not_its_state};
use crate::keys::{as_type, stored};
use crate::{Error, ErrorKind, Result};

/// The digits of the largest total that is an answer.
const MOST_DIGITS: u8 = 38;

/// Returns the digits after the point of a decimal that can be summed.
pub(super) fn scale_of(of: &DataType) -> Option<i8> {
    match of {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => Some(*scale),
        _ => None,
    }
}

/// Returns the type of the total of decimals.
pub(super) fn total_type(scale: i8) -> DataType {
    DataType::Decimal128(MOST_DIGITS, scale)
}

/// Returns the type of the state of a total: a total of many rows may have more digits than its answer.
pub(super) fn state_type(scale: i8) -> DataType {
    DataType::Decimal256(76, scale)
}

/// The totals of decimals, by group.
pub(super) struct DecimalTotals {
    scale: i8,
    totals: Totals,
    seen: Vec<bool>,
}

enum Totals {
    Narrow(Vec<i128>),
    /// From the first total on that does not fit in 128 bits.
    Wide(Vec<i256>),
}

impl DecimalTotals {
    pub(super) fn new(scale: i8) -> Self {
        Self {
            scale,
            totals: Totals::Narrow(Vec::new()),
            seen: Vec::new(),
        }
    }

    pub(super) fn scale(&self) -> i8 {
        self.scale
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.seen.resize(groups, false);
        match &mut self.totals {
            Totals::Narrow(totals) => totals.resize(groups, 0),
            Totals::Wide(totals) => totals.resize(groups, i256::ZERO),
        }
    }

    pub(super) fn update(&mut self, ids: &[u32], column: &ArrayRef) -> Result<()> {
        let values = digits(column)?;
        let values = values.as_primitive::<Decimal128Type>();
        for (row, (&id, &value)) in ids.iter().zip(values.values()).enumerate() {
            if values.is_valid(row) {
                self.add(id, value);
            }
        }
        Ok(())
    }

    fn add(&mut self, id: u32, value: i128) {
        self.seen[id as usize] = true;
        if let Totals::Narrow(totals) = &mut self.totals {
            let total = &mut totals[id as usize];
            if let Some(sum) = total.checked_add(value) {
                *total = sum;
                return;
            }
        }
        // So many rows that this overflows do not exist.
        let total = &mut self.widened()[id as usize];
        *total = total.wrapping_add(i256::from_i128(value));
    }

    fn widened(&mut self) -> &mut Vec<i256> {
        if let Totals::Narrow(totals) = &self.totals {
            let wide = totals.iter().map(|&total| i256::from_i128(total));
            self.totals = Totals::Wide(wide.collect());
        }
        match &mut self.totals {
            Totals::Wide(totals) => totals,
            Totals::Narrow(_) => unreachable!("the totals were widened above"),
        }
    }

    pub(super) fn merge(&mut self, ids: &[u32], state: &ArrayRef) -> Result<()> {
        let totals = state.as_primitive_opt::<Decimal256Type>();
        let totals = totals.ok_or_else(|| not_its_state("sum"))?;
        for (&id, total) in ids.iter().zip(totals) {
            match (total, total.and_then(i256::to_i128)) {
                (None, _) => {}
                (Some(_), Some(small)) => self.add(id, small),
                (Some(total), None) => {
                    self.seen[id as usize] = true;
                    let mine = &mut self.widened()[id as usize];
                    *mine = mine.checked_add(total).ok_or_else(|| {
                        Error::new(ErrorKind::Capacity, "a sum of decimals is too large")
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Returns the total of a group as digits without the point; `None` if it has no values.
    pub(super) fn total(&self, group: u32) -> Option<i256> {
        let total = match &self.totals {
            Totals::Narrow(totals) => i256::from_i128(totals[group as usize]),
            Totals::Wide(totals) => totals[group as usize],
        };
        self.seen[group as usize].then_some(total)
    }

    pub(super) fn state(&self, groups: &[u32]) -> ArrayRef {
        let totals = groups.iter().map(|&group| self.total(group));
        let totals = totals.collect::<Decimal256Array>();
        Arc::new(totals.with_data_type(state_type(self.scale)))
    }

    pub(super) fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let mut answers = Vec::with_capacity(groups.len());
        let largest = i256::from_i128(10i128.pow(MOST_DIGITS.into()));
        for &group in groups {
            let total = self.total(group);
            let fits = |total: &i256| *total < largest && *total > -largest;
            if let Some(total) = total.filter(|total| !fits(total)) {
                let shown = Decimal256Array::from(vec![total]);
                let shown = shown.with_data_type(state_type(self.scale));
                let total = shown.value_as_string(0);
                return Err(FinishError::Overflow { group, total });
            }
            answers.push(total.and_then(i256::to_i128));
        }
        let answers = Decimal128Array::from(answers);
        Ok(Arc::new(answers.with_data_type(total_type(self.scale))))
    }

    pub(super) fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            self.seen[group as usize] = false;
            match &mut self.totals {
                Totals::Narrow(totals) => totals[group as usize] = 0,
                Totals::Wide(totals) => totals[group as usize] = i256::ZERO,
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.totals = Totals::Narrow(Vec::new());
        self.seen.clear();
    }

    pub(super) fn size(&self) -> usize {
        let totals = match &self.totals {
            Totals::Narrow(totals) => totals.capacity() * size_of::<i128>(),
            Totals::Wide(totals) => totals.capacity() * size_of::<i256>(),
        };
        totals + self.seen.capacity()
    }
}

/// Returns decimals as `Decimal128` without a point.
pub(super) fn digits(column: &ArrayRef) -> Result<ArrayRef> {
    if let DataType::Decimal128(..) = column.data_type() {
        return Ok(Arc::clone(column));
    }
    let integers = stored(column)?;
    let values = super::input::signed(&integers)?;
    let values = values.iter().map(|&value| i128::from(value));
    let values = Decimal128Array::new(values.collect::<Vec<_>>().into(), column.nulls().cloned());
    as_type(
        &(Arc::new(values) as ArrayRef),
        &DataType::Decimal128(MOST_DIGITS, 0),
    )
}
