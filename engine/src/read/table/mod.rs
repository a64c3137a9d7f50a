//! Files of rows: comma-separated values, and what their columns are.
//!
//! ```text
//! files ─ next ─▶ chunk of whole records ─ decode ─▶ batches, without bad rows
//!           └─ first chunk ─▶ names and types of the columns
//! ```
#![forbid(unsafe_code)]

#[cfg(any(feature = "csv", feature = "json"))]
mod bad_row_log;
mod bad_rows;
mod column;
#[cfg(feature = "csv")]
mod csv;
mod format;
mod input;
#[cfg(feature = "ipc")]
mod ipc;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(any(feature = "csv", feature = "json"))]
mod reject_file;
#[cfg(any(feature = "csv", feature = "json"))]
mod text_pieces;

use std::io::Read;
use std::sync::Arc;

#[cfg(any(feature = "parquet", feature = "ipc"))]
use arrow_schema::SchemaRef;

use super::pieces::Pieces;
use super::{FileSource, IntoPaths, ReaderSource, RecordBatches};
use crate::{Error, ErrorKind, Resources, Result};

#[cfg(feature = "csv")]
pub(super) use csv::decode as decode_csv;

pub use bad_rows::BadRows;
pub use column::Column;
pub use format::TableFormat;

use input::{Input, Place};

/// Files of rows, and how they are read.
///
/// # Examples
///
/// ```
/// use keymill::aggregate::{mean, sum};
/// use keymill::prelude::*;
/// use keymill::read::Table;
///
/// let lines = "oslo;4\nrome;18\noslo;-2\n";
/// let table = Table::of_bytes(lines).delimiter(b';').header(false);
/// let table = table.columns(["city".parse()?, "t:float".parse()?]);
/// let job = Engine::new()?.read_table(table).group_by(["city"]).agg([sum("t"), mean("t")]);
/// assert_eq!(job.collect()?.num_rows(), 2);
/// # Ok::<(), keymill::Error>(())
/// ```
#[must_use = "a table is read by a job"]
pub struct Table {
    input: Result<Input>,
    format: Option<TableFormat>,
    options: Options,
}

/// How text is read as rows.
#[derive(Clone, Debug)]
pub(super) struct Options {
    delimiter: Option<u8>,
    has_header: bool,
    columns: Vec<Column>,
    nulls: Vec<String>,
    bad_rows: BadRows,
}

impl Table {
    /// Reads files. A path is a file, a pipe, or a pattern such as `logs/*.csv` if no file has that name.
    /// gzip and zstd are recognized by their first bytes. The format is that of the first file's name or of
    /// its first bytes.
    pub fn new(paths: impl IntoPaths) -> Self {
        match FileSource::from_patterns(&paths.into_paths()) {
            Ok(files) => Self::of_files(files),
            Err(error) => Self::of(Err(error)),
        }
    }

    /// Reads files that were found.
    pub fn of_files(files: FileSource) -> Self {
        Self::of(Ok(Input::new(Place::Files(files))))
    }

    /// Reads a stream to its end.
    pub fn of_reader(reader: impl Read + Send + 'static) -> Self {
        Self::of(Ok(Input::new(Place::Reader(ReaderSource::new(reader)))))
    }

    /// Reads bytes in memory, which are not decompressed.
    pub fn of_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::of(Ok(Input::new(Place::Memory(Arc::new(bytes)))))
    }

    fn of(input: Result<Input>) -> Self {
        let options = Options {
            delimiter: None,
            has_header: true,
            columns: Vec::new(),
            nulls: Vec::new(),
            bad_rows: BadRows::Fail,
        };
        Self {
            input,
            format: None,
            options,
        }
    }

    /// Sets the format.
    pub fn format(self, format: TableFormat) -> Self {
        Self {
            format: Some(format),
            ..self
        }
    }

    /// Sets the byte between values: an ASCII character, but no quote and no line end. The default is a tab
    /// for TSV, and else a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.options.delimiter = Some(delimiter);
        self
    }

    /// Sets whether the first record of each file names the columns, which is the default.
    pub fn header(mut self, has_header: bool) -> Self {
        self.options.has_header = has_header;
        self
    }

    /// Sets columns. Without a header these are all columns, in their order. Else these are the types of
    /// some of them. A column without a type gets one that fits its first values.
    pub fn columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.options.columns = columns.into_iter().collect();
        self
    }

    /// Sets spellings of null. An empty value without quotes is always null.
    pub fn nulls<S: Into<String>>(mut self, spellings: impl IntoIterator<Item = S>) -> Self {
        self.options.nulls = spellings.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what happens to rows that cannot be read. The default is [`BadRows::Fail`].
    pub fn bad_rows(mut self, policy: BadRows) -> Self {
        self.options.bad_rows = policy;
        self
    }

    /// Returns the rows as Arrow batches, which are decoded as they are taken. An error is the last item.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::read::Table;
    ///
    /// let batches = Table::of_bytes("site,count\na,3\nb,5\n").batches();
    /// let rows = batches.map(|batch| Ok(batch?.num_rows())).sum::<keymill::Result<usize>>()?;
    /// assert_eq!(rows, 2);
    /// # Ok::<(), keymill::Error>(())
    /// ```
    #[must_use]
    pub fn batches(self) -> RecordBatches {
        RecordBatches::of_table(self, &Resources::default())
    }

    /// Opens the input.
    pub(crate) fn open(self, resources: &Resources) -> Result<Box<dyn Pieces>> {
        let input = self.input?;
        let format = match self.format {
            Some(format) => format,
            None => TableFormat::detect(&input)?,
        };
        let _ = (&self.options, resources);
        match format {
            #[cfg(feature = "csv")]
            TableFormat::Csv | TableFormat::Tsv => {
                let csv = csv::Csv::new(format, self.options.clone(), resources.level)?;
                let pieces = text_pieces::TextPieces::new(input, csv, &self.options.bad_rows)?;
                Ok(Box::new(pieces))
            }
            #[cfg(feature = "json")]
            TableFormat::Json => {
                let json = json::Json::new(&self.options);
                let pieces = text_pieces::TextPieces::new(input, json, &self.options.bad_rows)?;
                Ok(Box::new(pieces))
            }
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => Ok(Box::new(parquet::ParquetPieces::new(
                input,
                &resources.memory,
            )?)),
            #[cfg(feature = "ipc")]
            TableFormat::Arrow => Ok(Box::new(ipc::IpcPieces::new(input, &resources.memory)?)),
            #[cfg(not(all(
                feature = "csv",
                feature = "json",
                feature = "parquet",
                feature = "ipc"
            )))]
            format => {
                let what = input.describe();
                Err(wrong(format!(
                    "{what}: this build cannot read {format}; enable its feature"
                )))
            }
        }
    }
}

/// Checks that all files have the columns of the first one.
#[cfg(any(feature = "parquet", feature = "ipc"))]
fn same_columns(
    first: &mut Option<(String, SchemaRef)>,
    name: &str,
    schema: &SchemaRef,
) -> Result<()> {
    let Some((first, expected)) = first else {
        *first = Some((name.to_owned(), schema.clone()));
        return Ok(());
    };
    let columns = |schema: &SchemaRef| -> Vec<String> {
        let fields = schema.fields().iter();
        let column = fields.map(|field| format!("{} {}", field.name(), field.data_type()));
        column.collect()
    };
    let (expected, found) = (columns(expected), columns(schema));
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.join(", "), found.join(", "));
    let message = format!(
        "the columns of `{name}` ({found}) are not those of `{first}` ({expected}); read them in jobs of \
         their own"
    );
    Err(Error::new(ErrorKind::Format, message))
}

/// Returns the error for an option that makes no sense.
fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
