//! The result of a drain: batches that are computed when they are requested.

use std::fmt;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

use crate::Result;

/// Computes the batches of a drain, one after another.
pub(crate) trait BatchSource: Send {
    /// Returns the next batch; `None` after the last one.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;

    /// Ends the input early: no further batch is requested.
    ///
    /// # Errors
    ///
    /// Those of the rows that were read.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }

    /// Returns the number of groups found so far.
    fn groups(&self) -> u64;

    /// Returns the bytes spilled by the drain so far.
    fn spilled_bytes(&self) -> u64;

    /// Returns whether the next batch is already computed.
    fn has_ready(&self) -> bool;
}

/// The result of a drain: record batches, each computed when it is requested.
///
/// Dropping it early drops the remaining groups. It uses the threads of the rayon pool in which `next`
/// is called; outside of a pool only the caller's thread.
pub struct Batches {
    schema: SchemaRef,
    source: Box<dyn BatchSource>,
    /// Maximum number of further rows.
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

    /// Returns the schema of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Returns the number of distinct keys found so far. Ordered output has found all of them before the
    /// first batch, other output after the last one.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.source.groups()
    }

    /// Returns the bytes spilled by the drain so far.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.source.spilled_bytes()
    }

    /// Returns whether the next batch is already computed.
    pub(crate) fn has_ready(&self) -> bool {
        self.source.has_ready()
    }

    /// Returns the batches as an Arrow reader, for libraries that need one.
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
        if self.failed {
            return None;
        }
        let batch = match self.left {
            0 => self.source.end().map(|()| None),
            _ => self.source.next_batch(),
        };
        let mut batch = match batch {
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

impl BatchSource for Batches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.next().transpose()
    }

    fn end(&mut self) -> Result<()> {
        self.source.end()
    }

    fn groups(&self) -> u64 {
        self.source.groups()
    }

    fn spilled_bytes(&self) -> u64 {
        self.source.spilled_bytes()
    }

    fn has_ready(&self) -> bool {
        self.source.has_ready()
    }
}

/// Batches as an Arrow reader.
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
