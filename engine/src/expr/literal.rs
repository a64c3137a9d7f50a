//! Constants.

use std::fmt;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    IntervalMonthDayNanoArray, NullArray, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_buffer::IntervalMonthDayNano;

/// A constant. Make one from a value: `Literal::from(7)`, or use [`lit`](crate::lit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal(pub(crate) Constant);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    Null,
    Boolean(bool),
    Integer(i128),
    /// The bits of a float.
    Float(u64),
    Text(String),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    Timestamp(i64),
    Interval {
        months: i32,
        days: i32,
        nanoseconds: i64,
    },
}

impl Constant {
    /// An array with this one value.
    pub(crate) fn array(&self) -> ArrayRef {
        match self {
            Self::Null => Arc::new(NullArray::new(1)),
            Self::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
            Self::Integer(value) => integer(*value),
            Self::Float(bits) => Arc::new(Float64Array::from(vec![f64::from_bits(*bits)])),
            Self::Text(text) => Arc::new(StringArray::from(vec![text.as_str()])),
            Self::Date(days) => Arc::new(Date32Array::from(vec![*days])),
            Self::Timestamp(at) => Arc::new(TimestampMicrosecondArray::from(vec![*at])),
            Self::Interval {
                months,
                days,
                nanoseconds,
            } => Arc::new(IntervalMonthDayNanoArray::from(vec![
                IntervalMonthDayNano::new(*months, *days, *nanoseconds),
            ])),
        }
    }
}

/// The narrowest of `Int64`, `UInt64` and `Decimal128(38, 0)` that has the value.
fn integer(value: i128) -> ArrayRef {
    if let Ok(value) = i64::try_from(value) {
        return Arc::new(Int64Array::from(vec![value]));
    }
    if let Ok(value) = u64::try_from(value) {
        return Arc::new(UInt64Array::from(vec![value]));
    }
    let wide = Decimal128Array::from(vec![value]);
    Arc::new(
        wide.with_precision_and_scale(38, 0)
            .expect("38 and 0 are a valid precision and scale"),
    )
}

impl fmt::Display for Literal {
    /// Writes the constant as it is written in an expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Constant::Null => f.write_str("NULL"),
            Constant::Boolean(true) => f.write_str("TRUE"),
            Constant::Boolean(false) => f.write_str("FALSE"),
            Constant::Integer(value) => write!(f, "{value}"),
            Constant::Float(bits) => float(f64::from_bits(*bits), f),
            Constant::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Constant::Date(_) => write!(f, "DATE '{}'", shown(&self.0)),
            Constant::Timestamp(_) => write!(f, "TIMESTAMP '{}'", shown(&self.0)),
            Constant::Interval {
                months,
                days,
                nanoseconds,
            } => {
                let seconds = *nanoseconds as f64 / 1e9;
                write!(
                    f,
                    "INTERVAL '{months} months {days} days {seconds} seconds'"
                )
            }
        }
    }
}

fn float(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value.is_finite() {
        true => write!(f, "{value:?}"),
        false => write!(f, "CAST('{value}' AS DOUBLE)"),
    }
}

fn shown(constant: &Constant) -> String {
    let array = constant.array();
    arrow_cast::display::array_value_to_string(&array, 0)
        .unwrap_or_default()
        .replace('T', " ")
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self(Constant::Boolean(value))
    }
}

macro_rules! from_integers {
    ($($of:ty),*) => {$(
        impl From<$of> for Literal {
            fn from(value: $of) -> Self {
                Self(Constant::Integer(value.into()))
            }
        }
    )*};
}
from_integers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self(Constant::Float(value.to_bits()))
    }
}

impl From<f32> for Literal {
    fn from(value: f32) -> Self {
        Self::from(f64::from(value))
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self(Constant::Text(value.to_owned()))
    }
}

impl From<String> for Literal {
    fn from(value: String) -> Self {
        Self(Constant::Text(value))
    }
}

/// `None` is null.
impl<T: Into<Literal>> From<Option<T>> for Literal {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Constant::Null), Into::into)
    }
}
