//! Columns of one type, from the fields of records.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_cast::parse::{Parser, parse_decimal};
use arrow_schema::DataType;
use keymill_kernels::parse;
use keymill_kernels::stage::csv::{FieldIndex, QUOTE, unquoted};

use super::without_cr;

/// The fields of one column, in some rows.
pub(super) struct Fields<'a> {
    pub(super) text: &'a [u8],
    pub(super) index: &'a FieldIndex,
    /// The first field of each row.
    pub(super) firsts: &'a [u32],
    pub(super) column: usize,
    pub(super) is_last: bool,
    pub(super) nulls: &'a [String],
}

impl<'a> Fields<'a> {
    #[inline]
    fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + '_ {
        self.firsts.iter().map(|&first| {
            let field = &self.text[self.index.field(first as usize + self.column)];
            match self.is_last {
                true => without_cr(field),
                false => field,
            }
        })
    }

    /// Returns a field as it is written.
    pub(super) fn raw(&self, row: usize) -> &'a [u8] {
        let first = self.firsts[row] as usize;
        without_cr(&self.text[self.index.field(first + self.column)])
    }

    fn is_null(&self, field: &[u8]) -> bool {
        field.is_empty() || self.nulls.iter().any(|null| null.as_bytes() == field)
    }
}

/// Decodes the fields of a column. Adds the rows whose value is not of the type to `bad`.
pub(super) fn column(of: &DataType, fields: &Fields<'_>, bad: &mut Vec<u32>) -> Option<ArrayRef> {
    Some(match of {
        DataType::Int64 => numbers::<Int64Type>(fields, bad, parse::integer),
        DataType::Float64 => numbers::<Float64Type>(fields, bad, parse::float),
        DataType::Date32 => numbers::<Date32Type>(fields, bad, parse::date),
        DataType::Timestamp(..) => numbers::<TimestampMicrosecondType>(fields, bad, timestamp),
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            let parse = |value: &[u8]| decimal(value, precision, scale);
            let values = primitive::<Decimal128Type>(fields, bad, parse);
            Arc::new(values.with_precision_and_scale(precision, scale).ok()?)
        }
        DataType::Boolean => Arc::new(booleans(fields, bad)),
        DataType::Utf8 => Arc::new(strings(fields, bad)?),
        DataType::Binary => {
            let (offsets, values, nulls) = bytes(fields)?;
            Arc::new(BinaryArray::try_new(offsets, values, nulls).ok()?)
        }
        _ => return None,
    })
}

fn numbers<T: ArrowPrimitiveType>(
    fields: &Fields<'_>,
    bad: &mut Vec<u32>,
    parse: impl Fn(&[u8]) -> Option<T::Native>,
) -> ArrayRef {
    Arc::new(primitive::<T>(fields, bad, parse))
}

fn primitive<T: ArrowPrimitiveType>(
    fields: &Fields<'_>,
    bad: &mut Vec<u32>,
    parse: impl Fn(&[u8]) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let mut nulls = NullBufferBuilder::new(fields.firsts.len());
    let values = fields.iter().enumerate().map(|(row, field)| {
        let value = parse(field).or_else(|| slowly(fields, field, row, bad, &parse));
        match value {
            Some(value) => {
                nulls.append_non_null();
                value
            }
            None => {
                nulls.append_null();
                T::default_value()
            }
        }
    });
    let values: ScalarBuffer<T::Native> = values.collect::<Vec<_>>().into();
    PrimitiveArray::new(values, nulls.finish())
}

/// Decodes a field with quotes or spaces. Without a value it is null, or bad.
#[cold]
fn slowly<V>(
    fields: &Fields<'_>,
    field: &[u8],
    row: usize,
    bad: &mut Vec<u32>,
    parse: impl Fn(&[u8]) -> Option<V>,
) -> Option<V> {
    let value = unquoted(field);
    let value = value.trim_ascii();
    if fields.is_null(value) {
        return None;
    }
    let parsed = parse(value);
    if parsed.is_none() {
        bad.push(row as u32);
    }
    parsed
}

fn booleans(fields: &Fields<'_>, bad: &mut Vec<u32>) -> BooleanArray {
    let rows = fields.firsts.len();
    let mut nulls = NullBufferBuilder::new(rows);
    let mut values = BooleanBufferBuilder::new(rows);
    for (row, field) in fields.iter().enumerate() {
        let value = boolean(field).or_else(|| slowly(fields, field, row, bad, boolean));
        nulls.append(value.is_some());
        values.append(value.unwrap_or_default());
    }
    BooleanArray::new(values.finish(), nulls.finish())
}

fn boolean(value: &[u8]) -> Option<bool> {
    let is_one_of = |names: &[&str]| {
        let mut names = names.iter();
        names.any(|name| value.eq_ignore_ascii_case(name.as_bytes()))
    };
    match is_one_of(&["true", "t", "1", "yes"]) {
        true => Some(true),
        false => is_one_of(&["false", "f", "0", "no"]).then_some(false),
    }
}

/// Microseconds since 1970-01-01 00:00 UTC.
pub(super) fn timestamp(value: &[u8]) -> Option<i64> {
    TimestampMicrosecondType::parse(str::from_utf8(value).ok()?)
}

fn decimal(value: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let text = str::from_utf8(value).ok()?;
    // More digits after the point than the scale would be rounded.
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| {
        decimals.bytes().take_while(u8::is_ascii_digit).count()
    });
    let has_exponent = text.contains(['e', 'E']);
    if (decimals > scale.unsigned_abs() as usize && !text.ends_with('0')) || has_exponent {
        return None;
    }
    parse_decimal::<Decimal128Type>(text, precision, scale).ok()
}

fn strings(fields: &Fields<'_>, bad: &mut Vec<u32>) -> Option<StringArray> {
    let (offsets, values, nulls) = bytes(fields)?;
    if let Ok(strings) = StringArray::try_new(offsets.clone(), values.clone(), nulls.clone()) {
        return Some(strings);
    }
    // Some value is not UTF-8.
    let binary = BinaryArray::try_new(offsets, values, nulls).ok()?;
    let strings = binary.iter().enumerate().map(|(row, value)| {
        let text = value.map(str::from_utf8).transpose();
        text.unwrap_or_else(|_| {
            bad.push(row as u32);
            None
        })
    });
    Some(strings.collect())
}

type ByteParts = (OffsetBuffer<i32>, Buffer, Option<arrow_buffer::NullBuffer>);

fn bytes(fields: &Fields<'_>) -> Option<ByteParts> {
    let rows = fields.firsts.len();
    let mut nulls = NullBufferBuilder::new(rows);
    let mut values = Vec::with_capacity(16 * rows);
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for field in fields.iter() {
        match field.first() {
            Some(&QUOTE) => {
                values.extend_from_slice(&unquoted(field));
                nulls.append_non_null();
            }
            _ if fields.is_null(field) => nulls.append_null(),
            _ => {
                values.extend_from_slice(field);
                nulls.append_non_null();
            }
        }
        offsets.push(i32::try_from(values.len()).ok()?);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Some((offsets, Buffer::from_vec(values), nulls.finish()))
}
