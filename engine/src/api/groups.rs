//! The groups of a job in memory.
#![forbid(unsafe_code)]

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;

use super::ResultStream;
use crate::{Error, ErrorKind, JobMetrics, Result};

/// The groups of a job in memory, ordered by key.
#[derive(Clone, Debug)]
pub struct Groups {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    metrics: JobMetrics,
}

impl Groups {
    pub(super) fn collect(mut stream: ResultStream) -> Result<Self> {
        let batches = stream.by_ref().collect::<Result<Vec<_>>>()?;
        Ok(Self {
            schema: stream.schema(),
            batches,
            metrics: stream.metrics(),
        })
    }

    /// Returns the number of groups.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns the schema: the key columns and the columns of aggregates.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Returns the groups as record batches.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Returns the groups as one record batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] if a column of strings or binaries is too large for its offsets.
    pub fn to_batch(&self) -> Result<RecordBatch> {
        concat_batches(&self.schema, &self.batches).map_err(|cause| {
            Error::new(ErrorKind::Capacity, "the groups do not fit one batch").with_source(cause)
        })
    }

    /// Returns the metrics of the job.
    #[must_use]
    pub fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }
}

impl IntoIterator for Groups {
    type Item = RecordBatch;
    type IntoIter = std::vec::IntoIter<RecordBatch>;

    fn into_iter(self) -> Self::IntoIter {
        self.batches.into_iter()
    }
}
