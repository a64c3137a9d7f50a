//! Rows as stores take them: an id, a version, and values as text or JSON.
#![forbid(unsafe_code)]

use std::borrow::Cow;
#[cfg(feature = "memcached")]
use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use keymill::stream::{OutputMode, SinkContext};
use keymill::{Error, ErrorKind, Result};

use crate::json_lines::json_lines;

/// The first key column of windows.
const WINDOW: &str = "window_start";

/// Some rows of an epoch.
pub struct Rows<'a> {
    pub(crate) batch: &'a RecordBatch,
    pub(crate) epoch: u64,
    /// The number of the first row in its epoch.
    pub(crate) first: usize,
    /// The id of each row.
    ///
    /// | the key | the id |
    /// |---|---|
    /// | one column | its text |
    /// | several columns | a JSON object: `{"site":"a","day":3}` |
    /// | one column, and null, empty, not UTF-8, or beginning with `{` | a JSON object: `{"site":null}` |
    /// | rows that are only added | `EPOCH-ROW` |
    pub(crate) ids: Vec<String>,
    #[cfg(any(feature = "redis", feature = "hbase", feature = "memcached"))]
    key_columns: usize,
}

/// Whether rows are only added, and so have ids of their own. Rows of closed windows have keys that come once.
pub(crate) fn is_added(context: &SinkContext) -> bool {
    let first = context.schema.fields().first();
    let is_window = first.is_some_and(|it| it.name() == WINDOW);
    context.mode == OutputMode::Append && !is_window
}

/// The values of a column as text.
pub(crate) type Texts<'a> = Vec<Option<Cow<'a, [u8]>>>;

impl<'a> Rows<'a> {
    pub(crate) fn new(
        batch: &'a RecordBatch,
        context: &SinkContext,
        epoch: u64,
        first: usize,
    ) -> Result<Self> {
        let keys = context.key_columns;
        let ids = match is_added(context) {
            true => (first..first + batch.num_rows())
                .map(|row| format!("{epoch}-{row}"))
                .collect(),
            false => ids(batch, keys)?,
        };
        Ok(Self {
            batch,
            epoch,
            first,
            ids,
            #[cfg(any(feature = "redis", feature = "hbase", feature = "memcached"))]
            key_columns: keys,
        })
    }

    /// The version of these rows. Stores have numbers from 1 on.
    #[cfg(any(feature = "opensearch", feature = "hbase"))]
    pub(crate) fn version(&self) -> u64 {
        self.epoch + 1
    }

    /// The whole rows as JSON objects, one per line.
    pub(crate) fn json(&self) -> Result<Vec<u8>> {
        json_lines(self.batch)
    }

    /// The values as JSON objects, one per line.
    #[cfg(feature = "memcached")]
    pub(crate) fn json_of_values(&self) -> Result<Vec<u8>> {
        match self.values() {
            values if values.is_empty() => Ok(b"{}\n".repeat(self.batch.num_rows())),
            values => json_lines(&project(self.batch, values)?),
        }
    }

    /// The columns that are not the key.
    #[cfg(any(feature = "redis", feature = "hbase", feature = "memcached"))]
    pub(crate) fn values(&self) -> std::ops::Range<usize> {
        self.key_columns..self.batch.num_columns()
    }

    /// The name of a column.
    #[cfg(any(feature = "redis", feature = "hbase"))]
    pub(crate) fn name(&self, column: usize) -> &str {
        self.batch.schema_ref().field(column).name()
    }

    /// A column in a form that [`texts`] reads.
    #[cfg(any(feature = "redis", feature = "hbase"))]
    pub(crate) fn plain(&self, column: usize) -> Result<ArrayRef> {
        plain(self.batch.column(column))
    }
}

/// A column of text as bytes; other columns as they are.
pub(crate) fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    match array.data_type() {
        Binary | LargeBinary | BinaryView | LargeUtf8 | Utf8 | Utf8View => {
            cast(array, &BinaryView).map_err(unwritable)
        }
        _ => Ok(array.clone()),
    }
}

/// The values of an array that [`plain`] gave: text as it is, other values as they are printed.
pub(crate) fn texts(array: &ArrayRef) -> Result<Texts<'_>> {
    if let Some(bytes) = array.as_binary_view_opt() {
        return Ok(bytes.iter().map(|it| it.map(Cow::Borrowed)).collect());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).map_err(unwritable)?;
    let rows = (0..array.len()).map(|row| match array.is_null(row) {
        true => Ok(None),
        false => {
            let text = formatter.value(row).try_to_string().map_err(unwritable)?;
            Ok(Some(Cow::Owned(text.into_bytes())))
        }
    });
    rows.collect()
}

fn unwritable(cause: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Sink, "a column cannot be written as text").with_source(cause)
}

fn ids(batch: &RecordBatch, keys: usize) -> Result<Vec<String>> {
    if keys == 1 {
        let column = plain(batch.column(0))?;
        let texts = texts(&column)?;
        let as_text = texts.iter().map(|text| plain_id(text.as_deref()));
        if let Some(ids) = as_text.collect::<Option<Vec<_>>>() {
            return Ok(ids);
        }
        let mut ids = objects(batch, keys)?;
        for (id, text) in ids.iter_mut().zip(&texts) {
            if let Some(plain) = plain_id(text.as_deref()) {
                *id = plain;
            }
        }
        return Ok(ids);
    }
    objects(batch, keys)
}

/// A key as an id, if no other key can have the same id.
fn plain_id(text: Option<&[u8]>) -> Option<String> {
    let text = str::from_utf8(text?).ok()?;
    (!text.is_empty() && !text.starts_with('{')).then(|| text.to_owned())
}

/// The keys as JSON objects.
fn objects(batch: &RecordBatch, keys: usize) -> Result<Vec<String>> {
    let lines = json_lines(&project(batch, 0..keys)?)?;
    let lines = String::from_utf8_lossy(&lines);
    Ok(lines.lines().map(str::to_owned).collect())
}

fn project(batch: &RecordBatch, columns: std::ops::Range<usize>) -> Result<RecordBatch> {
    let columns: Vec<usize> = columns.collect();
    batch.project(&columns).map_err(|cause| {
        let message = "the columns of a key cannot be had";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })
}

/// About how many bytes the values are.
pub(super) fn bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter().map(|array| match plain(array) {
        Ok(array) => match array.as_binary_view_opt() {
            Some(texts) => texts.iter().map(|it| it.map_or(0, <[u8]>::len)).sum(),
            None => array.len() * 16,
        },
        Err(_) => 0,
    });
    columns.sum()
}

/// Text with `%` and two digits for the bytes that are not kept.
#[cfg(feature = "memcached")]
pub(crate) fn percent_encoded(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let mut four = [0; 4];
        let bytes = character.encode_utf8(&mut four).as_bytes();
        if bytes.iter().all(|&byte| is_kept(byte)) {
            out.push(character);
            continue;
        }
        for byte in bytes {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
