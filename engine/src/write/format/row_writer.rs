//! The writer that all text formats share. Pieces of rows are formatted in parallel and written in
//! order.
//!
//! ```text
//! batches ─▶ pieces of some thousand rows ─▶ text, one thread per piece ─▶ output, in order
//!            (the next pieces are formatted while these are written)
//! ```
//! The threads are those of the rayon pool in which the writer is called. Outside a pool only the
//! caller's thread is used.
#![forbid(unsafe_code)]

use std::io::Write;
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use super::column::{self, Column};
use super::lines::Lines;
use super::{BatchWriter, sink_error};
use crate::Result;
use crate::runtime::parallel::caught;

/// Maximum rows of a piece.
const PIECE_ROWS: usize = 16 << 10;

/// Bytes of text of a piece. Together with [`WAITING`] it bounds the text in memory.
const PIECE_BYTES: usize = 256 << 10;

/// Number of pieces that are formatted in parallel.
const WAITING: usize = 8;

/// Formats rows.
pub(super) trait RowFormat: Sync {
    /// Appends the heading.
    fn heading(&self, _schema: &Schema, _out: &mut Lines) {}

    /// Appends rows of a batch.
    fn rows(&self, columns: &[Column<'_>], rows: Range<usize>, out: &mut Lines);
}

/// Writes rows in a text format, on several threads if there are many rows.
#[derive(Debug)]
pub(super) struct RowWriter<F, W> {
    format: F,
    out: W,
    waiting: Vec<Piece>,
    /// Bytes of text in `waiting`.
    waiting_bytes: usize,
    ready: Vec<Lines>,
    spare: Vec<Lines>,
}

#[derive(Debug)]
struct Piece {
    batch: RecordBatch,
    rows: Range<usize>,
}

impl<F: RowFormat, W: Write + Send> RowWriter<F, W> {
    pub(super) fn new(format: F, schema: &SchemaRef, out: W) -> Result<Self> {
        column::check(schema)?;
        let mut heading = Lines::default();
        format.heading(schema, &mut heading);
        Ok(Self {
            format,
            out,
            waiting: Vec::new(),
            waiting_bytes: 0,
            ready: vec![heading],
            spare: Vec::new(),
        })
    }

    /// Formats the waiting pieces while the text of the previous ones is written.
    fn advance(&mut self) -> Result<()> {
        let mut made: Vec<Lines> = Vec::with_capacity(self.waiting.len());
        made.extend(
            self.waiting
                .iter()
                .map(|_| self.spare.pop().unwrap_or_default()),
        );
        let (format, waiting) = (&self.format, &self.waiting);
        let (out, ready) = (&mut self.out, &self.ready);
        let (written, formatted) = join(
            waiting.len() > 1,
            || {
                ready
                    .iter()
                    .try_for_each(|lines| out.write_all(lines.as_bytes()))
            },
            || caught(|| format_all(format, waiting, &mut made)),
        );
        written.map_err(sink_error)?;
        formatted?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.spare.append(&mut self.ready);
        // Buffers of giant keys are not reused.
        self.spare
            .retain(|lines| lines.as_bytes().len() <= 8 * PIECE_BYTES);
        self.spare.iter_mut().for_each(Lines::clear);
        self.ready = made;
        Ok(())
    }
}

impl<F: RowFormat, W: Write + Send> BatchWriter for RowWriter<F, W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = column::with_texts(batch)?;
        let columns = column::columns(&batch);
        let rows = batch.num_rows();
        let average = average_bytes(&columns, rows);
        let step = (PIECE_BYTES / average).clamp(1, PIECE_ROWS);
        for start in (0..rows).step_by(step) {
            self.waiting.push(Piece {
                batch: batch.clone(),
                rows: start..rows.min(start + step),
            });
            self.waiting_bytes += step * average;
            if self.waiting.len() == WAITING || self.waiting_bytes > WAITING * PIECE_BYTES {
                self.advance()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        // The first call formats the last pieces, the second one writes them.
        self.advance()?;
        self.advance()?;
        self.out.flush().map_err(sink_error)
    }
}

/// Returns the average bytes of a row.
fn average_bytes(columns: &[Column<'_>], rows: usize) -> usize {
    let bytes: usize = columns.iter().map(|column| text_bytes(column, rows)).sum();
    bytes / rows.max(1) + 1
}

fn text_bytes(column: &Column<'_>, rows: usize) -> usize {
    match column {
        Column::Bytes(array) => array.views().iter().map(|&view| view as u32 as usize).sum(),
        Column::Text(array) => array.views().iter().map(|&view| view as u32 as usize).sum(),
        Column::Unsigned(_) | Column::Signed(_) => rows * 8,
        Column::Other(array) => array.get_array_memory_size(),
    }
}

fn format_piece(format: &impl RowFormat, piece: &Piece, out: &mut Lines) -> Result<()> {
    let columns = column::columns(&piece.batch);
    format.rows(&columns, piece.rows.clone(), out);
    Ok(())
}

#[cfg(feature = "parallel")]
fn format_all(format: &impl RowFormat, pieces: &[Piece], made: &mut [Lines]) -> Result<()> {
    use rayon::prelude::*;
    if pieces.len() < 2 || !is_in_pool() {
        return format_in_sequence(format, pieces, made);
    }
    pieces
        .par_iter()
        .zip(made)
        .try_for_each(|(piece, out)| format_piece(format, piece, out))
}

#[cfg(not(feature = "parallel"))]
fn format_all(format: &impl RowFormat, pieces: &[Piece], made: &mut [Lines]) -> Result<()> {
    format_in_sequence(format, pieces, made)
}

fn format_in_sequence(format: &impl RowFormat, pieces: &[Piece], made: &mut [Lines]) -> Result<()> {
    let mut both = pieces.iter().zip(made);
    both.try_for_each(|(piece, out)| format_piece(format, piece, out))
}

/// Runs both functions, in parallel if that is worth waking a thread.
#[cfg(feature = "parallel")]
fn join<A: Send, B: Send>(
    in_parallel: bool,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if in_parallel && is_in_pool() {
        rayon::join(first, second)
    } else {
        (first(), second())
    }
}

/// Returns whether the caller is in a rayon pool. Outside of one, rayon would start its global pool.
#[cfg(feature = "parallel")]
fn is_in_pool() -> bool {
    rayon::current_thread_index().is_some()
}

#[cfg(not(feature = "parallel"))]
fn join<A, B>(_in_parallel: bool, first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
    (first(), second())
}
