//! Comma-separated values with a heading line.
//!
//! ```text
//! key  say "a,b"   count 7      →      "say ""a,b""",7
//! ```
//! A value is quoted as in RFC 4180 if it contains a comma, a quote, CR or LF, or is empty (so that no
//! reader treats it as a missing value). A null has no characters. Lines end with LF. Bytes that are not UTF-8 are not changed.
#![forbid(unsafe_code)]

use std::ops::Range;

use arrow_schema::Schema;

use super::column::{Cell, Column, float_text};
use super::lines::Lines;
use super::row_writer::RowFormat;

#[derive(Clone, Copy, Debug)]
pub(super) struct Csv;

impl RowFormat for Csv {
    fn heading(&self, schema: &Schema, out: &mut Lines) {
        for (place, field) in schema.fields().iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            value(field.name().as_bytes(), out);
        }
        out.push(b'\n');
    }

    fn rows(&self, columns: &[Column<'_>], rows: Range<usize>, out: &mut Lines) {
        for row in rows {
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                match column.cell(row) {
                    Cell::Bytes(bytes) => value(bytes, out),
                    Cell::Unsigned(number) => out.unsigned(number),
                    Cell::Signed(number) => out.signed(number),
                    Cell::Float(number) => out.extend(float_text(number).as_bytes()),
                    Cell::Bool(value) => out.extend(value.to_string().as_bytes()),
                    Cell::Null => {}
                }
            }
            out.push(b'\n');
        }
    }
}

fn value(bytes: &[u8], out: &mut Lines) {
    if bytes.is_empty() || bytes.iter().any(|&byte| needs_quotes(byte)) {
        quoted(bytes, out);
    } else {
        out.extend(bytes);
    }
}

fn needs_quotes(byte: u8) -> bool {
    matches!(byte, b',' | b'"' | b'\r' | b'\n')
}

fn quoted(bytes: &[u8], out: &mut Lines) {
    out.push(b'"');
    for piece in bytes.split_inclusive(|&byte| byte == b'"') {
        out.extend(piece);
        if piece.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
