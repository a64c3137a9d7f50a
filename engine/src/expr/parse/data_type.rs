//! The names of types.

use arrow_schema::{DataType, TimeUnit};
use sqlparser::ast::{self, ExactNumberInfo, TimezoneInfo};

use super::unreadable;
use crate::Result;

/// The type that a name stands for.
pub(super) fn read(of: &ast::DataType) -> Result<DataType> {
    use ast::DataType as T;
    Ok(match of {
        T::Boolean | T::Bool => DataType::Boolean,
        T::TinyInt(_) => DataType::Int8,
        T::SmallInt(_) | T::Int2(_) | T::Int16 => DataType::Int16,
        T::Int(_) | T::Integer(_) | T::Int4(_) | T::MediumInt(_) | T::Int32 => DataType::Int32,
        T::BigInt(_) | T::Int8(_) | T::Int64 => DataType::Int64,
        T::TinyIntUnsigned(_) | T::UTinyInt | T::UInt8 => DataType::UInt8,
        T::SmallIntUnsigned(_) | T::USmallInt | T::UInt16 => DataType::UInt16,
        T::IntUnsigned(_) | T::IntegerUnsigned(_) | T::UInt32 => DataType::UInt32,
        T::BigIntUnsigned(_) | T::UBigInt | T::UInt64 => DataType::UInt64,
        T::Real | T::Float4 | T::Float32 => DataType::Float32,
        T::Float(_) | T::Double(_) | T::DoublePrecision | T::Float8 | T::Float64 => {
            DataType::Float64
        }
        T::Decimal(digits) | T::Numeric(digits) | T::Dec(digits) => decimal(of, digits)?,
        T::Varchar(None)
        | T::CharacterVarying(None)
        | T::CharVarying(None)
        | T::Text
        | T::String(None) => DataType::Utf8,
        T::Bytea | T::Blob(None) | T::Binary(None) | T::Varbinary(None) => DataType::Binary,
        T::Date | T::Date32 => DataType::Date32,
        T::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Time64(TimeUnit::Microsecond)
        }
        T::Datetime(digits) => timestamp(*digits, TimezoneInfo::None, of)?,
        T::Timestamp(digits, zone) => timestamp(*digits, *zone, of)?,
        other => {
            let why = "this type is not known; use BOOLEAN, BIGINT, DOUBLE, DECIMAL(p, s), TEXT, \
                       DATE, TIMESTAMP and so on";
            return Err(unreadable(&other.to_string(), why));
        }
    })
}

fn decimal(of: &ast::DataType, digits: &ExactNumberInfo) -> Result<DataType> {
    let (digits, scale) = match *digits {
        ExactNumberInfo::None => (38, 10),
        ExactNumberInfo::Precision(digits) => (digits, 0),
        ExactNumberInfo::PrecisionAndScale(digits, scale) => (digits, scale),
    };
    let fits = (1..=38).contains(&digits) && (0..=digits as i64).contains(&scale);
    match fits {
        true => Ok(DataType::Decimal128(digits as u8, scale as i8)),
        false => Err(unreadable(
            &of.to_string(),
            "a decimal has up to 38 digits, and not more of them after the point",
        )),
    }
}

fn timestamp(digits: Option<u64>, zone: TimezoneInfo, of: &ast::DataType) -> Result<DataType> {
    let unit = match digits {
        Some(0) => TimeUnit::Second,
        Some(3) => TimeUnit::Millisecond,
        None | Some(6) => TimeUnit::Microsecond,
        Some(9) => TimeUnit::Nanosecond,
        Some(_) => {
            let why = "a timestamp has 0, 3, 6 or 9 digits of a second";
            return Err(unreadable(&of.to_string(), why));
        }
    };
    let zone = match zone {
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => Some("+00:00".into()),
    };
    Ok(DataType::Timestamp(unit, zone))
}
