//! A real text, and its repetition.

use std::io::{self, Write};

use crate::block::Written;
use crate::registry::Generator;

static MOBY_DICK: &[u8] = include_bytes!("../text/moby-dick.txt");

/// The first 100 chapters of Herman Melville's *Moby-Dick* (1851, public domain): 931,778 bytes of
/// UTF-8.
///
/// `text/README.md` of this crate documents the source of the text.
///
/// # Examples
///
/// ```
/// let book = std::str::from_utf8(keymill_datasets::book())?;
/// assert!(book.contains("Call me Ishmael."));
/// assert_eq!(book.split_whitespace().filter(|&word| word == "whale").count(), 317);
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
#[must_use]
pub fn book() -> &'static [u8] {
    MOBY_DICK
}

/// The book, repeated, up to the last whole line that fits.
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Book, Generator, book};
///
/// let mut out = Vec::new();
/// Book.write_to(2 * book().len() as u64 + 100, &mut out)?;
/// assert!(out.ends_with(b"\n") && out[book().len()..].starts_with(book()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Book;

impl Generator for Book {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let book = book();
        let whole = bytes / book.len() as u64;
        for _ in 0..whole {
            out.write_all(book)?;
        }
        let rest = &book[..(bytes % book.len() as u64) as usize];
        let end = rest
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        out.write_all(&rest[..end])?;
        Ok(Written {
            bytes: whole * book.len() as u64 + end as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_ends_with_a_line() {
        assert!(book().ends_with(b"\n") && !book().contains(&b'\r'));
    }

    #[test]
    fn a_size_below_one_line_gives_no_bytes() {
        let mut out = Vec::new();
        assert_eq!(Book.write_to(5, &mut out).unwrap(), Written { bytes: 0 });
        assert!(out.is_empty());
    }
}
