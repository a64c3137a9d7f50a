//! Arithmetic and rounding.

use std::sync::Arc;

use arrow_arith::numeric::{add, div, mul, rem, sub};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{ArrowError, DataType};

use super::Values;
use crate::expr::node::{Arithmetic, Function};
use crate::sort::canonical_floats;

pub(in crate::expr) fn arithmetic(
    of: Arithmetic,
    left: &Values,
    right: &Values,
) -> Result<ArrayRef, ArrowError> {
    let result = match of {
        Arithmetic::Add => add(left, right),
        Arithmetic::Subtract => sub(left, right),
        Arithmetic::Multiply => mul(left, right),
        Arithmetic::Divide => div(left, right),
        Arithmetic::Remainder => rem(left, right),
    }?;
    if let DataType::Decimal128(digits, _) = result.data_type() {
        let decimals = result.as_primitive::<Decimal128Type>();
        let check = decimals.validate_decimal_precision(*digits);
        check.map_err(|error| ArrowError::ArithmeticOverflow(error.to_string()))?;
    }
    Ok(one_nan(&result))
}

/// Floats with one zero and one NaN, see [`canonical_floats`].
pub(super) fn canonical(values: &Values) -> Values {
    match values.array().data_type() {
        DataType::Float32 | DataType::Float64 => values.with(canonical_floats(values.array())),
        _ => values.clone(),
    }
}

/// The same NaN on every processor.
fn one_nan(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|value| if value.is_nan() { f32::NAN } else { value }),
        ),
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|value| if value.is_nan() { f64::NAN } else { value }),
        ),
        _ => array.clone(),
    }
}

/// `abs`, `floor`, `ceil`, `round`.
pub(super) fn rounding(function: Function, arguments: &[Values]) -> Result<ArrayRef, ArrowError> {
    let array = arguments[0].array();
    let floats = |round: &dyn Fn(f64) -> f64| -> ArrayRef {
        let floats = array.as_primitive::<Float64Type>();
        Arc::new(floats.unary::<_, Float64Type>(round))
    };
    Ok(match (function, array.data_type()) {
        (Function::Abs, DataType::Int64) => {
            let integers = array.as_primitive::<Int64Type>();
            let magnitude = |value: i64| {
                let what = || ArrowError::ArithmeticOverflow(format!("abs({value})"));
                value.checked_abs().ok_or_else(what)
            };
            let values: PrimitiveArray<Int64Type> = integers.try_unary(magnitude)?;
            Arc::new(values)
        }
        (Function::Abs, DataType::Decimal128(digits, scale)) => {
            let decimals = array.as_primitive::<Decimal128Type>();
            let values = decimals.unary::<_, Decimal128Type>(i128::abs);
            Arc::new(values.with_precision_and_scale(*digits, *scale)?)
        }
        (Function::Abs, _) => floats(&f64::abs),
        (Function::Floor, _) => floats(&f64::floor),
        (Function::Ceil, _) => floats(&f64::ceil),
        _ => match arguments.get(1).map(Values::array) {
            None => floats(&f64::round),
            Some(digits) if digits.is_null(0) => {
                arrow_array::new_null_array(&DataType::Float64, array.len())
            }
            Some(digits) => {
                let digits = digits.as_primitive::<Int64Type>().value(0).clamp(-400, 400) as i32;
                floats(&|value| round_to(value, digits))
            }
        },
    })
}

/// Rounds to digits after the point, halves away from zero.
pub(in crate::expr) fn round_to(value: f64, digits: i32) -> f64 {
    let power = 10f64.powi(digits);
    let rounded = (value * power).round() / power;
    match rounded.is_finite() {
        true => rounded,
        false if digits < 0 => 0.0,
        false => value,
    }
}
