//! The rows of a batch as JSON.
#![forbid(unsafe_code)]

use arrow_array::RecordBatch;
use keymill::Result;
use keymill::write::Format;

/// The rows of a batch as JSON objects, one per line.
pub(crate) fn json_lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let schema = batch.schema();
    let mut text = Vec::new();
    let mut writer = Format::Json.writer(&schema, &mut text)?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(text)
}
