//! Batches whose ends depend on the rows alone, so that a file is the same however rows came.
#![forbid(unsafe_code)]

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;

use super::column::{self, Column};
use crate::{Error, ErrorKind, Result};

/// Rows of a batch.
const ROWS: usize = 16 << 10;
/// Bytes of text from which a batch is full with fewer rows.
const BYTES: usize = 4 << 20;

/// Collects rows, and hands them on in batches of the same number of rows, fewer where they are long.
pub(super) struct Regroup {
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Regroup {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self {
            schema: schema.clone(),
            waiting: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Takes rows, and hands full batches on.
    pub(super) fn push(
        &mut self,
        batch: &RecordBatch,
        mut take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let columns = column::columns(batch)?;
        let mut start = 0;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            self.bytes += columns
                .iter()
                .map(|column| width(column, row))
                .sum::<usize>();
            if self.rows == ROWS || self.bytes >= BYTES {
                self.waiting.push(batch.slice(start, row + 1 - start));
                start = row + 1;
                take(self.finish()?.expect("there is a row"))?;
            }
        }
        if start < batch.num_rows() {
            self.waiting
                .push(batch.slice(start, batch.num_rows() - start));
        }
        Ok(())
    }

    /// The rows that wait, if there are any.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        (self.rows, self.bytes) = (0, 0);
        let waiting = std::mem::take(&mut self.waiting);
        match &waiting[..] {
            [] => Ok(None),
            [batch] => Ok(Some(batch.clone())),
            batches => concat_batches(&self.schema, batches)
                .map(Some)
                .map_err(unfit),
        }
    }
}

/// Bytes that a row has in a column of text.
fn width(column: &Column<'_>, row: usize) -> usize {
    match column {
        Column::Bytes(array) => array.views()[row] as u32 as usize,
        Column::Text(array) => array.views()[row] as u32 as usize,
        Column::Unsigned(_) | Column::Signed(_) => 0,
    }
}

fn unfit(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "batches do not fit together").with_source(cause)
}
