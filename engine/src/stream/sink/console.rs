//! Tables on standard output, one per epoch.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{Delivery, EpochOutput, Sink, SinkContext};
use crate::Result;
use crate::write::{Format, cannot_write};

/// Rows of an epoch that are shown by default.
const ROWS: usize = 20;

/// Characters of a cell. A longer text is cut.
const CELL: usize = 40;

/// Writes a heading and a table for every epoch.
///
/// ```text
/// -------------------------------------------
/// Batch: 0
/// -------------------------------------------
/// +---+-----+
/// |key|count|
/// +---+-----+
/// | be|    2|
/// +---+-----+
/// ```
pub struct ConsoleSink {
    rows: usize,
    out: Box<dyn Write + Send>,
    schema: Option<SchemaRef>,
    text: Vec<u8>,
}

impl Default for ConsoleSink {
    fn default() -> Self {
        Self::new()
    }
}

impl ConsoleSink {
    /// Shows the first 20 rows of each epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::top(ROWS)
    }

    /// Shows the first rows of each epoch.
    #[must_use]
    pub fn top(rows: usize) -> Self {
        Self {
            rows,
            out: Box::new(io::stdout()),
            schema: None,
            text: Vec::new(),
        }
    }

    /// Writes elsewhere than to standard output.
    #[must_use]
    pub fn to(mut self, out: impl Write + Send + 'static) -> Self {
        self.out = Box::new(out);
        self
    }

    /// The cells of the first rows, and whether there are more rows.
    fn rows(&self, output: EpochOutput<'_>) -> Result<(Vec<Vec<String>>, bool)> {
        let (mut rows, mut is_cut) = (Vec::new(), false);
        for batch in output.batches {
            let batch = batch?;
            let most = self.rows - rows.len();
            if batch.num_rows() > most {
                is_cut = true;
            }
            rows.extend(cells(&batch.slice(0, most.min(batch.num_rows())))?);
            if is_cut {
                break;
            }
        }
        Ok((rows, is_cut))
    }
}

/// The cells of a batch as text, with control characters escaped.
fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let mut text = Vec::new();
    {
        let mut writer = Format::Tsv.writer(&batch.schema(), &mut text)?;
        writer.write(batch)?;
        writer.finish()?;
    }
    let text = String::from_utf8_lossy(&text);
    let rows = text.lines().map(|line| line.split('\t').map(cut).collect());
    Ok(rows.collect())
}

fn cut(cell: &str) -> String {
    match cell.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    }
}

/// Writes a table whose cells are aligned to the right.
fn write_table(heads: &[String], rows: &[Vec<String>], out: &mut Vec<u8>) -> io::Result<()> {
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).chain([width(head)]).max()
        })
        .map(|width| width.unwrap_or(0))
        .collect();
    let line: String = widths
        .iter()
        .map(|&width| "-".repeat(width) + "+")
        .collect();
    let write_row = |out: &mut Vec<u8>, cells: &[String]| {
        write!(out, "|")?;
        for (cell, &width) in cells.iter().zip(&widths) {
            write!(out, "{cell:>width$}|")?;
        }
        writeln!(out)
    };
    writeln!(out, "+{line}")?;
    write_row(out, heads)?;
    writeln!(out, "+{line}")?;
    rows.iter().try_for_each(|row| write_row(out, row))?;
    writeln!(out, "+{line}")
}

impl Sink for ConsoleSink {
    fn describe(&self) -> String {
        "console:".to_owned()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        self.schema = Some(context.schema.clone());
        Ok(())
    }

    /// One row more tells that there are more.
    fn most_rows(&self) -> Option<usize> {
        Some(self.rows.saturating_add(1))
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let epoch = output.epoch;
        let (rows, is_cut) = self.rows(output)?;
        let fields = self.schema.iter().flat_map(|schema| schema.fields());
        let heads: Vec<String> = fields.map(|field| field.name().clone()).collect();
        let mut text = Vec::new();
        let line = "-".repeat(43);
        let written = writeln!(text, "{line}\nBatch: {epoch}\n{line}")
            .and_then(|()| write_table(&heads, &rows, &mut text))
            .and_then(|()| match is_cut {
                true => writeln!(text, "only showing top {} rows\n", self.rows),
                false => writeln!(text),
            });
        self.text = text;
        written.map_err(|cause| cannot_write("the table", cause))
    }

    fn commit(&mut self, _: u64) -> Result<()> {
        let written = self
            .out
            .write_all(&self.text)
            .and_then(|()| self.out.flush());
        written.map_err(|cause| cannot_write("to standard output", cause))
    }
}
