//! Rows in pieces: one thread at a time takes the next piece, and all threads decode theirs.
//!
//! ```text
//! input ─ next ─▶ piece ─ decode ─▶ batches      worker 0
//!              └▶ piece ─ decode ─▶ batches      worker 1
//! ```
#![forbid(unsafe_code)]

use std::collections::HashSet;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use keymill_kernels::stage::tokenize::Span;

use super::read_counts::LeftOut;
use crate::expr::Expr;
use crate::{Resources, Result};

/// Takes the rows of a piece.
#[cfg_attr(
    not(feature = "csv"),
    allow(dead_code, reason = "only CSV leaves keys in the text")
)]
pub(crate) trait Push {
    /// Takes a batch.
    fn batch(&mut self, batch: RecordBatch) -> Result<()>;

    /// Returns whether it takes rows whose key is still in the text.
    fn takes_keyed(&self) -> bool {
        false
    }

    /// Takes rows whose key is still in the text. Returns false if it refuses them: then they must come as a
    /// batch.
    fn keyed(&mut self, _: &KeyedRows<'_>) -> Result<bool> {
        Ok(false)
    }
}

impl<F: FnMut(RecordBatch) -> Result<()>> Push for F {
    fn batch(&mut self, batch: RecordBatch) -> Result<()> {
        self(batch)
    }
}

/// Rows of a text that are grouped by one column of bytes, which is not made a column.
#[cfg_attr(
    not(feature = "csv"),
    allow(dead_code, reason = "only CSV leaves keys in the text")
)]
#[derive(Debug)]
pub(crate) struct KeyedRows<'a> {
    pub(crate) text: &'a [u8],
    /// The key of each row in the text. None is null.
    pub(crate) keys: &'a [Span],
    /// The other columns.
    pub(crate) others: RecordBatch,
}

/// What is known of the rows of an input before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) rows: u64,
    /// Whether it is their exact number.
    pub(crate) is_exact: bool,
    /// Of the row groups of the first file, the number that are read, and of all.
    pub(crate) row_groups: Option<(usize, usize)>,
    /// Of these row groups, the rows that are left out by page.
    pub(crate) by_page: u64,
}

/// Rows that are taken piece by piece.
pub(crate) trait Pieces: Send {
    /// Describes the input in a few words.
    fn describe(&self) -> String;

    /// Returns all columns of the input. It may read the beginning of the input.
    fn schema(&mut self) -> Result<SchemaRef>;

    /// Returns the number of bytes to read, if it is known.
    fn total(&self) -> Option<u64>;

    /// Says that only some columns are used, so that batches may lack the others. Called after
    /// [`Pieces::schema`].
    fn keep_columns(&mut self, _names: &HashSet<String>) {}

    /// Says that rows are grouped by this column of bytes alone, so that [`Push::keyed`] may be called. Returns
    /// whether it will be. Called after [`Pieces::keep_columns`].
    fn group_by(&mut self, _key: &str) -> bool {
        false
    }

    /// Says that only rows for which a condition is true are used, so that others may be left out.
    fn keep_rows(&mut self, _condition: &Expr) {}

    /// Returns the number of rows to read, as far as the beginning of the input tells.
    fn estimate(&mut self) -> Option<Estimate> {
        None
    }

    /// Returns the next piece; `None` after the last one, and after a piece has failed.
    fn next(&mut self, resources: &Resources) -> Result<Option<Box<dyn Piece>>>;

    /// Returns what was left out of the pieces that were taken.
    fn left_out(&self) -> LeftOut {
        LeftOut::default()
    }

    /// Ends the input after the piece with this number; later ones are not used. Returns how many rows were
    /// rejected, or the error of the first piece that failed.
    fn finish(&mut self, _last: u64) -> Result<u64> {
        Ok(0)
    }
}

/// Some rows of an input.
pub(crate) trait Piece: Send {
    /// Returns the bytes of the input that the piece has.
    fn bytes(&self) -> u64;

    /// Decodes the piece, and calls `push` with its rows.
    fn decode(self: Box<Self>, push: &mut dyn Push) -> Result<()>;
}
