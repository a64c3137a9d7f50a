//! An aligned table for people.
//!
//! ```text
//! key    count
//! ───  ───────
//! the  115,234
//! of    69,121
//! ```
//! Control characters and bytes that are not UTF-8 are escaped as `\n` or `\xff`. Wide characters take
//! two columns. Long values are truncated at 60 columns or at the width of the terminal. Programs
//! should read another format.
#![forbid(unsafe_code)]

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::column::{self, Cell, float_text};
use super::{BatchWriter, grouped, sink_error};
use crate::Result;
use crate::shown_name::{shown_byte, shown_char};

/// Number of rows that determine the widths of the columns.
const MEASURED_ROWS: usize = 1000;

/// Maximum width of a value.
const WIDEST: usize = 60;

/// The gap between columns.
const SPACE: &str = "  ";

/// Writes a table: buffers the first rows to determine the widths, then writes all rows.
#[derive(Debug)]
pub(super) struct TableWriter<W> {
    out: W,
    /// Width of the terminal, if it is known.
    most: Option<usize>,
    columns: Vec<Shape>,
    waiting: Vec<Vec<Shown>>,
    is_open: bool,
}

#[derive(Debug)]
struct Shape {
    name: Shown,
    is_number: bool,
    width: usize,
    /// Values are truncated to this width.
    most: usize,
}

/// A text and its width on a terminal.
#[derive(Clone, Debug)]
struct Shown {
    text: String,
    width: usize,
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(most: Option<usize>, schema: &SchemaRef, out: W) -> Result<Self> {
        column::check(schema)?;
        Ok(Self {
            out,
            most,
            columns: shapes(schema),
            waiting: Vec::new(),
            is_open: false,
        })
    }

    /// Writes the heading and the buffered rows.
    fn open(&mut self) -> Result<()> {
        self.is_open = true;
        for row in &self.waiting {
            for (shape, cell) in self.columns.iter_mut().zip(row) {
                shape.width = shape.width.max(cell.width);
            }
        }
        if let Some(most) = self.most {
            narrow(&mut self.columns, most);
        }
        let mut text = heading(&self.columns);
        for row in std::mem::take(&mut self.waiting) {
            line(&self.columns, &row, &mut text);
        }
        self.out.write_all(text.as_bytes()).map_err(sink_error)
    }
}

impl<W: Write> BatchWriter for TableWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = column::with_texts(batch)?;
        let columns = column::columns(&batch);
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            let cells: Vec<Shown> = columns
                .iter()
                .map(|column| shown(column.cell(row)))
                .collect();
            if self.is_open {
                line(&self.columns, &cells, &mut text);
                continue;
            }
            self.waiting.push(cells);
            if self.waiting.len() == MEASURED_ROWS {
                self.open()?;
            }
        }
        self.out.write_all(text.as_bytes()).map_err(sink_error)
    }

    fn finish(&mut self) -> Result<()> {
        if !self.is_open {
            self.open()?;
        }
        self.out.flush().map_err(sink_error)
    }
}

fn shapes(schema: &Schema) -> Vec<Shape> {
    let shape = |field: &arrow_schema::FieldRef| {
        let name = shown_bytes(field.name().as_bytes());
        Shape {
            width: name.width,
            most: WIDEST,
            name,
            is_number: matches!(field.data_type(), DataType::UInt64 | DataType::Int64),
        }
    };
    schema.fields().iter().map(shape).collect()
}

/// Narrows text columns until a line fits. Numbers are never truncated.
fn narrow(columns: &mut [Shape], most: usize) {
    let gaps = SPACE.len() * columns.len().saturating_sub(1);
    let line: usize = gaps + columns.iter().map(|it| it.width).sum::<usize>();
    let mut excess = line.saturating_sub(most);
    for shape in columns.iter_mut().filter(|it| !it.is_number) {
        let less = excess.min(shape.width.saturating_sub(1));
        shape.width -= less;
        shape.most = shape.width;
        excess -= less;
    }
}

fn heading(columns: &[Shape]) -> String {
    let mut text = String::new();
    put_line(columns, columns.iter().map(|shape| &shape.name), &mut text);
    let rules: Vec<String> = columns
        .iter()
        .map(|shape| "─".repeat(shape.width))
        .collect();
    text.push_str(&rules.join(SPACE));
    text.push('\n');
    text
}

fn line(columns: &[Shape], cells: &[Shown], text: &mut String) {
    put_line(columns, cells.iter(), text);
}

fn put_line<'a>(columns: &[Shape], cells: impl Iterator<Item = &'a Shown>, text: &mut String) {
    for (place, (shape, cell)) in columns.iter().zip(cells).enumerate() {
        if place > 0 {
            text.push_str(SPACE);
        }
        let cell = &cell.cut(shape.most);
        let padding = " ".repeat(shape.width.saturating_sub(cell.width));
        let (before, after) = if shape.is_number {
            (padding.as_str(), "")
        } else {
            ("", padding.as_str())
        };
        text.extend([before, &cell.text, after]);
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

fn shown(cell: Cell<'_>) -> Shown {
    match cell {
        Cell::Bytes(bytes) => shown_bytes(bytes),
        Cell::Unsigned(number) => shown_number("", number),
        Cell::Signed(number) => {
            shown_number(if number < 0 { "-" } else { "" }, number.unsigned_abs())
        }
        Cell::Float(number) => shown_ascii(float_text(number)),
        Cell::Bool(value) => shown_ascii(value.to_string()),
        Cell::Null => shown_ascii("NULL".to_owned()),
    }
}

fn shown_number(sign: &str, number: u64) -> Shown {
    shown_ascii(format!("{sign}{}", grouped(number)))
}

fn shown_ascii(text: String) -> Shown {
    Shown {
        width: text.len(),
        text,
    }
}

/// Returns a value with escapes for a terminal, truncated to the maximum width.
fn shown_bytes(bytes: &[u8]) -> Shown {
    let mut all = Shown {
        text: String::new(),
        width: 0,
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if !all.append(&shown_char(character)) {
                return all;
            }
        }
        for &byte in chunk.invalid() {
            if !all.append(&shown_byte(byte)) {
                return all;
            }
        }
    }
    all
}

impl Shown {
    /// Returns the text, or its start and `…` if it is wider than `most`.
    fn cut(&self, most: usize) -> Self {
        if self.width <= most {
            return self.clone();
        }
        let mut cut = Self {
            text: String::new(),
            width: 0,
        };
        for character in self.text.chars() {
            let width = character.width().unwrap_or(0);
            if cut.width + width >= most {
                break;
            }
            cut.text.push(character);
            cut.width += width;
        }
        cut.text.push('…');
        cut.width += 1;
        cut
    }

    /// Appends a piece, or `…` if it does not fit. Returns whether it fits.
    fn append(&mut self, piece: &str) -> bool {
        let width = piece.width();
        let fits = self.width + width < WIDEST;
        self.text.push_str(if fits { piece } else { "…" });
        self.width += if fits { width } else { 1 };
        fits
    }
}
