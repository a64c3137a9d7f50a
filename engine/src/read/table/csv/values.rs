//! Columns of one type, from the fields of records.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{
    BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer,
};
use arrow_cast::cast;
use arrow_cast::parse::{Parser, parse_decimal};
use arrow_schema::{DataType, TimeUnit};
use keymill_kernels::parse;
use keymill_kernels::stage::csv::{QUOTE, unquoted};
use keymill_kernels::stage::tokenize::Span;

use crate::Level;

/// The fields of one column, in some rows.
pub(super) struct Fields<'a> {
    pub(super) level: Level,
    pub(super) text: &'a [u8],
    /// Where they are, without the CR of a CRLF.
    pub(super) spans: &'a [Span],
    /// Whether the text has quotes.
    pub(super) has_quotes: bool,
    pub(super) nulls: &'a [String],
}

impl Fields<'_> {
    fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.spans.iter().map(range_of)
    }

    fn is_null(&self, field: &[u8]) -> bool {
        field.is_empty() || self.nulls.iter().any(|null| null.as_bytes() == field)
    }

    /// Returns whether no field is empty or has quotes.
    pub(super) fn are_plain(&self) -> bool {
        // Without an early end, so that it is done by SIMD.
        let spans = self.spans.iter();
        let empty = spans.fold(0, |count: u32, it| count + u32::from(it.start >= it.end));
        let is_quoted = |it: &Span| self.text[it.start as usize] == QUOTE;
        empty == 0 && !(self.has_quotes && self.spans.iter().any(is_quoted))
    }
}

fn range_of(span: &Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// Decodes the fields of a column. Adds the rows whose value is not of the type to `bad`.
pub(super) fn column(of: &DataType, fields: &Fields<'_>, bad: &mut Vec<u32>) -> Option<ArrayRef> {
    Some(match of {
        DataType::Int64 => {
            let integers = numbers::<Int64Type>(fields, bad, parse::integers, parse::integer_in);
            Arc::new(integers)
        }
        DataType::Float64 => {
            let floats = numbers::<Float64Type>(fields, bad, parse::floats, parse::float_in);
            Arc::new(floats)
        }
        DataType::Date32 => Arc::new(primitive::<Date32Type>(fields, bad, whole(parse::date))),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let parse = whole(timestamp);
            Arc::new(primitive::<TimestampMicrosecondType>(fields, bad, parse))
        }
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            let parse = whole(|value| decimal(value, precision, scale));
            let values = primitive::<Decimal128Type>(fields, bad, parse);
            Arc::new(values.with_precision_and_scale(precision, scale).ok()?)
        }
        DataType::Boolean => Arc::new(booleans(fields, bad)),
        DataType::Utf8 => Arc::new(strings(fields, bad)?),
        DataType::Binary => Arc::new(binaries(fields)?),
        DataType::LargeUtf8 | DataType::Utf8View => cast(&strings(fields, bad)?, of).ok()?,
        DataType::LargeBinary | DataType::BinaryView => cast(&binaries(fields)?, of).ok()?,
        _ => by_cast(of, fields, bad)?,
    })
}

/// Decodes values of a type that has no parser here.
fn by_cast(of: &DataType, fields: &Fields<'_>, bad: &mut Vec<u32>) -> Option<ArrayRef> {
    let parse = whole(|value| str::from_utf8(value).ok().map(str::to_owned));
    let rows = fields.ranges().enumerate();
    let texts: StringArray = rows
        .map(|(row, range)| slowly(fields, &fields.text[range], row, bad, &parse))
        .collect();
    let array = cast(&texts, of).ok()?;
    let rows = (0..texts.len()).filter(|&row| texts.is_valid(row) && array.is_null(row));
    bad.extend(rows.map(|row| row as u32));
    Some(array)
}

/// Parses a column of short numbers; see [`parse::integers`].
type ParseShort<N> = fn(Level, &[u8], &[Span], &mut Vec<N>, &mut Vec<u32>);

/// Decodes numbers: short ones together, then the others.
fn numbers<T: ArrowPrimitiveType>(
    fields: &Fields<'_>,
    bad: &mut Vec<u32>,
    short: ParseShort<T::Native>,
    parse: impl Fn(&[u8], Range<usize>) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let (text, spans) = (fields.text, fields.spans);
    let (mut values, mut missed) = (Vec::new(), Vec::new());
    short(fields.level, text, spans, &mut values, &mut missed);
    let mut valid = None;
    for row in missed.iter().map(|&row| row as usize) {
        let range = range_of(&spans[row]);
        let value = parse(text, range.clone());
        let value = value.or_else(|| slowly(fields, &text[range], row, bad, &parse));
        values[row] = value.unwrap_or_default();
        if value.is_none() {
            valid
                .get_or_insert_with(|| all_valid(spans.len()))
                .set_bit(row, false);
        }
    }
    let nulls = valid.map(|mut valid| NullBuffer::new(valid.finish()));
    PrimitiveArray::new(values.into(), nulls)
}

fn all_valid(rows: usize) -> BooleanBufferBuilder {
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, true);
    bits
}

fn primitive<T: ArrowPrimitiveType>(
    fields: &Fields<'_>,
    bad: &mut Vec<u32>,
    parse: impl Fn(&[u8], Range<usize>) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let mut nulls = NullBufferBuilder::new(fields.spans.len());
    let values = values(fields, bad, parse).map(|value| {
        match value {
            Some(_) => nulls.append_non_null(),
            None => nulls.append_null(),
        }
        value.unwrap_or_default()
    });
    let values: ScalarBuffer<T::Native> = values.collect::<Vec<_>>().into();
    PrimitiveArray::new(values, nulls.finish())
}

/// Makes a parser of parts of a text from one of whole texts.
fn whole<V>(parse: impl Fn(&[u8]) -> Option<V>) -> impl Fn(&[u8], Range<usize>) -> Option<V> {
    move |text, range| parse(&text[range])
}

/// Parses all fields. A field without a value is null, or else bad.
fn values<V>(
    fields: &Fields<'_>,
    bad: &mut Vec<u32>,
    parse: impl Fn(&[u8], Range<usize>) -> Option<V>,
) -> impl ExactSizeIterator<Item = Option<V>> {
    let ranges = fields.ranges().enumerate();
    ranges.map(move |(row, range)| {
        let value = parse(fields.text, range.clone());
        value.or_else(|| slowly(fields, &fields.text[range], row, bad, &parse))
    })
}

/// Decodes a field with quotes or spaces. Without a value it is null, or bad.
#[cold]
fn slowly<V>(
    fields: &Fields<'_>,
    field: &[u8],
    row: usize,
    bad: &mut Vec<u32>,
    parse: impl Fn(&[u8], Range<usize>) -> Option<V>,
) -> Option<V> {
    let value = unquoted(field);
    let value = value.trim_ascii();
    if fields.is_null(value) {
        return None;
    }
    let parsed = parse(value, 0..value.len());
    if parsed.is_none() {
        bad.push(row as u32);
    }
    parsed
}

fn booleans(fields: &Fields<'_>, bad: &mut Vec<u32>) -> BooleanArray {
    let rows = fields.spans.len();
    let mut nulls = NullBufferBuilder::new(rows);
    let mut bits = BooleanBufferBuilder::new(rows);
    for value in values(fields, bad, whole(boolean)) {
        nulls.append(value.is_some());
        bits.append(value.unwrap_or_default());
    }
    BooleanArray::new(bits.finish(), nulls.finish())
}

fn boolean(value: &[u8]) -> Option<bool> {
    let is_one_of = |names: &[&[u8]]| names.iter().any(|name| value.eq_ignore_ascii_case(name));
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ if is_one_of(&[b"true", b"t", b"1", b"yes"]) => Some(true),
        _ => is_one_of(&[b"false", b"f", b"0", b"no"]).then_some(false),
    }
}

/// Microseconds since 1970-01-01 00:00 UTC.
pub(super) fn timestamp(value: &[u8]) -> Option<i64> {
    let other = || TimestampMicrosecondType::parse(str::from_utf8(value).ok()?);
    parse::timestamp(value).or_else(other)
}

/// A decimal with more digits after the point than the scale is none, unless these are zeros: it would be
/// rounded.
fn decimal(value: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let fits = |value: &i128| value.unsigned_abs() < 10u128.pow(precision.into());
    let short = u8::try_from(scale).ok();
    let short = short.and_then(|scale| parse::decimal(value, scale));
    short.filter(fits).or_else(|| {
        let text = str::from_utf8(value).ok()?;
        let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
        let decimals = decimals.trim_end_matches('0').len();
        let is_plain = decimals <= scale.unsigned_abs().into() && !text.contains(['e', 'E']);
        parse_decimal::<Decimal128Type>(text, precision, scale)
            .ok()
            .filter(|_| is_plain)
    })
}

fn binaries(fields: &Fields<'_>) -> Option<BinaryArray> {
    let (offsets, values, nulls) = bytes(fields)?;
    BinaryArray::try_new(offsets, values, nulls).ok()
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

type ByteParts = (OffsetBuffer<i32>, Buffer, Option<NullBuffer>);

/// Bytes of a short field, which are copied without regard to its length.
const SHORT: usize = 32;

fn bytes(fields: &Fields<'_>) -> Option<ByteParts> {
    let (text, rows) = (fields.text, fields.spans.len());
    let mut nulls = NullBufferBuilder::new(rows);
    let mut values = vec![0; 16 * rows + SHORT];
    let mut used = 0;
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for range in fields.ranges() {
        let length = range.len();
        if values.len() < used + length.max(SHORT) {
            values.resize(2 * values.len() + length, 0);
        }
        let field = &text[range.clone()];
        let is_quoted = field.first() == Some(&QUOTE);
        let short = text[range.start..].first_chunk::<SHORT>();
        let to = values[used..].first_chunk_mut::<SHORT>();
        match (short, to) {
            (Some(bytes), Some(to)) if length <= SHORT && !is_quoted => {
                *to = *bytes;
                used += length;
            }
            _ => {
                let value = match is_quoted {
                    true => unquoted(field),
                    false => Cow::Borrowed(field),
                };
                values[used..used + value.len()].copy_from_slice(&value);
                used += value.len();
            }
        }
        match is_quoted || !fields.is_null(field) {
            true => nulls.append_non_null(),
            false => nulls.append_null(),
        }
        offsets.push(i32::try_from(used).ok()?);
    }
    values.truncate(used);
    let offsets = OffsetBuffer::new(offsets.into());
    Some((offsets, Buffer::from_vec(values), nulls.finish()))
}
