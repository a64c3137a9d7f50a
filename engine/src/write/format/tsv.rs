//! Tab-separated values.
//!
//! ```text
//! key  a⇥b\c⏎   count 7      →      a\tb\\c\n⇥7⏎
//! ```
//! Tab, LF, CR and backslash are escaped. All other bytes are unchanged. A null is `\N`. There is no
//! heading.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use arrow_array::BinaryViewArray;

use super::column::{Cell, Column, float_text};
use super::digits::{self, MOST_DIGITS};
use super::lines::Lines;
use super::row_writer::RowFormat;

/// Maximum length of a key that is stored inline in its view.
const INLINE: usize = 12;

/// Maximum length of a row with an inline key: the view's bytes, tab, count, LF.
const INLINE_ROW: usize = 16 + MOST_DIGITS + 2;

#[derive(Clone, Copy, Debug)]
pub(super) struct Tsv;

impl RowFormat for Tsv {
    fn rows(&self, columns: &[Column<'_>], rows: std::ops::Range<usize>, out: &mut Lines) {
        if let [Column::Bytes(keys), Column::Unsigned(counts)] = columns {
            let counts = &counts.values()[rows.clone()];
            return keys_and_counts(keys, rows, counts, out);
        }
        for row in rows {
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(b'\t');
                }
                match column.cell(row) {
                    Cell::Bytes(bytes) => escape(bytes, out),
                    Cell::Unsigned(number) => out.unsigned(number),
                    Cell::Signed(number) => out.signed(number),
                    Cell::Float(number) => out.extend(float_text(number).as_bytes()),
                    Cell::Bool(value) => out.extend(value.to_string().as_bytes()),
                    Cell::Null => out.extend(br"\N"),
                }
            }
            out.push(b'\n');
        }
    }
}

/// Appends keys and counts, the most common result. It checks the capacity once per row, not per byte.
fn keys_and_counts(
    keys: &BinaryViewArray,
    rows: std::ops::Range<usize>,
    counts: &[u64],
    out: &mut Lines,
) {
    let views = &keys.views()[rows.clone()];
    for ((row, &view), &count) in rows.zip(views).zip(counts) {
        let length = view as u32 as usize;
        let inline = (view >> 32).to_le_bytes();
        if length <= INLINE && !any_special(&inline) {
            inline_row(&inline, length, count, out);
        } else {
            escape(keys.value(row), out);
            out.push(b'\t');
            out.unsigned(count);
            out.push(b'\n');
        }
    }
}

#[inline]
fn inline_row(key: &[u8; 16], length: usize, count: u64, out: &mut Lines) {
    let room = &mut out.room(INLINE_ROW)[..INLINE_ROW];
    // Copying sixteen bytes is one move. The bytes after the key are overwritten.
    room[..16].copy_from_slice(key);
    let mut end = length.min(INLINE);
    room[end] = b'\t';
    end += 1;
    end += digits::put(count, &mut room[end..]);
    room[end] = b'\n';
    out.grown(end + 1);
}

/// Returns whether one of sixteen bytes needs an escape. Without branches, so that it is vectorized.
#[inline]
fn any_special(bytes: &[u8; 16]) -> bool {
    bytes.iter().fold(false, |any, &byte| {
        any | (byte == b'\t') | (byte == b'\n') | (byte == b'\r') | (byte == b'\\')
    })
}

/// Appends bytes with escapes.
fn escape(bytes: &[u8], out: &mut Lines) {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for block in blocks {
        if any_special(block) {
            escape_each(block, out);
        } else {
            out.extend(block);
        }
    }
    escape_each(rest, out);
}

fn escape_each(bytes: &[u8], out: &mut Lines) {
    for &byte in bytes {
        match byte {
            b'\t' => out.extend(br"\t"),
            b'\n' => out.extend(br"\n"),
            b'\r' => out.extend(br"\r"),
            b'\\' => out.extend(br"\\"),
            _ => out.push(byte),
        }
    }
}

/// Decodes the escapes of a TSV value.
///
/// A backslash before any byte other than `t`, `n`, `r` or a backslash is kept. The writer never
/// writes one.
///
/// # Examples
///
/// ```
/// use keymill::write::unescape;
///
/// assert_eq!(*unescape(br"a\tb\\n"), *b"a\tb\\n");
/// assert_eq!(*unescape(b"plain"), *b"plain");
/// ```
#[must_use]
pub fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let meant = match rest {
            [b'\\', b't', ..] => Some(b'\t'),
            [b'\\', b'n', ..] => Some(b'\n'),
            [b'\\', b'r', ..] => Some(b'\r'),
            [b'\\', b'\\', ..] => Some(b'\\'),
            _ => None,
        };
        bytes.push(meant.unwrap_or(byte));
        rest = &after[usize::from(meant.is_some())..];
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_in_every_position() {
        for place in 0..16 {
            for byte in 0..=255 {
                let mut bytes = [b'a'; 16];
                bytes[place] = byte;
                let is_special = b"\t\n\r\\".contains(&byte);
                assert_eq!(any_special(&bytes), is_special, "{byte} at {place}");
            }
        }
    }
}
