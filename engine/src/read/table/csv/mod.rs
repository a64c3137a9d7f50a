//! Comma-separated values: the names and types of columns, and what decodes records.

mod bad;
mod decode;
mod infer;
mod values;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use keymill_kernels::stage::csv::{FieldIndex, LastRecord, QUOTE, last_record, unquoted};

use super::bad_row_log::BadRowLog;
use super::text_pieces::{Chunk, TextDecoder, TextFormat};
use super::{BadRows, Column, Options, TableFormat, wrong};
use crate::{Error, ErrorKind, Level, Result};
use decode::{Decoder, Scratch};

/// The format, and what the first input says about the columns.
pub(super) struct Csv {
    level: Level,
    delimiter: u8,
    options: Options,
    known: Option<Known>,
}

struct Known {
    /// The input that the columns are from.
    name: String,
    /// The names in the header.
    header: Vec<String>,
    decoder: Arc<Decoder>,
}

impl Csv {
    pub(super) fn new(format: TableFormat, options: Options, level: Level) -> Result<Self> {
        let delimiter = options.delimiter.unwrap_or(match format {
            TableFormat::Tsv => b'\t',
            _ => b',',
        });
        if !delimiter.is_ascii() || [QUOTE, b'\n', b'\r'].contains(&delimiter) {
            return Err(wrong(
                "the delimiter must be an ASCII character, but no quote and no line end".to_owned(),
            ));
        }
        let mut csv = Self {
            level,
            delimiter,
            options,
            known: None,
        };
        if !csv.options.has_header
            && csv
                .options
                .columns
                .iter()
                .all(|it| it.data_type().is_some())
        {
            csv.know_all_columns();
        }
        Ok(csv)
    }

    /// Sets the columns, if the options say everything about them.
    fn know_all_columns(&mut self) {
        let columns = &self.options.columns;
        if columns.is_empty() {
            return;
        }
        let fields = columns.iter().map(|column| {
            let of = column.data_type().cloned().unwrap_or(DataType::Utf8);
            Field::new(column.name(), of, true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.know("", Vec::new(), schema);
    }

    fn know(&mut self, name: &str, header: Vec<String>, schema: SchemaRef) {
        let nulls = self.options.nulls.clone();
        let decoder = Decoder::new(self.level, self.delimiter, schema, nulls);
        self.known = Some(Known {
            name: name.to_owned(),
            header,
            decoder: Arc::new(decoder),
        });
    }

    /// Finds out the columns from the beginning of the first input.
    fn learn(&mut self, name: &str, header: Vec<String>, rows: &[u8]) -> Result<()> {
        let mut index = FieldIndex::default();
        index.read(self.level, rows, self.delimiter);
        let mut columns = match self.options.has_header {
            true => typed_columns(name, &header, &self.options.columns)?,
            false if self.options.columns.is_empty() => {
                let count = (0..index.rows()).map(|row| index.fields(row).len()).next();
                let names = (1..=count.unwrap_or(0)).map(|number| format!("c{number}"));
                names.map(Column::new).collect()
            }
            false => self.options.columns.clone(),
        };
        infer::types(&mut columns, rows, &index, &self.options.nulls);
        let fields = columns.iter().map(|column| {
            let of = column.data_type().cloned().unwrap_or(DataType::Utf8);
            Field::new(column.name(), of, true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.know(name, header, schema);
        Ok(())
    }

    /// Returns the names in the first record that is not empty, and the bytes up to its end.
    fn header(&self, name: &str, text: &[u8]) -> Result<(Vec<String>, usize)> {
        let mut index = FieldIndex::default();
        index.read(self.level, text, self.delimiter);
        for row in 0..index.rows() {
            let fields = index.fields(row);
            let bytes = &text[index.field(fields.start).start..index.field(fields.end - 1).end];
            let end = (index.field(fields.end - 1).end + 1).min(text.len());
            if index.is_open() && row + 1 == index.rows() {
                let message = format!("`{name}`: a quote in the header is not closed");
                return Err(Error::new(ErrorKind::Format, message));
            }
            if !without_cr(bytes).is_empty() {
                let names = fields.map(|field| name_of(without_cr(&text[index.field(field)])));
                return Ok((names.collect(), end));
            }
        }
        Ok((Vec::new(), text.len()))
    }
}

impl TextFormat for Csv {
    type Decoder = Decoder;

    fn last_record(&self, text: &[u8]) -> LastRecord {
        last_record(self.level, text, self.delimiter)
    }

    fn begin(&mut self, name: &str, text: &[u8]) -> Result<usize> {
        let (header, bytes) = match self.options.has_header {
            true => self.header(name, text)?,
            false => (Vec::new(), 0),
        };
        match &self.known {
            None => self.learn(name, unique(header), &text[bytes..])?,
            Some(known) => {
                let header = unique(header);
                if known.header != header {
                    return Err(other_columns(known, name, &header));
                }
            }
        }
        Ok(bytes)
    }

    fn schema(&self) -> Option<SchemaRef> {
        let decoder = self.known.as_ref().map(|known| &known.decoder);
        decoder.map(|decoder| decoder.schema().clone())
    }

    fn no_columns(&self, name: &str) -> Error {
        let message = format!(
            "`{name}` is empty, so that its columns are unknown; name them and their types, and say that there is no header"
        );
        Error::new(ErrorKind::Format, message)
    }

    fn keep_columns(&mut self, names: &HashSet<String>) {
        if let Some(known) = &mut self.known {
            known.decoder = Arc::new(known.decoder.keeping(names));
        }
    }

    fn group_by(&mut self, key: &str) -> bool {
        let Some(known) = &mut self.known else {
            return false;
        };
        let keyed = known.decoder.keyed_by(key).map(Arc::new);
        let is_keyed = keyed.is_some();
        known.decoder = keyed.unwrap_or_else(|| known.decoder.clone());
        is_keyed
    }

    fn decoder(&self) -> Option<Arc<Decoder>> {
        self.known.as_ref().map(|known| known.decoder.clone())
    }
}

/// Decodes whole records of less than 4 GiB without a header. Returns their batches and the number of bad
/// rows.
pub(in crate::read) fn decode(
    text: &[u8],
    delimiter: u8,
    schema: &SchemaRef,
) -> Result<(Vec<RecordBatch>, u64)> {
    let bad_rows = BadRowLog::new(&BadRows::Skip)?;
    let chunk = Chunk {
        text,
        name: "",
        line: 1,
        number: 0,
        bad_rows: &bad_rows,
    };
    let decoder = Decoder::new(Level::best(), delimiter, schema.clone(), Vec::new());
    let mut batches = Vec::new();
    decoder.decode(
        &chunk,
        &mut Scratch::default(),
        &mut |batch: RecordBatch| {
            batches.push(batch);
            Ok(())
        },
    )?;
    Ok((batches, bad_rows.finish(chunk.number)?))
}

/// Returns the columns of a header, with the types that were set.
fn typed_columns(name: &str, header: &[String], set: &[Column]) -> Result<Vec<Column>> {
    if let Some(unknown) = set
        .iter()
        .find(|column| !header.iter().any(|it| it == column.name()))
    {
        let (unknown, names) = (unknown.name(), header.join(", "));
        return Err(wrong(format!(
            "`{name}` has no column `{unknown}`; its header names: {names}"
        )));
    }
    let typed = |of: &String| {
        let set = set.iter().find(|column| column.name() == of);
        set.cloned().unwrap_or_else(|| Column::new(of))
    };
    Ok(header.iter().map(typed).collect())
}

fn other_columns(known: &Known, name: &str, header: &[String]) -> Error {
    let (first, expected, found) = (&known.name, known.header.join(", "), header.join(", "));
    let message = format!(
        "the columns of `{name}` ({found}) are not those of `{first}` ({expected}); read them in jobs of \
         their own"
    );
    Error::new(ErrorKind::Format, message)
}

/// Gives columns without a name, and those with the name of an earlier one, names of their own.
fn unique(header: Vec<String>) -> Vec<String> {
    let mut names = HashSet::new();
    let own = |(number, name): (usize, String)| {
        let name = match name.is_empty() {
            true => format!("c{}", number + 1),
            false => name,
        };
        let mut candidate = name.clone();
        let mut next = 2;
        while !names.insert(candidate.clone()) {
            candidate = format!("{name}_{next}");
            next += 1;
        }
        candidate
    };
    header.into_iter().enumerate().map(own).collect()
}

fn name_of(field: &[u8]) -> String {
    String::from_utf8_lossy(&unquoted(field)).trim().to_owned()
}

/// Returns a field without the CR of a CRLF.
pub(super) fn without_cr(field: &[u8]) -> &[u8] {
    field.strip_suffix(b"\r").unwrap_or(field)
}

#[cfg(test)]
mod tests;
