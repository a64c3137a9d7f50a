//! `product(x)` of integers, exact.
//!
//! The answer is an `Int64` or `UInt64`; a product that does not fit is an error. A zero makes the product
//! zero, however large the other factors are. The product of a group without values is null. Floats and
//! decimals are refused: their product depends on the order in which it is rounded.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, Decimal128Array, PrimitiveArray};
use arrow_schema::DataType;

use super::input::{NumberKind, signed, unsigned};
use super::{
    Accumulator, Aggregate, AggregateExpr, Entry, FinishError, cannot_take, not_its_state,
};
use crate::expr::Expr;
use crate::{Level, Result};

/// A magnitude that fits no result type. Larger products are stored as this one: further factors only make
/// them larger, or zero.
const TOO_LARGE: i128 = 1 << 64;
/// The product of a group without values.
const NONE: i128 = i128::MIN;
const STATE: DataType = DataType::Decimal128(38, 0);

pub(super) const ENTRIES: &[Entry] =
    &[Entry::new("product", "product(x)", 1, |_| Ok(Arc::new(Product)))];

/// The product of all values.
#[derive(Debug)]
pub(super) struct Product;

/// Multiplies the values of an expression. Nulls are skipped.
#[must_use]
pub fn product(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(Product, [input.into()])
}

impl Aggregate for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        match inputs.first().and_then(NumberKind::of) {
            Some(NumberKind::Signed) => Ok(DataType::Int64),
            Some(NumberKind::Unsigned) => Ok(DataType::UInt64),
            _ => Err(cannot_take(self.name(), "integers", inputs)),
        }
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        self.output_type(inputs).map(|_| vec![STATE])
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Products {
            is_signed: self.output_type(inputs)? == DataType::Int64,
            products: Vec::new(),
        }))
    }
}

struct Products {
    is_signed: bool,
    products: Vec<i128>,
}

impl Products {
    fn multiply(&mut self, id: u32, factor: i128) {
        let product = &mut self.products[id as usize];
        *product = match *product {
            NONE => factor,
            product => limited(product, factor),
        };
    }

    fn value(&self, group: u32) -> Option<i128> {
        let product = self.products[group as usize];
        (product != NONE).then_some(product)
    }

    fn answers<T: ArrowPrimitiveType>(&self, groups: &[u32]) -> Result<ArrayRef, FinishError>
    where
        T::Native: TryFrom<i128>,
    {
        let mut answers = PrimitiveArray::<T>::builder(groups.len());
        for &group in groups {
            let value = self.value(group);
            let fitting = value.map(T::Native::try_from).transpose();
            answers.append_option(fitting.map_err(|_| FinishError::Overflow {
                group,
                total: overflow_text(value.unwrap_or(0)),
            })?);
        }
        Ok(Arc::new(answers.finish()))
    }
}

/// Returns the product, with a magnitude of at most [`TOO_LARGE`].
fn limited(one: i128, other: i128) -> i128 {
    let sign = one.signum() * other.signum();
    let magnitude = one.unsigned_abs().saturating_mul(other.unsigned_abs());
    sign * magnitude.min(TOO_LARGE as u128) as i128
}

fn overflow_text(product: i128) -> String {
    match product {
        TOO_LARGE => "2^64 or more".to_owned(),
        product if product == -TOO_LARGE => "-2^64 or less".to_owned(),
        product => product.to_string(),
    }
}

impl Accumulator for Products {
    fn resize(&mut self, groups: usize) {
        self.products.resize(groups, NONE);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let values = &columns[0];
        let factors: Vec<i128> = match self.is_signed {
            true => signed(values)?.iter().map(|&value| value.into()).collect(),
            false => unsigned(values)?.iter().map(|&value| value.into()).collect(),
        };
        for (row, (&id, &factor)) in ids.iter().zip(&factors).enumerate() {
            if values.is_valid(row) {
                self.multiply(id, factor);
            }
        }
        Ok(())
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let products = states
            .first()
            .and_then(|state| state.as_primitive_opt::<Decimal128Type>())
            .ok_or_else(|| not_its_state("product"))?;
        for (&id, product) in ids.iter().zip(products) {
            match product {
                Some(product) if product.unsigned_abs() > TOO_LARGE as u128 => {
                    return Err(not_its_state("product"));
                }
                Some(product) => self.multiply(id, product),
                None => {}
            }
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let products = groups.iter().map(|&group| self.value(group));
        let products = products.collect::<Decimal128Array>().with_data_type(STATE);
        Ok(vec![Arc::new(products)])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        match self.is_signed {
            true => self.answers::<Int64Type>(groups),
            false => self.answers::<UInt64Type>(groups),
        }
    }

    fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            self.products[group as usize] = NONE;
        }
    }

    fn clear(&mut self) {
        self.products.clear();
    }

    fn size(&self) -> usize {
        self.products.capacity() * size_of::<i128>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_wins_and_only_the_whole_product_is_judged() {
        let of = |factors: &[i128]| factors.iter().fold(1, |all, &one| limited(all, one));
        assert_eq!(of(&[-3, 5, -7]), 105);
        assert_eq!(of(&[1 << 40, 1 << 40, 0]), 0);
        assert_eq!(of(&[1 << 40, -(1 << 40), 1]), -TOO_LARGE);
        assert_eq!(of(&[-TOO_LARGE, TOO_LARGE, -1]), TOO_LARGE);
        assert_eq!(of(&[i64::MIN.into(), 1]), i64::MIN.into());
    }
}
