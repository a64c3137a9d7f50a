//! The sums of numbers, of their squares and of their products: what variance, correlation and regression
//! are computed from.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, UInt64Array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use keymill_kernels::accumulate::{Factor, ProductSum};

use super::dyadic::Dyadic;
use super::numbers::{factors, integers, scale_of};
use super::{Accumulator, Aggregate, FinishError, cannot_take, not_its_state};
use crate::{Level, Result};

/// What is summed: products of two of 1, `x` and `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    X,
    Y,
    XX,
    XY,
    YY,
}

/// A function of the sums of a group; `None` is null.
type Statistic = fn(&Sums<'_>) -> Option<f64>;

/// An aggregate that is computed from exact sums.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Number of columns: 1 or 2.
    pub(super) columns: usize,
    /// Number of rows below which the answer is null.
    pub(super) least_rows: u64,
    pub(super) sums: &'static [Of],
    pub(super) statistic: Statistic,
}

/// An aggregate of a [`Kind`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) &'static Kind);

impl Moment {
    /// Returns the number of digits after the point of each column.
    fn scales(self, inputs: &[DataType]) -> Result<Vec<i8>> {
        let scales: Option<Vec<i8>> = inputs.iter().map(scale_of).collect();
        let takes = "integers, floats and decimals of up to 18 digits";
        scales
            .filter(|scales| scales.len() == self.0.columns)
            .ok_or_else(|| cannot_take(self.0.name, takes, inputs))
    }
}

impl Aggregate for Moment {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        self.scales(inputs).map(|_| DataType::Float64)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        self.scales(inputs)?;
        let mut types = vec![DataType::UInt64; 2];
        types.resize(2 + self.0.sums.len(), DataType::Binary);
        Ok(types)
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        let mut totals = Vec::new();
        totals.resize_with(self.0.sums.len(), ProductSum::default);
        Ok(Box::new(Moments {
            kind: self.0,
            scales: self.scales(inputs)?,
            counts: Vec::new(),
            not_finite: Vec::new(),
            totals,
        }))
    }
}

/// The sums of each group.
struct Moments {
    kind: &'static Kind,
    scales: Vec<i8>,
    /// Rows without a null.
    counts: Vec<u64>,
    /// Rows with a value that is infinite or NaN. They are not in the sums.
    not_finite: Vec<u64>,
    totals: Vec<ProductSum>,
}

impl Moments {
    /// Adds rows of integers: their products fit in 128 bits.
    fn update_integers(
        &mut self,
        ids: &[u32],
        columns: &[ArrayRef],
        mut numbers: Vec<ScalarBuffer<i64>>,
    ) {
        let mut ids = Cow::Borrowed(ids);
        if columns.iter().any(|column| column.null_count() > 0) {
            let is_valid = |row: &usize| columns.iter().all(|column| column.is_valid(*row));
            let rows: Vec<usize> = (0..ids.len()).filter(is_valid).collect();
            ids = rows.iter().map(|&row| ids[row]).collect();
            for numbers in &mut numbers {
                *numbers = rows.iter().map(|&row| numbers[row]).collect();
            }
        }
        for &id in &*ids {
            self.counts[id as usize] += 1;
        }
        for (of, total) in self.kind.sums.iter().zip(&mut self.totals) {
            match of {
                Of::X => total.update_integers(&ids, &numbers[0]),
                Of::Y => total.update_integers(&ids, &numbers[1]),
                Of::XX => total.update_integer_products(&ids, &numbers[0], &numbers[0]),
                Of::XY => total.update_integer_products(&ids, &numbers[0], &numbers[1]),
                Of::YY => total.update_integer_products(&ids, &numbers[1], &numbers[1]),
            }
        }
    }

    fn answer(&self, group: u32) -> Option<f64> {
        let count = self.counts[group as usize];
        if count < self.kind.least_rows {
            return None;
        }
        if self.not_finite[group as usize] > 0 {
            return Some(f64::NAN);
        }
        (self.kind.statistic)(&Sums {
            moments: self,
            group,
            count,
        })
    }
}

/// The exact sums of one group.
pub(super) struct Sums<'a> {
    moments: &'a Moments,
    group: u32,
    count: u64,
}

impl Sums<'_> {
    /// Returns the number of rows.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the exact sum.
    pub(super) fn of(&self, of: Of) -> Dyadic {
        let place = self.moments.kind.sums.iter().position(|sum| *sum == of);
        let total = place.map(|place| self.moments.totals[place].total(self.group));
        total.map_or_else(|| Dyadic::from(0), Dyadic::from)
    }

    /// Returns the count times the sum of a product, minus the product of the sums: the count squared times
    /// the covariance of the population.
    pub(super) fn deviation(&self, product: Of, one: Of, other: Of) -> Dyadic {
        let count = Dyadic::from(i128::from(self.count));
        &(&count * &self.of(product)) - &(&self.of(one) * &self.of(other))
    }

    /// Divides numbers of decimals without their point. In the quotient, `x` and `y` times the digits of the
    /// columns are after the point.
    pub(super) fn ratio(
        &self,
        dividend: &Dyadic,
        divisor: &Dyadic,
        (x, y): (i32, i32),
    ) -> Option<f64> {
        let (more, less) = self.powers(x, y);
        (dividend * &more).divided_by(&(divisor * &less))
    }

    /// Returns the root of such a quotient.
    pub(super) fn root(
        &self,
        dividend: &Dyadic,
        divisor: &Dyadic,
        (x, y): (i32, i32),
    ) -> Option<f64> {
        let (more, less) = self.powers(x, y);
        (dividend * &more).root_of_quotient(&(divisor * &less))
    }

    fn powers(&self, x: i32, y: i32) -> (Dyadic, Dyadic) {
        let scale = |column: usize| {
            self.moments
                .scales
                .get(column)
                .map_or(0, |it| i32::from(*it))
        };
        let digits = x * scale(0) + y * scale(1);
        let (power, one) = (Dyadic::ten_to(digits.unsigned_abs()), Dyadic::from(1));
        if digits < 0 {
            (power, one)
        } else {
            (one, power)
        }
    }
}

impl Accumulator for Moments {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.not_finite.resize(groups, 0);
        self.totals
            .iter_mut()
            .for_each(|total| total.resize(groups));
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let integers: Option<Vec<_>> = columns.iter().map(integers).collect::<Result<_>>()?;
        if let Some(integers) = integers {
            self.update_integers(ids, columns, integers);
            return Ok(());
        }
        let numbers: Vec<Vec<Option<Factor>>> =
            columns.iter().map(factors).collect::<Result<_>>()?;
        let is_null = |row: usize| columns.iter().any(|column| column.is_null(row));
        let (mut kept, mut kept_ids) = (vec![Vec::new(); columns.len()], Vec::new());
        for (row, &id) in ids.iter().enumerate().filter(|(row, _)| !is_null(*row)) {
            self.counts[id as usize] += 1;
            if numbers.iter().any(|numbers| numbers[row].is_none()) {
                self.not_finite[id as usize] += 1;
                continue;
            }
            kept_ids.push(id);
            for (kept, numbers) in kept.iter_mut().zip(&numbers) {
                kept.push(numbers[row].unwrap_or(Factor::ZERO));
            }
        }
        let ones = vec![Factor::ONE; kept_ids.len()];
        for (of, total) in self.kind.sums.iter().zip(&mut self.totals) {
            let (one, other) = match of {
                Of::X => (&kept[0], &ones),
                Of::Y => (&kept[1], &ones),
                Of::XX => (&kept[0], &kept[0]),
                Of::XY => (&kept[0], &kept[1]),
                Of::YY => (&kept[1], &kept[1]),
            };
            total.update(&kept_ids, one, other);
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let not_its = || not_its_state(self.kind.name);
        if states.len() != 2 + self.totals.len() {
            return Err(not_its());
        }
        let counts = |column: usize| {
            let counts = states[column].as_primitive_opt::<UInt64Type>();
            counts.filter(|it| it.null_count() == 0).ok_or_else(not_its)
        };
        let (counts, not_finite) = (counts(0)?, counts(1)?);
        let totals: Option<Vec<_>> = states[2..]
            .iter()
            .map(|it| it.as_binary_opt::<i32>())
            .collect();
        let totals = totals.ok_or_else(not_its)?;
        for (row, &id) in ids.iter().enumerate() {
            let (count, special) = (counts.value(row), not_finite.value(row));
            let mine = &mut self.counts[id as usize];
            *mine = mine.saturating_add(count);
            let mine = &mut self.not_finite[id as usize];
            *mine = mine.saturating_add(special);
            for (mine, theirs) in self.totals.iter_mut().zip(&totals) {
                let merged = mine.merge_state(id, theirs.value(row));
                merged.map_err(|cause| not_its_state(self.kind.name).with_source(cause))?;
            }
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts = |all: &[u64]| -> ArrayRef {
            let counts = groups.iter().map(|&group| all[group as usize]);
            Arc::new(UInt64Array::from_iter_values(counts))
        };
        let mut columns = vec![counts(&self.counts), counts(&self.not_finite)];
        let mut bytes = Vec::new();
        for total in &self.totals {
            let mut states = BinaryBuilder::with_capacity(groups.len(), 16 * groups.len());
            for &group in groups {
                bytes.clear();
                total.write_state(group, &mut bytes);
                states.append_value(&bytes);
            }
            columns.push(Arc::new(states.finish()));
        }
        Ok(columns)
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let answers = groups.iter().map(|&group| self.answer(group));
        Ok(Arc::new(answers.collect::<PrimitiveArray<Float64Type>>()))
    }

    fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            self.counts[group as usize] = 0;
            self.not_finite[group as usize] = 0;
        }
        self.totals.iter_mut().for_each(|total| total.reset(groups));
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.not_finite.clear();
        self.totals.iter_mut().for_each(ProductSum::clear);
    }

    fn size(&self) -> usize {
        let counts = self.counts.capacity() + self.not_finite.capacity();
        let totals = self.totals.iter().map(ProductSum::bytes);
        counts * size_of::<u64>() + totals.sum::<usize>()
    }
}
