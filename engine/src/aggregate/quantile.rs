//! `quantile(x, p)` and `median(x)`: exact.
//!
//! ```text
//! values in order   1  2  4  8        p = 0.9: place 0.9 × 3 = 2.7, between 4 and 8: 4 + 0.7 × 4 = 6.8
//! place             0  1  2  3
//! ```
//!
//! The place of `p` among `n` values in order is `p × (n − 1)`. Between two values the answer is on the line
//! between them, rounded once to a `Float64`; of dates and timestamps it has their type and is rounded
//! down. NaN comes after all other floats. All values of a group are kept until the answer is computed.

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::DataType;

use super::dyadic::Dyadic;
use super::lists::{
    Float, ForItem, Item, Lists, check_items, for_items, list_column, list_type, lists_in,
};
use super::mean::divided;
use super::{Accumulator, Aggregate, AggregateExpr, Entry, FinishError};
use crate::expr::Expr;
use crate::{Error, ErrorKind, Level, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new("median", "median(x)", 1, |_| Ok(Arc::new(MEDIAN))),
    Entry::new("quantile", "quantile(x, 0.9)", 1, |parameters| {
        let fraction = parameters[0].parse().map_err(|_| no_fraction(&parameters[0]))?;
        let quantile = Quantile::of(fraction);
        quantile.check()?;
        Ok(Arc::new(quantile))
    })
    .with_parameters(1),
];

/// The units of a fraction: a fraction has nine digits.
const UNITS: u64 = 1_000_000_000;

/// The value at a place among all values.
#[derive(Clone, Copy, Debug)]
struct Quantile {
    name: &'static str,
    fraction: f64,
}

const MEDIAN: Quantile = Quantile {
    name: "median",
    fraction: 0.5,
};

/// Returns the value in the middle of all values in order; between two, their mean. Nulls are skipped.
#[must_use]
pub fn median(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(MEDIAN, [input.into()])
}

/// Returns the value at a fraction of all values in order, from 0 for the smallest to 1 for the largest. It
/// is rounded to nine digits. Nulls are skipped. Any other fraction is an error when the job is made.
#[must_use]
pub fn quantile(input: impl Into<Expr>, fraction: f64) -> AggregateExpr {
    AggregateExpr::new(Quantile::of(fraction), [input.into()])
}

fn no_fraction(found: &str) -> Error {
    let message = format!("`{found}` is not a fraction; write a number from 0 to 1: `quantile(x, 0.9)`");
    Error::new(ErrorKind::Config, message)
}

impl Quantile {
    fn of(fraction: f64) -> Self {
        Self {
            name: "quantile",
            fraction,
        }
    }

    fn check(self) -> Result<()> {
        match (0.0..=1.0).contains(&self.fraction) {
            true => Ok(()),
            false => Err(no_fraction(&self.fraction.to_string())),
        }
    }

    fn units(self) -> u64 {
        (self.fraction * UNITS as f64).round() as u64
    }
}

/// Returns whether answers have the type of the values.
fn keeps_type(of: &DataType) -> bool {
    of.is_temporal()
}

impl Aggregate for Quantile {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self) -> Vec<String> {
        match self.name {
            "median" => Vec::new(),
            _ => vec![(self.units() as f64 / UNITS as f64).to_string()],
        }
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        self.check()?;
        check_items(self.name, inputs)?;
        Ok(match keeps_type(&inputs[0]) {
            true => inputs[0].clone(),
            false => DataType::Float64,
        })
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        check_items(self.name, inputs)?;
        Ok(vec![list_type(&inputs[0])])
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        self.output_type(inputs)?;
        let maker = Maker {
            of: inputs[0].clone(),
            units: self.units(),
        };
        Ok(for_items::<true>(&inputs[0], maker))
    }
}

struct Maker {
    of: DataType,
    units: u64,
}

impl ForItem<true> for Maker {
    fn make<T: Item + Answer>(self) -> Box<dyn Accumulator> {
        Box::new(QuantileOf::<T> {
            of: self.of,
            units: self.units,
            lists: Lists::default(),
        })
    }
}

/// A value of which there are quantiles.
pub(super) trait Answer: Sized {
    /// Returns the point between two values, in `weight` billionths of the way; `scale` is the number of digits
    /// after the point.
    fn between(lower: Self, upper: Self, weight: u64, scale: i8) -> f64;

    /// Returns the same rounded down, for values that are stored as integers of 64 bits.
    fn below(lower: Self, upper: Self, weight: u64) -> Option<i64>;
}

/// Returns a point between two integers in units of a billionth.
fn mixed(lower: i128, upper: i128, weight: u64) -> i128 {
    lower * i128::from(UNITS - weight) + upper * i128::from(weight)
}

impl Answer for i64 {
    fn between(lower: Self, upper: Self, weight: u64, scale: i8) -> f64 {
        match scale {
            0 => divided(mixed(lower.into(), upper.into(), weight), UNITS),
            scale => i128::between(lower.into(), upper.into(), weight, scale),
        }
    }

    fn below(lower: Self, upper: Self, weight: u64) -> Option<i64> {
        let mixed = mixed(lower.into(), upper.into(), weight);
        mixed.div_euclid(UNITS.into()).try_into().ok()
    }
}

impl Answer for u64 {
    fn between(lower: Self, upper: Self, weight: u64, _: i8) -> f64 {
        divided(mixed(lower.into(), upper.into(), weight), UNITS)
    }

    fn below(_: Self, _: Self, _: u64) -> Option<i64> {
        None
    }
}

impl Answer for i128 {
    fn between(lower: Self, upper: Self, weight: u64, scale: i8) -> f64 {
        let units = Dyadic::from(Self::from(UNITS));
        let mixed = mixed_exactly(&Dyadic::from(lower), &Dyadic::from(upper), weight);
        let power = Dyadic::ten_to(scale.unsigned_abs().into());
        let point = match scale < 0 {
            true => (&mixed * &power).divided_by(&units),
            false => mixed.divided_by(&(&units * &power)),
        };
        point.unwrap_or(f64::NAN)
    }

    fn below(_: Self, _: Self, _: u64) -> Option<i64> {
        None
    }
}

impl<const NAN_IS_LAST: bool> Answer for Float<NAN_IS_LAST> {
    fn between(lower: Self, upper: Self, weight: u64, _: i8) -> f64 {
        let (lower, upper) = (lower.value(), upper.value());
        if weight == 0 || lower.to_bits() == upper.to_bits() {
            return lower;
        }
        match (Dyadic::of_float(lower), Dyadic::of_float(upper)) {
            (Some(lower), Some(upper)) => {
                let units = Dyadic::from(i128::from(UNITS));
                let point = mixed_exactly(&lower, &upper, weight).divided_by(&units);
                point.unwrap_or(f64::NAN)
            }
            // As IEEE has it: infinite, or NaN between two infinities.
            _ => lower + upper,
        }
    }

    fn below(_: Self, _: Self, _: u64) -> Option<i64> {
        None
    }
}

fn mixed_exactly(lower: &Dyadic, upper: &Dyadic, weight: u64) -> Dyadic {
    let of_lower = lower * &Dyadic::from(i128::from(UNITS - weight));
    &of_lower - &(upper * &Dyadic::from(-i128::from(weight)))
}

struct QuantileOf<T> {
    of: DataType,
    units: u64,
    lists: Lists<T>,
}

impl<T: Item + Answer> QuantileOf<T> {
    /// Returns the two values around the place of a group, and how far it is from the first one.
    fn around(&self, group: u32) -> Option<(T, T, u64)> {
        let mut values = self.lists.of(group).to_vec();
        let last = values.len().checked_sub(1)?;
        let place = u128::from(self.units) * last as u128;
        let (index, weight) = (place / u128::from(UNITS), place % u128::from(UNITS));
        let (_, lower, above) = values.select_nth_unstable(index as usize);
        let lower = *lower;
        let upper = above.iter().min().copied().unwrap_or(lower);
        Some((lower, upper, weight as u64))
    }

    fn scale(&self) -> i8 {
        match self.of {
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale) => scale,
            _ => 0,
        }
    }

    fn push(&mut self, ids: impl Iterator<Item = u32>, column: &ArrayRef) -> Result<()> {
        for (row, (id, value)) in ids.zip(T::read(column)?).enumerate() {
            if column.is_valid(row) {
                self.lists.push(id, value);
            }
        }
        Ok(())
    }
}

impl<T: Item + Answer> Accumulator for QuantileOf<T> {
    fn resize(&mut self, groups: usize) {
        self.lists.resize(groups);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        self.push(ids.iter().copied(), &columns[0])
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let [state] = states else {
            return Err(super::not_its_state("quantile"));
        };
        let lists = lists_in(state, &self.of, "quantile")?;
        for (&id, values) in ids.iter().zip(lists.iter().flatten()) {
            self.push(std::iter::repeat_n(id, values.len()), &values)?;
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let all = groups.iter().map(|&group| {
            let mut values = self.lists.of(group).to_vec();
            values.sort_unstable();
            values
        });
        let all: Vec<Vec<T>> = all.collect();
        let values = T::column(&self.of, all.iter().flatten().copied())?;
        Ok(vec![list_column(values, all.iter().map(Vec::len))?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let around = groups.iter().map(|&group| self.around(group));
        if keeps_type(&self.of) {
            let values = around.map(|it| it.and_then(|(low, high, by)| T::below(low, high, by)));
            let of = crate::keys::stored_type(&self.of);
            let column = super::input::signed_column(&of, values)?;
            return Ok(crate::keys::as_type(&column, &self.of)?);
        }
        let scale = self.scale();
        let values = around.map(|it| it.map(|(low, high, by)| T::between(low, high, by, scale)));
        Ok(Arc::new(values.collect::<PrimitiveArray<Float64Type>>()))
    }

    fn reset(&mut self, groups: &[u32]) {
        self.lists.reset(groups);
    }

    fn clear(&mut self) {
        self.lists.clear();
    }

    fn size(&self) -> usize {
        self.lists.size()
    }
}
