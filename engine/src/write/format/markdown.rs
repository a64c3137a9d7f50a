//! A table in Markdown.
//!
//! ```text
//! | key | count |
//! |---|---:|
//! | a\|b | 7 |
//! ```
//! A pipe and a backslash in a value are escaped, and a line end becomes a space, because a cell is one line.
//! Numbers are aligned to the right. A null is an empty cell.
#![forbid(unsafe_code)]

use std::ops::Range;

use arrow_schema::Schema;

use super::column::{Cell, Column, float_text};
use super::lines::Lines;
use super::row_writer::RowFormat;

#[derive(Clone, Copy, Debug)]
pub(super) struct Markdown;

impl RowFormat for Markdown {
    fn heading(&self, schema: &Schema, out: &mut Lines) {
        for field in schema.fields() {
            out.extend(b"| ");
            value(field.name().as_bytes(), out);
            out.push(b' ');
        }
        out.extend(b"|\n");
        for field in schema.fields() {
            out.extend(match field.data_type().is_numeric() {
                true => b"|---:",
                false => b"|---",
            });
        }
        out.extend(b"|\n");
    }

    fn rows(&self, columns: &[Column<'_>], rows: Range<usize>, out: &mut Lines) {
        for row in rows {
            for column in columns {
                out.extend(b"| ");
                match column.cell(row) {
                    Cell::Bytes(bytes) => value(bytes, out),
                    Cell::Unsigned(number) => out.unsigned(number),
                    Cell::Signed(number) => out.signed(number),
                    Cell::Float(number) => out.extend(float_text(number).as_bytes()),
                    Cell::Bool(value) => out.extend(value.to_string().as_bytes()),
                    Cell::Null => {}
                }
                out.push(b' ');
            }
            out.extend(b"|\n");
        }
    }
}

fn value(bytes: &[u8], out: &mut Lines) {
    for &byte in bytes {
        match byte {
            b'|' | b'\\' => {
                out.push(b'\\');
                out.push(byte);
            }
            b'\n' | b'\r' => out.push(b' '),
            byte => out.push(byte),
        }
    }
}
