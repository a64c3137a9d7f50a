//! Comma-separated values, one row a line.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::can_cast_types;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use keymill_kernels::stage::csv::FieldIndex;

use super::joined;
use crate::read::table::decode_csv;
use crate::{Error, ErrorKind, Level, Result};

/// Lines that are decoded at a time, in bytes.
const PART_BYTES: usize = 64 << 20;

/// The longest line that may be a row, in bytes.
const MOST_LINE: usize = 1 << 30;

/// Checks that values can be of the types of all columns.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a type that no text is read as.
pub(super) fn check(schema: &Schema) -> Result<()> {
    let mut types = schema.fields().iter().map(|field| field.data_type());
    match types.find(|of| !can_cast_types(&DataType::Utf8, of)) {
        None => Ok(()),
        Some(of) => {
            let message = format!("no text can be read as {of}");
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

/// The rows of whole lines, and how many lines were no rows. Values are read as those of a table. A line
/// with fewer values than columns ends with nulls. Quotes end with their line.
pub(super) fn decode(
    lines: &[u8],
    delimiter: u8,
    schema: &SchemaRef,
) -> Result<(RecordBatch, u64)> {
    let (mut batches, mut rejected, mut rest) = (Vec::new(), 0, lines);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(part_of(rest));
        rest = after;
        if part.len() > MOST_LINE {
            rejected += 1;
            continue;
        }
        let (part, dropped) = one_row_a_line(part, delimiter, schema.fields().len());
        let (rows, bad) = decode_csv(&part, delimiter, schema)?;
        batches.extend(rows);
        rejected += dropped + bad;
    }
    Ok((joined(schema, &batches)?, rejected))
}

/// Returns the bytes of some lines: at most [`PART_BYTES`], or one line.
fn part_of(lines: &[u8]) -> usize {
    let newline = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte == b'\n');
    match lines.get(..PART_BYTES) {
        None => lines.len(),
        Some(part) => newline(part).map_or_else(
            || {
                let end = lines.iter().position(|&byte| byte == b'\n');
                end.map_or(lines.len(), |end| end + 1)
            },
            |end| end + 1,
        ),
    }
}

/// Adds the values that a line lacks, and drops lines that end inside quotes, so that every line is a record
/// of its own. Returns how many were dropped.
fn one_row_a_line(lines: &[u8], delimiter: u8, columns: usize) -> (Cow<'_, [u8]>, u64) {
    let mut index = FieldIndex::default();
    index.read(Level::best(), lines, delimiter);
    let each_line = || lines.split_inclusive(|&byte| byte == b'\n');
    let has_all = |row| index.fields(row).len() >= columns;
    if !index.is_open() && index.rows() == each_line().count() && (0..index.rows()).all(has_all) {
        return (Cow::Borrowed(lines), 0);
    }
    let (mut kept, mut dropped) = (Vec::with_capacity(lines.len()), 0);
    for line in each_line() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        index.read(Level::best(), line, delimiter);
        if index.is_open() {
            dropped += 1;
        } else if !line.is_empty() {
            kept.extend_from_slice(line);
            let missing = columns.saturating_sub(index.fields(0).len());
            kept.resize(kept.len() + missing, delimiter);
            kept.push(b'\n');
        }
    }
    (Cow::Owned(kept), dropped)
}

/// Why a line is no row; `None` if it is one.
pub(super) fn why_rejected(line: &[u8], delimiter: u8, schema: &SchemaRef) -> Option<String> {
    let is_row = |schema: &SchemaRef| matches!(decode(line, delimiter, schema), Ok((_, 0)));
    if is_row(schema) {
        return None;
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut index = FieldIndex::default();
    index.read(Level::best(), line, delimiter);
    let (found, expected) = (index.fields(0).len(), schema.fields().len());
    if index.is_open() {
        return Some("a quote is not closed".to_owned());
    }
    if found > expected {
        return Some(format!("{found} values where {expected} are expected"));
    }
    if str::from_utf8(line).is_err() {
        return Some("it is not UTF-8".to_owned());
    }
    let bad = (0..found).find(|&column| !is_row(&typed_alone(schema, column)));
    let Some(column) = bad else {
        return Some("it cannot be read".to_owned());
    };
    let value = String::from_utf8_lossy(&line[index.field(index.fields(0).start + column)]);
    let (name, of) = (
        schema.field(column).name(),
        schema.field(column).data_type(),
    );
    Some(format!(
        "column `{name}`: `{value}` is not of the type {of}"
    ))
}

/// The same columns, all of text but one.
fn typed_alone(schema: &Schema, column: usize) -> SchemaRef {
    let fields = schema.fields().iter().enumerate();
    let fields = fields.map(|(number, field)| match number == column {
        true => field.clone(),
        false => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
