//! Arrow batches as the input of a job.
#![forbid(unsafe_code)]

use std::collections::{HashSet, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::{Field, Schema, SchemaRef};

use super::pieces::{Estimate, KeyedRows, Piece, Pieces, Push};
use super::{ReadCounts, Table};
use crate::expr::{Expr, RowSteps, without_dictionary};
use crate::{Error, ErrorKind, Resources, Result};

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A function of every batch.
type Map = Arc<dyn Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync>;

/// A sequence of record batches.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use keymill::arrow::array::{ArrayRef, StringArray};
/// use keymill::prelude::*;
/// use keymill::read::RecordBatches;
///
/// let rows: ArrayRef = Arc::new(StringArray::from(vec!["to be", "or not to be"]));
/// let counts = Engine::new()?
///     .read_record_batches(RecordBatches::of_arrays("line", [rows]))
///     .column("line")
///     .tokenize(whitespace())
///     .count_by_key()
///     .collect()?;
/// assert_eq!(counts.get("be"), Some(2));
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct RecordBatches {
    rows: Rows,
    /// What is done to every batch, in this order.
    maps: Vec<Map>,
    /// The schema after `maps`, where it differs from that of the input.
    mapped: Option<SchemaRef>,
    /// Batches of the piece that an iterator is at.
    decoded: VecDeque<RecordBatch>,
    /// Number of batches and pieces that were taken.
    taken: u64,
    counts: Arc<ReadCounts>,
}

/// Where batches come from.
enum Rows {
    Batches {
        name: String,
        schema: Option<SchemaRef>,
        batches: Peekable<Batches>,
    },
    Pieces(Box<dyn Pieces>),
}

/// A record batch, or the result of reading one.
pub trait IntoBatch {
    /// Returns the batch.
    ///
    /// # Errors
    ///
    /// The error of the result, if it is one.
    fn into_batch(self) -> Result<RecordBatch>;
}

impl IntoBatch for RecordBatch {
    fn into_batch(self) -> Result<RecordBatch> {
        Ok(self)
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> IntoBatch for Result<RecordBatch, E> {
    fn into_batch(self) -> Result<RecordBatch> {
        self.map_err(|cause| {
            let message = "cannot read a batch of the input";
            Error::new(ErrorKind::Source, message).with_source(cause)
        })
    }
}

impl RecordBatches {
    /// Creates a sequence from batches of one schema, or from the results of reading them.
    pub fn new<I>(batches: I) -> Self
    where
        I: IntoIterator,
        I::Item: IntoBatch + 'static,
        I::IntoIter: Send + 'static,
    {
        let batches = batches.into_iter().map(IntoBatch::into_batch);
        Self::of("batches", None, Box::new(batches))
    }

    /// Creates a sequence from a reader, whose schema is known before its first batch.
    pub fn of_reader(reader: impl RecordBatchReader + Send + 'static) -> Self {
        let schema = reader.schema();
        let batches = reader.map(IntoBatch::into_batch);
        Self::of("batches", Some(schema), Box::new(batches))
    }

    /// Creates a sequence from arrays of one type: each is a batch with one column of this name.
    pub fn of_arrays<I>(column: &str, arrays: I) -> Self
    where
        I: IntoIterator<Item = ArrayRef>,
        I::IntoIter: Send + 'static,
    {
        let name = column.to_owned();
        let batches = arrays
            .into_iter()
            .map(move |array| one_column(&name, array));
        Self::of("arrays", None, Box::new(batches))
    }

    fn of(name: &str, schema: Option<SchemaRef>, batches: Batches) -> Self {
        Self::of_rows(Rows::Batches {
            name: name.to_owned(),
            schema,
            batches: batches.peekable(),
        })
    }

    /// Creates a sequence of the rows of a table. An error of opening it is that of its schema.
    pub(crate) fn of_table(table: Table, resources: &Resources) -> Self {
        match table.open(resources) {
            Ok(pieces) => Self::of_rows(Rows::Pieces(pieces)),
            Err(error) => {
                let batches = std::iter::once(Err(error));
                Self::of("table", None, Box::new(batches))
            }
        }
    }

    fn of_rows(rows: Rows) -> Self {
        Self {
            rows,
            maps: Vec::new(),
            mapped: None,
            decoded: VecDeque::new(),
            taken: 0,
            counts: Arc::default(),
        }
    }

    /// Evaluates an expression on every batch. The new batches have only its result as a column.
    pub(crate) fn project(self, expr: Expr) -> Self {
        self.map(move |batch| {
            let column = without_dictionary(&expr.evaluate(&batch)?)?;
            one_column(&expr.to_string(), column)
        })
    }

    /// Calls a function on every batch, in the thread that decodes it. The schema is then that of the
    /// input, and not that of the new batches.
    pub(crate) fn map(
        mut self,
        map: impl Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
    ) -> Self {
        self.maps.push(Arc::new(map));
        self
    }

    /// Does these steps with every batch. `used` are the columns that are needed after them; `None` needs
    /// all.
    ///
    /// # Errors
    ///
    /// Those of [`RecordBatches::schema`] and of the steps.
    pub(crate) fn with_steps(
        mut self,
        steps: &RowSteps,
        used: Option<HashSet<String>>,
    ) -> Result<Self> {
        let schema = self.schema()?;
        let bound = steps.bind(&schema)?;
        self.keep_rows(steps);
        if let Some(used) = steps.columns(used) {
            self.keep_columns(&used);
        }
        if steps.is_empty() {
            return Ok(self);
        }
        let after = bound.schema().clone();
        let mut mapped = self.map(move |batch| bound.apply(batch));
        mapped.mapped = Some(after);
        Ok(mapped)
    }

    /// Says that only rows that pass the filters are used.
    pub(crate) fn keep_rows(&mut self, steps: &RowSteps) {
        if let (Rows::Pieces(pieces), Some(condition)) = (&mut self.rows, steps.first_filter()) {
            pieces.keep_rows(&condition);
        }
    }

    /// Returns the number of rows to read, as far as the beginning of the input tells.
    pub(crate) fn estimate(&mut self) -> Option<Estimate> {
        match &mut self.rows {
            Rows::Batches { .. } => None,
            Rows::Pieces(pieces) => pieces.estimate(),
        }
    }

    /// Returns what counts the rows that are read.
    pub(crate) fn counts(&self) -> Arc<ReadCounts> {
        self.counts.clone()
    }

    /// Says that only some columns of the input are used, so that the others need not be decoded.
    pub(crate) fn keep_columns(&mut self, names: &HashSet<String>) {
        if let Rows::Pieces(pieces) = &mut self.rows {
            pieces.keep_columns(names);
        }
    }

    /// Says that rows are grouped by this column of bytes alone. Returns whether readers leave it in the text
    /// where they can.
    pub(crate) fn group_by(&mut self, key: &str) -> bool {
        match &mut self.rows {
            Rows::Pieces(pieces) if self.maps.is_empty() => pieces.group_by(key),
            _ => false,
        }
    }

    /// Returns the schema of the input, which is that of the first batch if no reader gave it.
    ///
    /// # Errors
    ///
    /// The error of reading the first batch, and [`ErrorKind::Config`] if there is no batch.
    pub(crate) fn schema(&mut self) -> Result<SchemaRef> {
        if let Some(schema) = &self.mapped {
            return Ok(schema.clone());
        }
        let (schema, batches) = match &mut self.rows {
            Rows::Pieces(pieces) => return pieces.schema(),
            Rows::Batches {
                schema, batches, ..
            } => (schema, batches),
        };
        if let Some(schema) = schema {
            return Ok(schema.clone());
        }
        match batches.peek() {
            Some(Ok(batch)) => Ok(batch.schema()),
            Some(Err(_)) => match batches.next() {
                Some(Err(error)) => Err(error),
                _ => Err(no_batch()),
            },
            None => Err(no_batch()),
        }
    }

    /// The columns of the batches, if they are known or there is a first batch. An error that came
    /// instead is told, and stays for the job.
    pub(crate) fn peek_schema(&mut self) -> std::result::Result<SchemaRef, String> {
        let (schema, batches) = match &mut self.rows {
            Rows::Pieces(pieces) => return pieces.schema().map_err(|error| error.to_string()),
            Rows::Batches {
                schema, batches, ..
            } => (schema, batches),
        };
        if let Some(schema) = schema {
            return Ok(schema.clone());
        }
        match batches.peek() {
            Some(Ok(batch)) => Ok(batch.schema()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(no_batch().to_string()),
        }
    }

    pub(crate) fn describe(&self) -> String {
        match &self.rows {
            Rows::Batches { name, .. } => name.clone(),
            Rows::Pieces(pieces) => pieces.describe(),
        }
    }

    /// Returns the number of bytes to read, if it is known.
    pub(crate) fn total(&self) -> Option<u64> {
        match &self.rows {
            Rows::Batches { .. } => None,
            Rows::Pieces(pieces) => pieces.total(),
        }
    }

    /// Returns the next rows, for a thread to decode.
    pub(crate) fn next_rows(&mut self, resources: &Resources) -> Option<Result<SomeRows>> {
        let form = match &mut self.rows {
            Rows::Batches { batches, .. } => batches.next()?.map(Form::Batch),
            Rows::Pieces(pieces) => {
                let piece = pieces.next(resources);
                self.counts.leave_out(pieces.left_out());
                piece.transpose()?.map(Form::Piece)
            }
        };
        self.taken += 1;
        Some(form.map(|form| SomeRows {
            number: self.taken - 1,
            form,
            maps: self.maps.clone(),
            counts: self.counts.clone(),
        }))
    }

    /// Ends the input after the batch or piece with this number; later ones are not used. Returns how many
    /// rows were rejected, or the first error of decoding.
    pub(crate) fn finish(&mut self, last: u64) -> Result<u64> {
        match &mut self.rows {
            Rows::Batches { .. } => Ok(0),
            Rows::Pieces(pieces) => pieces.finish(last),
        }
    }
}

/// Some rows of a sequence: a batch, or a piece that is not decoded yet.
pub(crate) struct SomeRows {
    /// Their place in the order of the input.
    number: u64,
    form: Form,
    maps: Vec<Map>,
    counts: Arc<ReadCounts>,
}

enum Form {
    Batch(RecordBatch),
    Piece(Box<dyn Piece>),
}

impl SomeRows {
    /// Returns their place in the order of the input: the number of batches and pieces before them.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the bytes of the input that these rows have; `None` for batches of others.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match &self.form {
            Form::Batch(_) => None,
            Form::Piece(piece) => Some(piece.bytes()),
        }
    }

    /// Decodes the rows.
    pub(crate) fn decode(self, push: &mut dyn Push) -> Result<()> {
        let mut mapped = Mapped {
            maps: self.maps,
            counts: self.counts,
            push,
        };
        match self.form {
            Form::Batch(batch) => mapped.batch(batch),
            Form::Piece(piece) => piece.decode(&mut mapped),
        }
    }
}

/// Counts rows, and does to every batch what is to be done.
struct Mapped<'a> {
    maps: Vec<Map>,
    counts: Arc<ReadCounts>,
    push: &'a mut dyn Push,
}

impl Push for Mapped<'_> {
    fn batch(&mut self, batch: RecordBatch) -> Result<()> {
        self.counts.add_rows(batch.num_rows());
        let batch = self.maps.iter().try_fold(batch, |batch, map| map(batch))?;
        self.push.batch(batch)
    }

    fn takes_keyed(&self) -> bool {
        self.maps.is_empty() && self.push.takes_keyed()
    }

    fn keyed(&mut self, rows: &KeyedRows<'_>) -> Result<bool> {
        let taken = self.push.keyed(rows)?;
        if taken {
            self.counts.add_rows(rows.keys.len());
        }
        Ok(taken)
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.decoded.pop_front() {
                return Some(Ok(batch));
            }
            let decoded = &mut Vec::new();
            let rows = self.next_rows(&Resources::default());
            let Some(rows) = rows else {
                return self.finish(u64::MAX).err().map(Err);
            };
            let done = rows.and_then(|rows| {
                rows.decode(&mut |batch: RecordBatch| {
                    decoded.push(batch);
                    Ok(())
                })
            });
            if let Err(error) = done {
                return Some(Err(error));
            }
            self.decoded.extend(decoded.drain(..));
        }
    }
}

fn no_batch() -> Error {
    let message = "the input has no batch, so its columns are unknown; use a reader with a schema";
    Error::new(ErrorKind::Config, message)
}

fn one_column(name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let field = Field::new(name, column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    RecordBatch::try_new(schema, vec![column]).map_err(|cause| {
        Error::new(ErrorKind::Internal, "a column does not fit its schema").with_source(cause)
    })
}
