//! JSON objects, one per line.

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_schema::{ArrowError, SchemaRef};

use super::{all_or_line_by_line, joined};
use crate::Result;

/// The rows of whole lines, and how many lines were no rows. Fields without a column are ignored.
pub(super) fn decode(lines: &[u8], schema: &SchemaRef) -> Result<(RecordBatch, u64)> {
    let read = |lines: &[u8]| rows_of(lines, schema).ok();
    let (batches, rejected) = all_or_line_by_line(lines, read);
    let batches: Vec<RecordBatch> = batches.into_iter().flatten().collect();
    Ok((joined(schema, &batches)?, rejected))
}

/// Why a line is no row; `None` if it is one.
pub(super) fn why_rejected(line: &[u8], schema: &SchemaRef) -> Option<String> {
    let cause = rows_of(line, schema).err()?;
    Some(cause.to_string())
}

fn rows_of(lines: &[u8], schema: &SchemaRef) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder()?;
    let (mut batches, mut rest) = (Vec::new(), lines);
    loop {
        let taken = decoder.decode(rest)?;
        rest = &rest[taken..];
        let batch = decoder.flush()?;
        let is_over = batch.is_none() && rest.is_empty();
        batches.extend(batch);
        if is_over {
            return Ok(batches);
        }
    }
}
