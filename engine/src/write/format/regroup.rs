//! Regroups rows into batches. The batch boundaries depend only on the rows, so the same rows always
//! give the same file.
#![forbid(unsafe_code)]

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;

use super::column::{self, Cell, Column};
use crate::{Error, ErrorKind, Result};

/// Maximum rows of a batch.
const ROWS: usize = 16 << 10;
/// Bytes of text at which a batch is full.
const BYTES: usize = 4 << 20;

/// Buffers rows and outputs them in batches of the same number of rows, or fewer if the rows are long.
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

    /// Adds rows and passes full batches to `take`.
    pub(super) fn push(
        &mut self,
        batch: &RecordBatch,
        mut take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let columns = column::columns(batch);
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

    /// Returns the buffered rows, if there are any.
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

/// Returns the text bytes of a row in a column.
fn width(column: &Column<'_>, row: usize) -> usize {
    match column {
        Column::Bytes(array) => array.views()[row] as u32 as usize,
        Column::Text(array) => array.views()[row] as u32 as usize,
        Column::Unsigned(_) | Column::Signed(_) => 0,
        Column::Other(_) => match column.cell(row) {
            Cell::Bytes(bytes) => bytes.len(),
            _ => 0,
        },
    }
}

fn unfit(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "cannot concatenate batches").with_source(cause)
}
