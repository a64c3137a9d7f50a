//! One JSON object per line.
//!
//! ```text
//! key  to be   count 7      →      {"key":"to be","count":7}
//! key  0xff    count 7      →      {"key_base64":"/w==","count":7}
//! ```
//! JSON is Unicode, so a value that is not UTF-8 is written in base64 (RFC 4648, padded), and its name
//! gets the suffix `_base64`. NaN and infinities are strings.
#![forbid(unsafe_code)]

use std::ops::Range;

use arrow_schema::Schema;

use super::column::{Cell, Column, float_text};
use super::lines::Lines;
use super::lists::is_list;
use super::row_writer::RowFormat;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[derive(Debug)]
pub(super) struct Json {
    names: Vec<Names>,
}

/// The text before a value: a comma or a brace, the name and a colon.
#[derive(Debug)]
struct Names {
    plain: Vec<u8>,
    base64: Vec<u8>,
    /// Whether the values are JSON already.
    is_json: bool,
}

impl Json {
    pub(super) fn new(schema: &Schema) -> Self {
        let name = |(place, field): (usize, &arrow_schema::FieldRef)| Names {
            plain: introduction(place, field.name(), ""),
            base64: introduction(place, field.name(), "_base64"),
            is_json: is_list(field.data_type()),
        };
        let names = schema.fields().iter().enumerate().map(name).collect();
        Self { names }
    }
}

fn introduction(place: usize, name: &str, suffix: &str) -> Vec<u8> {
    let mut out = Lines::default();
    out.push(if place == 0 { b'{' } else { b',' });
    string(&format!("{name}{suffix}"), &mut out);
    out.push(b':');
    out.as_bytes().to_vec()
}

impl RowFormat for Json {
    fn rows(&self, columns: &[Column<'_>], rows: Range<usize>, out: &mut Lines) {
        for row in rows {
            for (names, column) in self.names.iter().zip(columns) {
                member(names, column.cell(row), out);
            }
            out.extend(b"}\n");
        }
    }
}

fn member(names: &Names, cell: Cell<'_>, out: &mut Lines) {
    match cell {
        Cell::Bytes(bytes) if names.is_json => {
            out.extend(&names.plain);
            out.extend(bytes);
        }
        Cell::Bytes(bytes) if str::from_utf8(bytes).is_err() => {
            out.extend(&names.base64);
            value(cell, out);
        }
        cell => {
            out.extend(&names.plain);
            value(cell, out);
        }
    }
}

/// Writes a value. One that is not UTF-8 is in base64.
pub(super) fn value(cell: Cell<'_>, out: &mut Lines) {
    match cell {
        Cell::Bytes(bytes) => match str::from_utf8(bytes) {
            Ok(text) => string(text, out),
            Err(_) => {
                out.push(b'"');
                base64(bytes, out);
                out.push(b'"');
            }
        },
        Cell::Unsigned(number) => out.unsigned(number),
        Cell::Signed(number) => out.signed(number),
        Cell::Float(number) if number.is_finite() => out.extend(float_text(number).as_bytes()),
        Cell::Float(number) => string(&float_text(number), out),
        Cell::Bool(value) => out.extend(value.to_string().as_bytes()),
        Cell::Null => out.extend(b"null"),
    }
}

fn string(text: &str, out: &mut Lines) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|&byte| is_special(byte)) {
        out.extend(&rest[..place]);
        escape(rest[place], out);
        rest = &rest[place + 1..];
    }
    out.extend(rest);
    out.push(b'"');
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(byte: u8, out: &mut Lines) {
    match byte {
        b'"' => out.extend(br#"\""#),
        b'\\' => out.extend(br"\\"),
        b'\n' => out.extend(br"\n"),
        b'\r' => out.extend(br"\r"),
        b'\t' => out.extend(br"\t"),
        _ => out.extend(format!("\\u{byte:04x}").as_bytes()),
    }
}

fn base64(bytes: &[u8], out: &mut Lines) {
    for block in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..block.len()].copy_from_slice(block);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        let mut four = [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63]);
        four[block.len() + 1..].fill(b'=');
        out.extend(&four);
    }
}

/// Decodes a `…_base64` value; `None` if it is not padded base64.
///
/// # Examples
///
/// ```
/// use keymill::write::decode_base64;
///
/// assert_eq!(decode_base64("/w=="), Some(vec![0xff]));
/// assert_eq!(decode_base64("/w"), None);
/// ```
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (blocks, rest) = text.as_bytes().as_chunks::<4>();
    let mut bytes = Vec::with_capacity(blocks.len() * 3);
    for (place, block) in blocks.iter().enumerate() {
        let padding = block.iter().rev().take_while(|&&c| c == b'=').count();
        if padding > 2 || (padding > 0 && place + 1 < blocks.len()) {
            return None;
        }
        let mut bits = 0;
        for &letter in &block[..4 - padding] {
            bits = bits << 6 | ALPHABET.iter().position(|&a| a == letter)? as u32;
        }
        let three = (bits << (6 * padding)).to_be_bytes();
        bytes.extend_from_slice(&three[1..4 - padding]);
    }
    rest.is_empty().then_some(bytes)
}
