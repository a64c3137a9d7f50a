//! Constants.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, IntervalMonthDayNanoType, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use sqlparser::ast::{self, Value};

use super::{data_type, unreadable};
use crate::Result;
use crate::expr::literal::{Constant, Literal};
use crate::expr::node::Node;
use crate::expr::{Expr, lit};

fn constant(constant: Constant) -> Expr {
    Expr(Node::Literal(Literal(constant)))
}

pub(super) fn value(value: &Value) -> Result<Expr> {
    match value {
        Value::Number(digits, _) => number(digits),
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
            Ok(lit(text.as_str()))
        }
        Value::Boolean(value) => Ok(lit(*value)),
        Value::Null => Ok(constant(Constant::Null)),
        other => Err(unreadable(
            &other.to_string(),
            "this is not a constant; write numbers as 1.5 and texts in 'single quotes'",
        )),
    }
}

/// An integer without a point or exponent, otherwise a float.
fn number(digits: &str) -> Result<Expr> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let value: Option<i128> = digits.parse().ok();
        let fits = value.filter(|value| *value < 10i128.pow(38));
        let why = "an integer has at most 38 digits";
        return fits
            .map(|value| constant(Constant::Integer(value)))
            .ok_or_else(|| unreadable(digits, why));
    }
    let value: f64 = digits
        .parse()
        .map_err(|_| unreadable(digits, "this is not a number"))?;
    match value.is_finite() {
        true => Ok(lit(value)),
        false => Err(unreadable(digits, "this number is too large")),
    }
}

/// `DATE '2026-01-31'`, `TIMESTAMP '2026-01-31 12:00:00'`.
pub(super) fn typed(typed: &ast::TypedString) -> Result<Expr> {
    let to = data_type::read(&typed.data_type)?;
    let text = typed.value.value.clone().into_string().unwrap_or_default();
    match to {
        DataType::Date32 => {
            let days = cast_text(&text, &to)?;
            let days = days.as_primitive::<Date32Type>().value(0);
            Ok(constant(Constant::Date(days)))
        }
        DataType::Timestamp(_, None) => {
            let at = cast_text(&text, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let at = at.as_primitive::<TimestampMicrosecondType>().value(0);
            Ok(constant(Constant::Timestamp(at)))
        }
        other => Ok(lit(text).cast(other)),
    }
}

/// `INTERVAL '1 day'`, `INTERVAL '1' DAY`, `INTERVAL 1 DAY`.
pub(super) fn interval(interval: &ast::Interval) -> Result<Expr> {
    let why = "write an interval as INTERVAL '2 days' or INTERVAL 2 DAY";
    let refused = || unreadable(&interval.to_string(), why);
    let mut text = match &*interval.value {
        ast::Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.clone(),
            Value::SingleQuotedString(text) => text.clone(),
            _ => return Err(refused()),
        },
        _ => return Err(refused()),
    };
    if let Some(unit) = &interval.leading_field {
        text = format!("{text} {}", unit.to_string().to_lowercase());
    }
    if interval.last_field.is_some() {
        return Err(refused());
    }
    let parsed = cast_text(&text, &DataType::Interval(IntervalUnit::MonthDayNano));
    let parsed = parsed.map_err(|_| refused())?;
    let parsed = parsed.as_primitive::<IntervalMonthDayNanoType>().value(0);
    Ok(constant(Constant::Interval {
        months: parsed.months,
        days: parsed.days,
        nanoseconds: parsed.nanoseconds,
    }))
}

fn cast_text(text: &str, to: &DataType) -> Result<ArrayRef> {
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let cast = cast_with_options(&array, to, &options);
    cast.ok()
        .filter(|array| array.is_valid(0))
        .ok_or_else(|| unreadable(text, &format!("this is not a {to}")))
}
