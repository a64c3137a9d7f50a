//! The type in which two values are compared, chosen or computed.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType::{
    self, Binary, BinaryView, Date32, Date64, Decimal128, Decimal256, Float32, Float64, Int8,
    Int16, Int32, Int64, LargeBinary, LargeUtf8, Null, Timestamp, UInt8, UInt16, UInt32, UInt64,
    Utf8, Utf8View,
};

/// The most digits of a `Decimal128` and of a `Decimal256`.
const MOST_DIGITS: [u8; 2] = [38, 76];

pub(super) fn is_text(of: &DataType) -> bool {
    matches!(of, Utf8 | LargeUtf8 | Utf8View)
}

pub(super) fn is_bytes(of: &DataType) -> bool {
    matches!(of, Binary | LargeBinary | BinaryView)
}

pub(super) fn is_decimal(of: &DataType) -> bool {
    matches!(of, Decimal128(..) | Decimal256(..))
}

/// Casts an array; a value that does not fit is an error.
pub(super) fn cast_strictly(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options).map_err(|error| error.to_string())
}

/// The type that holds all values of both types, if there is one.
pub(super) fn common(one: &DataType, other: &DataType) -> Option<DataType> {
    if one == other {
        return Some(one.clone());
    }
    let either = |test: fn(&DataType) -> bool| test(one) || test(other);
    Some(match (one, other) {
        (Null, of) | (of, Null) => of.clone(),
        _ if is_text(one) && is_text(other) => match either(|of| *of == LargeUtf8) {
            true => LargeUtf8,
            false => Utf8View,
        },
        _ if either(is_bytes) && either(|of| is_text(of) || is_bytes(of)) => {
            match either(|of| matches!(of, LargeBinary | LargeUtf8)) {
                true => LargeBinary,
                false => BinaryView,
            }
        }
        _ if one.is_integer() && other.is_integer() => integers(one, other),
        _ if one.is_numeric() && other.is_numeric() => numbers(one, other)?,
        (Date32, Date64) | (Date64, Date32) => Date64,
        (Date32 | Date64, Timestamp(..)) => other.clone(),
        (Timestamp(..), Date32 | Date64) => one.clone(),
        (Timestamp(one, zone), Timestamp(other, other_zone)) => {
            Timestamp(*one.max(other), zone.clone().or_else(|| other_zone.clone()))
        }
        _ => return None,
    })
}

fn integers(one: &DataType, other: &DataType) -> DataType {
    let signed = one.is_signed_integer() || other.is_signed_integer();
    match *one == UInt64 || *other == UInt64 {
        true if signed => Decimal128(20, 0),
        true => UInt64,
        false => Int64,
    }
}

fn numbers(one: &DataType, other: &DataType) -> Option<DataType> {
    if one.is_floating() || other.is_floating() {
        return Some(Float64);
    }
    let (digits, scale) = digits(one)?;
    let (other_digits, other_scale) = digits_of_other(other)?;
    let most_scale = scale.max(other_scale);
    let whole = (digits as i8 - scale).max(other_digits as i8 - other_scale);
    let all = u8::try_from(whole + most_scale).ok()?;
    match MOST_DIGITS.map(|most| all <= most) {
        [true, _] if !matches!((one, other), (Decimal256(..), _) | (_, Decimal256(..))) => {
            Some(Decimal128(all.max(1), most_scale))
        }
        [_, true] => Some(Decimal256(all.max(1), most_scale)),
        _ => None,
    }
}

fn digits_of_other(of: &DataType) -> Option<(u8, i8)> {
    digits(of)
}

/// How many digits a number of this type has, and how many of them after the point.
pub(super) fn digits(of: &DataType) -> Option<(u8, i8)> {
    Some(match of {
        Int8 | UInt8 => (3, 0),
        Int16 | UInt16 => (5, 0),
        Int32 | UInt32 => (10, 0),
        Int64 => (19, 0),
        UInt64 => (20, 0),
        Decimal128(digits, scale) | Decimal256(digits, scale) => (*digits, *scale),
        _ => return None,
    })
}

/// Whether a cast keeps every value, or rounds it to the nearest float.
pub(super) fn widens(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (Null, _) | (Date32, Timestamp(..)) => *from == Null,
        _ if from.is_integer() && to.is_integer() => {
            let bits = |of: &DataType| of.primitive_width().unwrap_or(0);
            match (from.is_signed_integer(), to.is_signed_integer()) {
                (true, false) => false,
                (false, true) => bits(from) < bits(to),
                _ => bits(from) <= bits(to),
            }
        }
        _ if from.is_integer() && to.is_floating() => true,
        (Float32, Float64) => true,
        _ if is_text(from) && is_text(to) => *to != Utf8,
        _ if is_text(from) && is_bytes(to) => *to != Binary,
        _ => match (digits(from), digits(to)) {
            (Some((digits, scale)), Some((to_digits, to_scale))) if is_decimal(to) => {
                to_scale >= scale && to_digits as i8 - to_scale >= digits as i8 - scale
            }
            _ => false,
        },
    }
}

/// A constant as a value of the type that it is used with, if it has one there.
///
/// A text is read as that type: the error says why it cannot be.
pub(super) fn adapt(constant: &ArrayRef, to: &DataType) -> Option<Result<ArrayRef, String>> {
    let from = constant.data_type();
    if *from == Null {
        return Some(cast_strictly(constant, to));
    }
    if is_text(from) {
        return (*to != Null).then(|| cast_strictly(constant, to));
    }
    let fitting = match (from, to) {
        (Float64, Float32) => cast_strictly(constant, to).ok().filter(|it| {
            let value = it
                .as_primitive::<arrow_array::types::Float32Type>()
                .value(0);
            value.is_finite()
        }),
        (Float64, _) if is_decimal(to) => decimal_of_float(constant),
        (Int64, Decimal128(..) | Decimal256(..)) => {
            let digits = constant.as_primitive::<Int64Type>().value(0).to_string();
            let digits = digits.trim_start_matches('-').len() as u8;
            cast_strictly(constant, &Decimal128(digits, 0)).ok()
        }
        (Int64 | UInt64, _) if to.is_integer() => cast_strictly(constant, to).ok(),
        (Int64, Float32) => {
            let value = constant.as_primitive::<Int64Type>().value(0);
            let exact = value.unsigned_abs() <= 1 << 24;
            exact.then(|| cast_strictly(constant, to).ok()).flatten()
        }
        (Date32, Timestamp(..)) => cast_strictly(constant, to).ok(),
        (Timestamp(..), Timestamp(..)) => cast_strictly(constant, to).ok().filter(|it| {
            cast_strictly(it, from).is_ok_and(|back| back.as_ref() == constant.as_ref())
        }),
        _ => None,
    };
    fitting.map(Ok)
}

/// A float without a fraction as an integer: `1e6`.
pub(super) fn whole_number(constant: &ArrayRef) -> Option<ArrayRef> {
    if *constant.data_type() != Float64 {
        return None;
    }
    let value = constant.as_primitive::<Float64Type>().value(0);
    let exact = value.fract() == 0.0 && value.abs() < 9e18;
    exact
        .then(|| cast_strictly(constant, &Int64).ok())
        .flatten()
}

/// A float as the decimal number that it is written as: `0.1`.
fn decimal_of_float(constant: &ArrayRef) -> Option<ArrayRef> {
    let value = constant.as_primitive::<Float64Type>().value(0);
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = whole.trim_start_matches('-').len() + fraction.len();
    let of = Decimal128(
        u8::try_from(digits).ok()?,
        i8::try_from(fraction.len()).ok()?,
    );
    if digits > usize::from(MOST_DIGITS[0]) {
        return None;
    }
    let text: ArrayRef = std::sync::Arc::new(arrow_array::StringArray::from(vec![text]));
    cast_strictly(&text, &of).ok()
}
