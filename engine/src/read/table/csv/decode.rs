//! Decodes records into batches.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use keymill_kernels::stage::csv::FieldIndex;

use super::values::{Fields, column};
use super::without_cr;
use crate::read::pieces::Push;
use crate::read::table::bad_row_log::BadRow;
use crate::read::table::text_pieces::{Chunk, TextDecoder};
use crate::shown_name;
use crate::{Error, ErrorKind, Level, Result};

/// Rows that are decoded at a time, so that their columns stay in the cache.
const ROWS: usize = 8192;

/// Characters of a value that a message shows.
const SHOWN: usize = 60;

/// Decodes records of one number of fields.
pub(in crate::read::table) struct Decoder {
    level: Level,
    delimiter: u8,
    /// All columns.
    schema: SchemaRef,
    /// The numbers of the columns that are decoded.
    kept: Vec<usize>,
    /// Their schema.
    output: SchemaRef,
    nulls: Vec<String>,
}

/// The fields of a chunk, and the first field of each row that has all fields.
#[derive(Default)]
pub(in crate::read::table) struct Scratch {
    index: FieldIndex,
    firsts: Vec<u32>,
}

impl Decoder {
    pub(super) fn new(level: Level, delimiter: u8, schema: SchemaRef, nulls: Vec<String>) -> Self {
        Self {
            level,
            delimiter,
            kept: (0..schema.fields().len()).collect(),
            output: schema.clone(),
            schema,
            nulls,
        }
    }

    /// Returns all columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns a decoder of some columns.
    pub(super) fn keeping(&self, names: &HashSet<String>) -> Self {
        let fields = self.schema.fields().iter().enumerate();
        let kept = fields.filter(|(_, field)| names.contains(field.name()));
        let (kept, fields): (Vec<_>, Vec<_>) =
            kept.map(|(number, field)| (number, field.clone())).unzip();
        Self {
            kept,
            output: Arc::new(Schema::new(fields)),
            schema: self.schema.clone(),
            nulls: self.nulls.clone(),
            ..*self
        }
    }

    /// Finds the rows that have all fields; the others are bad. Empty lines are no rows.
    fn find_rows<'t>(
        &self,
        chunk: &Chunk<'t>,
        scratch: &mut Scratch,
        bad: &mut Vec<(usize, BadRow<'t>)>,
    ) {
        let Scratch { index, firsts } = scratch;
        let columns = self.schema.fields().len();
        firsts.clear();
        let rows = index.rows();
        let last_is_open = index.is_open();
        for row in 0..rows {
            let fields = index.fields(row);
            let is_whole = fields.len() == columns && !(last_is_open && row + 1 == rows);
            if is_whole && (columns > 1 || !is_blank(chunk.text, index, fields.start)) {
                firsts.push(fields.start as u32);
            } else if fields.len() > 1 || !is_blank(chunk.text, index, fields.start) {
                let why = match last_is_open && row + 1 == rows {
                    true => ": a quote is not closed".to_owned(),
                    false => format!(": {} where {columns} are expected", values(fields.len())),
                };
                bad.push((fields.start, bad_row(chunk, index, fields.start, &why)));
            }
        }
    }

    /// Decodes the rows that begin at some fields.
    fn batch<'t>(
        &self,
        chunk: &Chunk<'t>,
        index: &FieldIndex,
        firsts: &[u32],
        bad: &mut Vec<(usize, BadRow<'t>)>,
    ) -> Result<RecordBatch> {
        let columns = self.schema.fields().len();
        let mut arrays = Vec::with_capacity(self.kept.len());
        let mut is_good = Vec::new();
        for &number in &self.kept {
            let fields = Fields {
                text: chunk.text,
                index,
                firsts,
                column: number,
                is_last: number + 1 == columns,
                nulls: &self.nulls,
            };
            let field = self.schema.field(number);
            let mut bad_values = Vec::new();
            let array = column(field.data_type(), &fields, &mut bad_values);
            arrays.push(array.ok_or_else(|| cannot_read(chunk, field))?);
            for row in bad_values {
                is_good.resize(firsts.len(), true);
                is_good[row as usize] = false;
                let why = not_of_type(field, fields.raw(row as usize));
                let first = firsts[row as usize] as usize;
                bad.push((first, bad_row(chunk, index, first, &why)));
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(firsts.len()));
        let batch = RecordBatch::try_new_with_options(self.output.clone(), arrays, &options);
        let unfit =
            |cause| Error::new(ErrorKind::Internal, "columns do not fit").with_source(cause);
        let batch = batch.map_err(unfit)?;
        match is_good.is_empty() {
            true => Ok(batch),
            false => filter_record_batch(&batch, &BooleanArray::from(is_good)).map_err(unfit),
        }
    }
}

impl TextDecoder for Decoder {
    type Scratch = Scratch;

    fn decode(&self, chunk: &Chunk<'_>, scratch: &mut Scratch, push: &mut Push<'_>) -> Result<()> {
        scratch.index.read(self.level, chunk.text, self.delimiter);
        let mut bad = Vec::new();
        self.find_rows(chunk, scratch, &mut bad);
        for firsts in scratch.firsts.chunks(ROWS) {
            push(self.batch(chunk, &scratch.index, firsts, &mut bad)?)?;
        }
        bad.sort_by_key(|(first, _)| *first);
        bad.dedup_by_key(|(first, _)| *first);
        let bad: Vec<_> = bad.into_iter().map(|(_, row)| row).collect();
        chunk.bad_rows.record(chunk.number, &bad)
    }
}

/// Returns whether the record that begins with a field is an empty line, if the field is its only one.
fn is_blank(text: &[u8], index: &FieldIndex, first: usize) -> bool {
    without_cr(&text[index.field(first)]).is_empty()
}

/// Describes the row that begins with a field.
fn bad_row<'t>(chunk: &Chunk<'t>, index: &FieldIndex, first: usize, why: &str) -> BadRow<'t> {
    let last = index.fields(index.row_of(first)).end - 1;
    let start = index.field(first).start;
    let before = chunk.text[..start]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count();
    let (name, line) = (chunk.name, chunk.line + before as u64);
    BadRow {
        reason: format!("`{name}`, line {line}{why}"),
        bytes: without_cr(&chunk.text[start..index.field(last).end]),
    }
}

fn values(count: usize) -> String {
    match count {
        1 => "1 value".to_owned(),
        count => format!("{count} values"),
    }
}

fn not_of_type(field: &Field, value: &[u8]) -> String {
    let what = match field.data_type() {
        DataType::Int64 => "an integer of 64 bits",
        DataType::Float64 => "a number",
        DataType::Date32 => "a date YYYY-MM-DD",
        DataType::Timestamp(..) => "a date and a time",
        DataType::Boolean => "true or false",
        DataType::Utf8 => "UTF-8",
        _ => "of its type",
    };
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let (name, shown) = (shown_name(field.name()), shown_name(shown));
    match field.data_type() {
        DataType::Decimal128(..) => {
            let of = field.data_type();
            format!(", column `{name}`: `{shown}` is not a {of}")
        }
        _ => format!(", column `{name}`: `{shown}` is not {what}"),
    }
}

fn cannot_read(chunk: &Chunk<'_>, field: &Field) -> Error {
    let (name, of) = (field.name(), field.data_type());
    let message = format!(
        "`{}`: column `{name}` cannot be read as {of}; its values have 2 GiB, or there are no such values",
        chunk.name
    );
    Error::new(ErrorKind::Format, message)
}
