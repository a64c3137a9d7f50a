//! The answer of a drain: batches that are made when they are asked for.

use std::fmt;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

use crate::Result;

/// Makes the batches of a drain, one after another.
pub(crate) trait BatchSource: Send {
    /// The next batch; `None` after the last one.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;

    /// How many groups were found until now.
    fn groups(&self) -> u64;

    /// How many bytes were spilled to make the batches until now.
    fn spilled_bytes(&self) -> u64;

    /// Whether the next batch is there already.
    fn has_ready(&self) -> bool;
}

/// The answer of a drain: record batches, each made when it is asked for.
///
/// Dropping it early drops the groups that have not left. It uses the threads of the rayon pool
/// in which `next` is called, and the caller's thread alone outside of one.
pub struct Batches {
    schema: SchemaRef,
    source: Box<dyn BatchSource>,
    /// Rows that may still leave.
    left: usize,
    failed: bool,
}

impl Batches {
    pub(crate) fn new(
        schema: SchemaRef,
        source: impl BatchSource + 'static,
        top: Option<usize>,
    ) -> Self {
        Self {
            schema,
            source: Box::new(source),
            left: top.unwrap_or(usize::MAX),
            failed: false,
        }
    }

    /// The columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// How many distinct keys were found: all of them from the start when they leave in order, and
    /// after the last batch when they do not.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.source.groups()
    }

    /// How many bytes were spilled to make the batches until now.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.source.spilled_bytes()
    }

    /// Whether the next batch is there already.
    pub(crate) fn has_ready(&self) -> bool {
        self.source.has_ready()
    }

    /// The same batches as an Arrow reader, for libraries that take one.
    #[must_use]
    pub fn into_reader(self) -> impl RecordBatchReader + Send {
        BatchReader {
            schema: self.schema(),
            batches: self,
        }
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("schema", &self.schema)
            .field("groups", &self.groups())
            .finish_non_exhaustive()
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.left == 0 {
            return None;
        }
        let mut batch = match self.source.next_batch() {
            Ok(batch) => batch?,
            Err(error) => {
                self.failed = true;
                return Some(Err(error));
            }
        };
        if batch.num_rows() > self.left {
            batch = batch.slice(0, self.left);
        }
        self.left -= batch.num_rows();
        Some(Ok(batch))
    }
}

/// Batches of ours as an Arrow reader.
pub(crate) struct BatchReader<I> {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: I,
}

impl<I: Iterator<Item = Result<RecordBatch>>> Iterator for BatchReader<I> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?;
        Some(batch.map_err(|error| ArrowError::ExternalError(Box::new(error))))
    }
}

impl<I: Iterator<Item = Result<RecordBatch>>> RecordBatchReader for BatchReader<I> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
