//! JSON objects, one per line: the columns are the fields of the first objects.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_json::reader::infer_json_schema_from_iterator;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use keymill_kernels::stage::csv::LastRecord;
use serde_json::Value;

use super::bad_row_log::BadRow;
use super::text_pieces::{Chunk, TextDecoder, TextFormat};
use super::{Column, Options};
use crate::read::pieces::Push;
use crate::{Error, ErrorKind, Result};

/// Rows of a batch.
const ROWS: usize = 8192;

/// Maximum number of objects that types are inferred from.
const MOST_ROWS: usize = 10_000;

/// The format, and the columns once they are known.
pub(super) struct Json {
    columns: Vec<Column>,
    known: Option<(SchemaRef, Arc<JsonDecoder>)>,
}

impl Json {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            columns: options.columns.clone(),
            known: None,
        }
    }

    fn know(&mut self, schema: SchemaRef) {
        let decoder = JsonDecoder(schema.clone());
        self.known = Some((schema, Arc::new(decoder)));
    }
}

impl TextFormat for Json {
    type Decoder = JsonDecoder;

    fn last_record(&self, text: &[u8]) -> LastRecord {
        let end = text.iter().rposition(|&byte| byte == b'\n');
        let end = end.map(|at| at + 1);
        let lines = lines_of(&text[..end.unwrap_or(0)]);
        let mut last = LastRecord::default();
        (last.end, last.lines, last.records) = (end, lines, lines);
        last
    }

    fn begin(&mut self, name: &str, text: &[u8]) -> Result<usize> {
        if self.known.is_none() {
            self.know(inferred(name, text, &self.columns)?);
        }
        Ok(0)
    }

    fn schema(&self) -> Option<SchemaRef> {
        self.known.as_ref().map(|(schema, _)| schema.clone())
    }

    fn know_set_columns(&mut self) {
        if self.columns.is_empty() {
            return;
        }
        let fields = self.columns.iter().map(|column| {
            let of = column.data_type().cloned().unwrap_or(DataType::Utf8);
            Field::new(column.name(), of, true)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        self.know(Arc::new(schema));
    }

    fn no_columns(&self, name: &str) -> Error {
        let message = format!(
            "`{name}` is empty, so that its columns are unknown; name them with their types"
        );
        Error::new(ErrorKind::Format, message)
    }

    fn keep_columns(&mut self, names: &HashSet<String>) {
        if let Some((schema, decoder)) = &mut self.known {
            let fields = schema.fields().iter();
            let kept = fields.filter(|field| names.contains(field.name()));
            *decoder = Arc::new(JsonDecoder(Arc::new(Schema::new(
                kept.cloned().collect::<Vec<_>>(),
            ))));
        }
    }

    fn decoder(&self) -> Option<Arc<JsonDecoder>> {
        self.known.as_ref().map(|(_, decoder)| decoder.clone())
    }
}

fn lines_of(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// The columns of the first objects, ordered by name, with the types that were set. Lines that are no
/// objects are left to the decoder.
fn inferred(name: &str, text: &[u8], set: &[Column]) -> Result<SchemaRef> {
    let lines = text.split(|&byte| byte == b'\n').take(MOST_ROWS);
    let values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let objects = values.filter(Value::is_object).map(Ok);
    let schema = infer_json_schema_from_iterator(objects).map_err(|cause| {
        let message = format!("the columns of `{name}` are not clear; set their types");
        Error::new(ErrorKind::Format, message).with_source(cause)
    })?;
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    for column in set {
        let Some(of) = column.data_type() else {
            continue;
        };
        fields.retain(|field| field.name() != column.name());
        fields.push(Field::new(column.name(), of.clone(), true));
    }
    fields.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(Arc::new(Schema::new(fields)))
}

/// Decodes lines. Fields without a column are ignored, and missing ones are null.
pub(super) struct JsonDecoder(SchemaRef);

impl JsonDecoder {
    fn batches(&self, text: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
        let builder = ReaderBuilder::new(self.0.clone()).with_batch_size(ROWS);
        let mut decoder = builder.build_decoder()?;
        let (mut batches, mut rest) = (Vec::new(), text);
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
}

impl TextDecoder for JsonDecoder {
    type Scratch = ();

    fn decode(&self, chunk: &Chunk<'_>, (): &mut (), push: &mut dyn Push) -> Result<()> {
        if let Ok(batches) = self.batches(chunk.text) {
            batches
                .into_iter()
                .try_for_each(|batch| push.batch(batch))?;
            return chunk.bad_rows.record(chunk.number, [].into_iter());
        }
        let mut bad = Vec::new();
        for (number, line) in chunk.text.split(|&byte| byte == b'\n').enumerate() {
            match self.batches(line) {
                Ok(batches) => batches
                    .into_iter()
                    .try_for_each(|batch| push.batch(batch))?,
                Err(cause) => {
                    let (name, at) = (chunk.name, chunk.line + number as u64);
                    bad.push(BadRow {
                        reason: format!("`{name}`, line {at}: {}", said(&cause)),
                        bytes: line.strip_suffix(b"\r").unwrap_or(line),
                    });
                }
            }
        }
        chunk.bad_rows.record(chunk.number, bad.into_iter())
    }
}

/// What an error of Arrow says.
fn said(cause: &ArrowError) -> String {
    match cause {
        ArrowError::JsonError(text) => text.clone(),
        other => other.to_string(),
    }
}
