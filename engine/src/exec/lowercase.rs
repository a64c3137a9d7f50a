//! Lower case for columns of text.
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::builder::LargeBinaryBuilder;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use keymill_kernels::stage::lowercase::lowercase;

use crate::keys::bytes_of;
use crate::state::schema::batch_of;
use crate::{Level, Result};

/// Returns the batch with all columns in lower case, as binary columns.
pub(super) fn lowercase_columns(level: Level, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| lowered(level, column));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name());
    let fields: Vec<_> = names
        .map(|name| Field::new(name, DataType::LargeBinary, true))
        .collect();
    batch_of(&Arc::new(Schema::new(fields)), columns)
}

fn lowered(level: Level, column: &ArrayRef) -> Result<ArrayRef> {
    let value = bytes_of(column)?;
    let mut builder = LargeBinaryBuilder::new();
    let mut bytes = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            builder.append_null();
            continue;
        }
        bytes.clear();
        lowercase(level, value(row), &mut bytes);
        builder.append_value(&bytes);
    }
    Ok(Arc::new(builder.finish()))
}
