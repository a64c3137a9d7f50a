//! Decodes records into batches.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use keymill_kernels::stage::csv::FieldIndex;
use keymill_kernels::stage::tokenize::Span;

use super::bad::{Bad, Why, described};
use super::values::{Fields, column};
use super::without_cr;
use crate::read::pieces::{KeyedRows, Push};
use crate::read::table::text_pieces::{Chunk, TextDecoder};
use crate::{Error, ErrorKind, Level, Result};

/// Rows that are decoded at a time, so that their columns stay in the cache.
const ROWS: usize = 8192;

/// Decodes records of one number of fields.
pub(in crate::read::table) struct Decoder {
    level: Level,
    delimiter: u8,
    /// All columns.
    schema: SchemaRef,
    /// The columns that are decoded.
    kept: Kept,
    /// The number of the key, and the other columns that are decoded.
    keyed: Option<(usize, Kept)>,
    nulls: Vec<String>,
}

/// Some columns.
#[derive(Clone)]
struct Kept {
    numbers: Vec<usize>,
    schema: SchemaRef,
}

impl Kept {
    fn of(schema: &Schema, is_kept: impl Fn(&str) -> bool) -> Self {
        let fields = schema.fields().iter().enumerate();
        let kept = fields.filter(|(_, field)| is_kept(field.name()));
        let (numbers, fields): (Vec<_>, Vec<_>) =
            kept.map(|(number, field)| (number, field.clone())).unzip();
        Self {
            numbers,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// The columns but one.
    fn without(&self, number: usize) -> Self {
        let columns = self.numbers.iter().zip(self.schema.fields());
        let others = columns.filter(|(it, _)| **it != number);
        let (numbers, fields): (Vec<_>, Vec<_>) = others
            .map(|(number, field)| (*number, field.clone()))
            .unzip();
        Self {
            numbers,
            schema: Arc::new(Schema::new(fields)),
        }
    }
}

/// The fields of a chunk, and the first field of each row that has all fields.
#[derive(Default)]
pub(in crate::read::table) struct Scratch {
    index: FieldIndex,
    firsts: Vec<u32>,
    keys: Vec<Span>,
    values: Vec<Span>,
}

/// The fields of a text, and the first field of some of its rows.
#[derive(Clone, Copy)]
struct Rows<'a> {
    text: &'a [u8],
    index: &'a FieldIndex,
    firsts: &'a [u32],
}

impl Decoder {
    pub(super) fn new(level: Level, delimiter: u8, schema: SchemaRef, nulls: Vec<String>) -> Self {
        Self {
            level,
            delimiter,
            kept: Kept::of(&schema, |_| true),
            keyed: None,
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
        Self {
            kept: Kept::of(&self.schema, |name| names.contains(name)),
            keyed: None,
            schema: self.schema.clone(),
            nulls: self.nulls.clone(),
            ..*self
        }
    }

    /// Returns a decoder that leaves the key in the text where it can; `None` if it never can.
    pub(super) fn keyed_by(&self, key: &str) -> Option<Self> {
        let (number, field) = self.schema.column_with_name(key)?;
        let is_bytes = field.data_type().is_string() || field.data_type().is_binary();
        // A null spelling is a key where it is in quotes.
        (is_bytes && self.nulls.is_empty()).then(|| Self {
            keyed: Some((number, self.kept.without(number))),
            kept: self.kept.clone(),
            schema: self.schema.clone(),
            nulls: Vec::new(),
            ..*self
        })
    }

    /// Returns the fields of a column. `spans` is memory for where they are.
    fn fields<'a>(&'a self, rows: Rows<'a>, column: usize, spans: &'a mut Vec<Span>) -> Fields<'a> {
        rows.index.spans(rows.firsts, column, spans);
        if column + 1 == self.schema.fields().len() {
            rows.index.cut_crs(rows.text, spans);
        }
        Fields {
            level: self.level,
            text: rows.text,
            spans,
            has_quotes: rows.index.has_quotes(),
            nulls: &self.nulls,
        }
    }

    /// Pushes rows with their keys in the text. Returns false if these rows must be pushed as a batch.
    fn push_keyed(
        &self,
        chunk: &Chunk<'_>,
        rows: Rows<'_>,
        (keys, values): (&mut Vec<Span>, &mut Vec<Span>),
        push: &mut dyn Push,
    ) -> Result<bool> {
        let Some((key, others)) = self.keyed.as_ref().filter(|_| push.takes_keyed()) else {
            return Ok(false);
        };
        if !self.fields(rows, *key, keys).are_plain() {
            return Ok(false);
        }
        let mut bad = Vec::new();
        let others = self.batch(others, chunk, rows, values, &mut bad)?;
        let rows = KeyedRows {
            text: chunk.text,
            keys,
            others,
        };
        Ok(bad.is_empty() && push.keyed(&rows)?)
    }

    /// Finds the rows that have all fields; the others are bad. Empty lines are no rows.
    fn find_rows(&self, text: &[u8], scratch: &mut Scratch, bad: &mut Vec<Bad>) {
        let Scratch { index, firsts, .. } = scratch;
        let columns = self.schema.fields().len();
        firsts.clear();
        let rows = index.rows();
        let last_is_open = index.is_open();
        if columns > 1 && !last_is_open && index.is_uniform(columns) {
            firsts.extend((0..rows).map(|row| (row * columns) as u32));
            return;
        }
        for row in 0..rows {
            let fields = index.fields(row);
            let first = fields.start as u32;
            let is_open = last_is_open && row + 1 == rows;
            let is_blank = || fields.len() == 1 && is_blank(text, index, fields.start);
            let why = match fields.len() == columns {
                _ if is_open => Why::NotClosed,
                true if columns > 1 || !is_blank() => {
                    firsts.push(first);
                    continue;
                }
                _ if is_blank() => continue,
                _ => Why::FieldCount,
            };
            bad.push(Bad { first, why });
        }
    }

    /// Decodes some columns.
    fn batch(
        &self,
        kept: &Kept,
        chunk: &Chunk<'_>,
        rows: Rows<'_>,
        spans: &mut Vec<Span>,
        bad: &mut Vec<Bad>,
    ) -> Result<RecordBatch> {
        let firsts = rows.firsts;
        let mut arrays = Vec::with_capacity(kept.numbers.len());
        let mut is_good = Vec::new();
        for &number in &kept.numbers {
            let fields = self.fields(rows, number, spans);
            let field = self.schema.field(number);
            let mut bad_values = Vec::new();
            let array = column(field.data_type(), &fields, &mut bad_values);
            arrays.push(array.ok_or_else(|| cannot_read(chunk, field))?);
            for row in bad_values {
                is_good.resize(firsts.len(), true);
                is_good[row as usize] = false;
                let (first, why) = (firsts[row as usize], Why::Value(number));
                bad.push(Bad { first, why });
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(firsts.len()));
        let batch = RecordBatch::try_new_with_options(kept.schema.clone(), arrays, &options);
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

    fn decode(&self, chunk: &Chunk<'_>, scratch: &mut Scratch, push: &mut dyn Push) -> Result<()> {
        scratch.index.read(self.level, chunk.text, self.delimiter);
        let mut bad = Vec::new();
        self.find_rows(chunk.text, scratch, &mut bad);
        let Scratch {
            index,
            firsts,
            keys,
            values,
        } = scratch;
        for firsts in firsts.chunks(ROWS) {
            let rows = Rows {
                text: chunk.text,
                index,
                firsts,
            };
            if !self.push_keyed(chunk, rows, (keys, values), push)? {
                push.batch(self.batch(&self.kept, chunk, rows, values, &mut bad)?)?;
            }
        }
        bad.sort_by_key(|bad| bad.first);
        bad.dedup_by_key(|bad| bad.first);
        let bad = described(bad, chunk, index, &self.schema);
        chunk.bad_rows.record(chunk.number, bad)
    }
}

/// Returns whether the record that begins with a field is an empty line, if the field is its only one.
fn is_blank(text: &[u8], index: &FieldIndex, first: usize) -> bool {
    without_cr(&text[index.field(first)]).is_empty()
}

fn cannot_read(chunk: &Chunk<'_>, field: &Field) -> Error {
    let (name, of) = (field.name(), field.data_type());
    let message = format!(
        "`{}`: column `{name}` cannot be read as {of}; its values have 2 GiB, or there are no such values",
        chunk.name
    );
    Error::new(ErrorKind::Format, message)
}
