//! Output formats: one file per format. Each implements [`BatchWriter`].
//!
//! | format | a row of key `to be`, count 7 | bytes that are not UTF-8 |
//! |---|---|---|
//! | [`Format::Table`] | `to be      7` below a heading | `\xff` |
//! | [`Format::Tsv`] | `to be⇥7` | unchanged |
//! | [`Format::Csv`] | `to be,7` below the line `key,count` | unchanged |
//! | [`Format::Json`] | `{"key":"to be","count":7}` | `{"key_base64":"/w==","count":7}` |
//! | [`Format::Markdown`] | `\| to be \| 7 \|` below a heading | unchanged |
//! | [`Format::Parquet`], [`Format::Arrow`] | a row of a binary and an integer column | unchanged |
#![forbid(unsafe_code)]

mod column;
mod csv;
mod digits;
#[cfg(feature = "ipc")]
mod ipc;
mod json;
mod lines;
mod lists;
mod markdown;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(any(feature = "ipc", feature = "parquet"))]
mod regroup;
mod row_writer;
#[cfg(feature = "table")]
mod table;
#[cfg(test)]
mod tests;
mod tsv;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::write::cannot_write;
use crate::{Error, ErrorKind, Result};

pub use digits::grouped;
pub use json::decode_base64;
pub use tsv::unescape;

/// An output format.
///
/// # Examples
///
/// ```
/// use keymill::write::Format;
///
/// assert_eq!("tsv".parse::<Format>()?, Format::Tsv);
/// assert!("xml".parse::<Format>().is_err());
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// An aligned table for people.
    Table,
    /// Tab-separated values without a heading. Tab, LF, CR and backslash are written as `\t`, `\n`,
    /// `\r`, `\\`.
    Tsv,
    /// Comma-separated values with a heading, quoted as in RFC 4180. Lines end with LF.
    Csv,
    /// One JSON object per line.
    Json,
    /// A table in Markdown.
    Markdown,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC file.
    Arrow,
}

impl Format {
    /// All formats, including those that this build lacks.
    pub const ALL: [Self; 7] = [
        Self::Table,
        Self::Tsv,
        Self::Csv,
        Self::Json,
        Self::Markdown,
        Self::Parquet,
        Self::Arrow,
    ];

    /// Returns the format's name, which [`FromStr`] reads.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Tsv => "tsv",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// Returns whether the format is binary and not fit for a terminal.
    #[must_use]
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }

    /// Creates a writer for batches of one schema.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if this build lacks the format, or the format cannot write a column's
    /// type; [`ErrorKind::Sink`] if the first bytes cannot be written.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use arrow_array::{ArrayRef, BinaryViewArray, RecordBatch, UInt64Array};
    /// use keymill::write::Format;
    ///
    /// let keys: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([b"to", b"be"]));
    /// let counts: ArrayRef = Arc::new(UInt64Array::from(vec![2, 1]));
    /// let batch = RecordBatch::try_from_iter([("key", keys), ("count", counts)])?;
    ///
    /// let mut out = Vec::new();
    /// let mut writer = Format::Tsv.writer(&batch.schema(), &mut out)?;
    /// writer.write(&batch)?;
    /// writer.finish()?;
    /// drop(writer);
    /// assert_eq!(out, b"to\t2\nbe\t1\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn writer<'w>(
        self,
        schema: &SchemaRef,
        out: impl Write + Send + 'w,
    ) -> Result<Box<dyn BatchWriter + 'w>> {
        self.writer_within(None, schema, out)
    }

    /// Creates a writer for a terminal with this number of columns. Only the table uses the number: it
    /// truncates long texts.
    ///
    /// # Errors
    ///
    /// Those of [`Format::writer`].
    pub fn writer_within<'w>(
        self,
        columns: Option<usize>,
        schema: &SchemaRef,
        out: impl Write + Send + 'w,
    ) -> Result<Box<dyn BatchWriter + 'w>> {
        #[cfg(not(feature = "table"))]
        let _ = columns;
        Ok(match self {
            Self::Tsv => Box::new(row_writer::RowWriter::new(tsv::Tsv, schema, out)?),
            Self::Csv => Box::new(row_writer::RowWriter::new(csv::Csv, schema, out)?),
            Self::Markdown => {
                Box::new(row_writer::RowWriter::new(markdown::Markdown, schema, out)?)
            }
            Self::Json => {
                let rows = json::Json::new(schema);
                Box::new(row_writer::RowWriter::new(rows, schema, out)?)
            }
            #[cfg(feature = "table")]
            Self::Table => Box::new(table::TableWriter::new(columns, schema, out)?),
            #[cfg(feature = "parquet")]
            Self::Parquet => Box::new(parquet::ParquetWriter::new(schema, out)?),
            #[cfg(feature = "ipc")]
            Self::Arrow => Box::new(ipc::IpcWriter::new(schema, out)?),
            #[cfg(not(all(feature = "table", feature = "parquet", feature = "ipc")))]
            _ => return Err(not_built_in(self)),
        })
    }
}

/// Writes the batches of one result, in order.
pub trait BatchWriter {
    /// Writes the rows of one batch. They may be buffered.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if the bytes cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes the buffered rows and the end of the format. Call it once, at the end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if the bytes cannot be written.
    fn finish(&mut self) -> Result<()>;
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| {
                let message = format!(
                    "`{name}` is not a format; use table, tsv, csv, json, markdown, parquet or arrow"
                );
                Error::new(ErrorKind::Config, message)
            })
    }
}

#[cfg(not(all(feature = "table", feature = "parquet", feature = "ipc")))]
fn not_built_in(format: Format) -> Error {
    let message = format!("this build lacks the format `{format}`; enable its feature");
    Error::new(ErrorKind::Config, message)
}

/// Returns the error for bytes that could not be written.
fn sink_error(cause: io::Error) -> Error {
    cannot_write("the result", cause)
}
