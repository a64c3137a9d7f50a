//! Comma-separated values.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_csv::ReaderBuilder;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::{all_or_line_by_line, joined};
use crate::{Error, ErrorKind, Result};

/// The rows of whole lines, and how many lines were no rows. A line with fewer values than columns ends
/// with nulls. An empty value that is no text is null.
pub(super) fn decode(
    lines: &[u8],
    delimiter: u8,
    schema: &SchemaRef,
) -> Result<(RecordBatch, u64)> {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::new(field.name(), DataType::Utf8, true));
    let texts = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let read = |lines: &[u8]| texts_of(lines, delimiter, &texts).ok();
    let (batches, not_read) = all_or_line_by_line(lines, read);
    let batches: Vec<RecordBatch> = batches.into_iter().flatten().collect();
    let (batch, not_typed) = typed(&joined(&texts, &batches)?, schema)?;
    Ok((batch, not_read + not_typed))
}

/// All values as text.
fn texts_of(
    lines: &[u8],
    delimiter: u8,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, arrow_schema::ArrowError> {
    let builder = ReaderBuilder::new(schema.clone())
        .with_delimiter(delimiter)
        .with_truncated_rows(true);
    let mut decoder = builder.build_decoder();
    let (mut batches, mut rest) = (Vec::new(), lines);
    loop {
        let taken = decoder.decode(rest)?;
        rest = &rest[taken..];
        if taken == 0 || decoder.capacity() == 0 {
            match decoder.flush()? {
                Some(batch) => batches.push(batch),
                None if rest.is_empty() => return Ok(batches),
                None => {}
            }
            if rest.is_empty() && taken == 0 {
                return Ok(batches);
            }
        }
    }
}

/// The columns in their types, without the rows of which a value is not of its type.
fn typed(texts: &RecordBatch, schema: &SchemaRef) -> Result<(RecordBatch, u64)> {
    let options = CastOptions::default();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut is_good = vec![true; texts.num_rows()];
    for (text, field) in texts.columns().iter().zip(schema.fields()) {
        if field.data_type() == &DataType::Utf8 {
            columns.push(text.clone());
            continue;
        }
        let text = without_spaces(text);
        let column = cast_with_options(&text, field.data_type(), &options).map_err(|cause| {
            let message = format!("no text can be read as {}", field.data_type());
            Error::new(ErrorKind::Config, message).with_source(cause)
        })?;
        for (row, is_good) in is_good.iter_mut().enumerate() {
            *is_good &= column.is_valid(row) || text.is_null(row);
        }
        columns.push(column);
    }
    let fail = |cause| Error::new(ErrorKind::Internal, "rows do not fit").with_source(cause);
    let batch = RecordBatch::try_new(schema.clone(), columns).map_err(fail)?;
    let rejected = is_good.iter().filter(|&&is_good| !is_good).count() as u64;
    if rejected == 0 {
        return Ok((batch, 0));
    }
    let good = filter_record_batch(&batch, &BooleanArray::from(is_good));
    Ok((good.map_err(fail)?, rejected))
}

/// The texts without spaces around them; empty ones are null.
fn without_spaces(texts: &ArrayRef) -> ArrayRef {
    use arrow_array::cast::AsArray;
    let texts = texts.as_string::<i32>().iter();
    let trimmed = texts.map(|text| text.map(str::trim).filter(|text| !text.is_empty()));
    Arc::new(trimmed.collect::<arrow_array::StringArray>())
}
