//! The values of rows as Cassandra has them.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use keymill::{Error, ErrorKind, Result};
use scylla::value::{CqlDate, CqlDecimal, CqlTimestamp, CqlValue};

use crate::upsert::{Refused, Rows, plain, texts};

/// The number of a row, and the values of its statement.
pub(super) type Row = (usize, Vec<Option<CqlValue>>);

/// A value, or why there is none.
type Value = std::result::Result<Option<CqlValue>, String>;

/// The type that a column of results has in a table.
pub(super) fn type_of(data: &DataType) -> &'static str {
    use DataType::{
        Boolean, Date32, Decimal128, Float16, Float32, Float64, Int8, Int16, Int32, Int64,
        Timestamp, UInt8, UInt16, UInt32, UInt64,
    };
    match data {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => "bigint",
        Float16 | Float32 | Float64 => "double",
        Boolean => "boolean",
        Date32 => "date",
        Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond, _) => {
            "timestamp"
        }
        Decimal128(_, 0..) => "decimal",
        _ => "text",
    }
}

/// The values of each row: its id, if it has one, its columns and its timestamp. Rows that have no form in
/// Cassandra are refused.
pub(super) fn values(
    rows: &Rows<'_>,
    has_id: bool,
    timestamp: i64,
) -> Result<(Vec<Row>, Vec<Refused>)> {
    let columns = rows.batch.columns().iter().map(column);
    let mut columns = columns
        .map(|values| Ok(values?.into_iter()))
        .collect::<Result<Vec<_>>>()?;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for (number, id) in rows.ids.iter().enumerate() {
        let id = has_id.then(|| Ok(Some(CqlValue::Text(id.clone()))));
        // Every column is asked, so that none is a row behind after a refusal.
        let row: Vec<Value> = columns.iter_mut().filter_map(Iterator::next).collect();
        let names = rows.batch.schema_ref().fields().iter();
        let row = row.into_iter().zip(names).map(|(value, field)| {
            value.map_err(|why| format!("the column `{}`: {why}", field.name()))
        });
        let end = Ok(Some(CqlValue::BigInt(timestamp)));
        match id.into_iter().chain(row).chain([end]).collect() {
            Ok(values) => taken.push((number, values)),
            Err(why) => refused.push((number, why)),
        }
    }
    Ok((taken, refused))
}

/// The values of a column, in the type that [`type_of`] says.
fn column(array: &ArrayRef) -> Result<Vec<Value>> {
    let to = |of: &DataType| cast(array, of).map_err(unwritable);
    Ok(match type_of(array.data_type()) {
        "bigint" => match array.as_primitive_opt::<UInt64Type>() {
            Some(numbers) => each(numbers.iter(), count),
            None => each(
                to(&DataType::Int64)?.as_primitive::<Int64Type>().iter(),
                |it| Ok(CqlValue::BigInt(it)),
            ),
        },
        "double" => each(
            to(&DataType::Float64)?.as_primitive::<Float64Type>().iter(),
            |it| Ok(CqlValue::Double(it)),
        ),
        "boolean" => each(array.as_boolean().iter(), |it| Ok(CqlValue::Boolean(it))),
        "date" => each(array.as_primitive::<Date32Type>().iter(), |it| Ok(date(it))),
        "timestamp" => {
            let array = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
            each(
                array.as_primitive::<TimestampMicrosecondType>().iter(),
                time,
            )
        }
        "decimal" => {
            let numbers = array.as_primitive::<Decimal128Type>();
            let scale = i32::from(numbers.scale());
            each(numbers.iter(), |it| {
                let bytes = shortest(&it.to_be_bytes());
                let decimal = CqlDecimal::from_signed_be_bytes_and_exponent(bytes, scale);
                Ok(CqlValue::Decimal(decimal))
            })
        }
        _ => each(texts(&plain(array)?)?.into_iter(), text),
    })
}

fn each<T>(
    values: impl Iterator<Item = Option<T>>,
    value: impl Fn(T) -> std::result::Result<CqlValue, String>,
) -> Vec<Value> {
    values.map(|it| it.map(&value).transpose()).collect()
}

/// A number of two's complement without bytes that only repeat its sign, as Cassandra writes it: it compares
/// keys by their bytes.
fn shortest(bytes: &[u8]) -> Vec<u8> {
    let is_sign = |pair: &[u8]| matches!(pair, [0, 0..=0x7f] | [0xff, 0x80..=0xff]);
    let signs = bytes.windows(2).take_while(|pair| is_sign(pair)).count();
    bytes[signs..].to_vec()
}

fn count(number: u64) -> std::result::Result<CqlValue, String> {
    let number = i64::try_from(number).map(CqlValue::BigInt);
    number.map_err(|_| "a bigint of Cassandra has at most 63 bits".to_owned())
}

/// Days since 1970, which is 2³¹ for Cassandra.
fn date(days: i32) -> CqlValue {
    CqlValue::Date(CqlDate((1_u32 << 31).wrapping_add_signed(days)))
}

fn time(microseconds: i64) -> std::result::Result<CqlValue, String> {
    match microseconds.rem_euclid(1000) {
        0 => Ok(CqlValue::Timestamp(CqlTimestamp(
            microseconds.div_euclid(1000),
        ))),
        _ => Err("a time of Cassandra has no fractions of a millisecond".to_owned()),
    }
}

fn text(bytes: Cow<'_, [u8]>) -> std::result::Result<CqlValue, String> {
    let text = String::from_utf8(bytes.into_owned());
    text.map(CqlValue::Text)
        .map_err(|_| "the text is not UTF-8".to_owned())
}

fn unwritable(cause: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Sink, "a column cannot be written to Cassandra").with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn numbers_have_no_bytes_that_only_repeat_the_sign() {
        for number in [
            0,
            1,
            -1,
            127,
            128,
            -128,
            -129,
            255,
            256,
            i128::MAX,
            i128::MIN,
            1 << 64,
        ] {
            let bytes = shortest(&number.to_be_bytes());
            let sign = if number < 0 { 0xff } else { 0 };
            let mut whole = [sign; 16];
            whole[16 - bytes.len()..].copy_from_slice(&bytes);
            assert_eq!(i128::from_be_bytes(whole), number);
            assert_eq!((bytes[0] ^ sign) & 0x80, 0, "{number}");
            // A byte less is another number.
            let is_short = bytes.len() == 1 || (bytes[1] ^ sign) & 0x80 != 0 || bytes[0] != sign;
            assert!(is_short, "{number}: {bytes:?}");
        }
    }
}
