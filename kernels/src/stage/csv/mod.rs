//! Splits comma-separated values into records and fields, by RFC 4180.
//!
//! ```text
//! text    a , " b , c " \n d , e \n
//! ends    1            8     10  12     where each field ends
//! rows    2 4                           the number of fields up to the end of each record
//! ```
//!
//! A quote opens only at the beginning of a field; anywhere else it is data. Blocks of 64 bytes are
//! scanned at a time: the parity of the quotes before a byte says whether it is inside quotes. Where a
//! quote is data, the parity is wrong, so such a text is scanned again byte by byte.

mod exact;
mod places;
mod scan;

use core::ops::Range;
use std::borrow::Cow;

use crate::Level;
use crate::isa::{Isa, dispatch};
use crate::stage::tokenize::Span;
use places::Places;
use scan::{Found, Scan, Seen};

/// The byte around a field that has delimiters, line ends or quotes in it.
pub const QUOTE: u8 = b'"';

/// Where the last complete record of a block of bytes ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRecord {
    /// Bytes up to and with its line end; `None` if no record is complete.
    pub end: Option<usize>,
    /// Line ends among these bytes, those inside quotes too.
    pub lines: usize,
    /// Records among these bytes.
    pub records: usize,
}

/// Finds the end of the last complete record. The text begins with a record.
///
/// # Examples
///
/// ```
/// use keymill_kernels::Level;
/// use keymill_kernels::stage::csv::last_record;
///
/// let last = last_record(Level::best(), b"a,\"b\n\"\nc,", b',');
/// assert_eq!((last.end, last.lines, last.records), (Some(7), 2, 1));
/// ```
#[must_use]
pub fn last_record(level: Level, text: &[u8], delimiter: u8) -> LastRecord {
    let (found, is_sound) = dispatch(level, Scan::new(text, delimiter, LastEnd::default()));
    if is_sound.is_some() {
        return found.0;
    }
    let (mut end, mut records) = (None, 0);
    exact::scan(text, delimiter, |at, is_record| {
        if is_record {
            end = Some(at + 1);
            records += 1;
        }
    });
    let lines = |end: usize| text[..end].iter().filter(|&&byte| byte == b'\n').count();
    LastRecord {
        end,
        lines: end.map_or(0, lines),
        records,
    }
}

/// Returns a field without its quotes, and with one quote for two.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::csv::unquoted;
///
/// assert_eq!(*unquoted(b"\"a \"\"b\"\"\""), *b"a \"b\"");
/// assert_eq!(*unquoted(b"5\" pipe"), *b"5\" pipe");
/// ```
#[must_use]
pub fn unquoted(field: &[u8]) -> Cow<'_, [u8]> {
    let Some((&QUOTE, quoted)) = field.split_first() else {
        return Cow::Borrowed(field);
    };
    match quoted.iter().position(|&byte| byte == QUOTE) {
        Some(first) if first + 1 == quoted.len() => Cow::Borrowed(&quoted[..first]),
        _ => Cow::Owned(exact::unquoted(quoted)),
    }
}

/// Where the fields and the records of a text end; its memory is reused for each text.
///
/// # Examples
///
/// ```
/// use keymill_kernels::Level;
/// use keymill_kernels::stage::csv::FieldIndex;
///
/// let mut index = FieldIndex::default();
/// let text = b"a,\"b,c\"\r\nd,e";
/// index.read(Level::best(), text, b',');
/// let field = |row: usize, column: usize| &text[index.field(index.fields(row).start + column)];
/// assert_eq!((index.rows(), field(0, 1), field(1, 0)), (2, &b"\"b,c\"\r"[..], &b"d"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct FieldIndex {
    /// [`BEFORE`], and where each field ends.
    ends: Places,
    rows: Places,
    seen: Seen,
}

/// Where a field before the first one would end.
const BEFORE: u32 = u32::MAX;

impl FieldIndex {
    /// Replaces the index by that of whole records. The last one may have no line end.
    ///
    /// # Panics
    ///
    /// If the text has 4 GiB or more.
    pub fn read(&mut self, level: Level, text: &[u8], delimiter: u8) {
        assert!(u32::try_from(text.len()).is_ok(), "a text of 4 GiB");
        self.clear();
        let ends = Ends(core::mem::take(self));
        let (Ends(index), seen) = dispatch(level, Scan::new(text, delimiter, ends));
        *self = index;
        self.seen = seen.unwrap_or_else(|| {
            self.clear();
            Seen {
                quotes: true,
                crs: true,
                is_open: exact::scan(text, delimiter, |at, is_record| self.add(at, is_record)),
            }
        });
        let last = self.ends.last().copied().filter(|_| self.ends_record());
        let is_whole = last.map_or(text.is_empty(), |last| last as usize + 1 == text.len());
        if !is_whole {
            self.add(text.len(), true);
        }
    }

    /// Returns the number of records. An empty line is a record with one empty field.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Returns the numbers of the fields of a record.
    #[must_use]
    #[inline]
    pub fn fields(&self, row: usize) -> Range<usize> {
        let first = row.checked_sub(1).map_or(0, |before| self.rows[before]);
        first as usize..self.rows[row] as usize
    }

    /// Returns the number of the record that a field is in.
    #[must_use]
    pub fn row_of(&self, field: usize) -> usize {
        self.rows.partition_point(|&end| end as usize <= field)
    }

    /// Returns the bytes of a field, with its quotes. That of the last field of a record ends with the CR
    /// of a CRLF.
    #[must_use]
    #[inline]
    pub fn field(&self, number: usize) -> Range<usize> {
        let Span { start, end } = span(&self.ends, number);
        start as usize..end as usize
    }

    /// Replaces `spans` by the fields of a column in some records, with their quotes. `firsts` are the first
    /// fields of the records.
    ///
    /// # Panics
    ///
    /// If there is no such field.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::Level;
    /// use keymill_kernels::stage::csv::FieldIndex;
    ///
    /// let (mut index, mut spans) = (FieldIndex::default(), Vec::new());
    /// let text = b"a,1\r\nb,2\r\n";
    /// index.read(Level::best(), text, b',');
    /// index.spans(&[0, 2], 1, &mut spans);
    /// index.cut_crs(text, &mut spans);
    /// let value = |row: usize| &text[spans[row].start as usize..spans[row].end as usize];
    /// assert_eq!((value(0), value(1)), (&b"1"[..], &b"2"[..]));
    /// ```
    pub fn spans(&self, firsts: &[u32], column: usize, spans: &mut Vec<Span>) {
        let ends: &[u32] = &self.ends;
        spans.clear();
        spans.extend(
            firsts
                .iter()
                .map(|&first| span(ends, first as usize + column)),
        );
    }

    /// Cuts the CR of a CRLF off the last fields of records.
    ///
    /// # Panics
    ///
    /// If a span is not one of this text.
    pub fn cut_crs(&self, text: &[u8], spans: &mut [Span]) {
        if !self.seen.crs {
            return;
        }
        for span in spans {
            let field = &text[span.start as usize..span.end as usize];
            span.end -= u32::from(field.last() == Some(&b'\r'));
        }
    }

    /// Returns whether a quote of the last record is not closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.seen.is_open
    }

    /// Returns whether the text has a quote.
    #[must_use]
    pub fn has_quotes(&self) -> bool {
        self.seen.quotes
    }

    /// Returns whether each record has this number of fields.
    #[must_use]
    pub fn is_uniform(&self, fields: usize) -> bool {
        let ends = (1..).map(|row: usize| row.wrapping_mul(fields) as u32);
        let is_other = |(end, expected): (&u32, u32)| *end != expected;
        // Without an early end, so that it is done by SIMD.
        let other = self.rows.iter().zip(ends).map(is_other);
        other.fold(0, |count: u32, is_other| count + u32::from(is_other)) == 0
    }

    /// Returns the bytes of memory of the index.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ends.bytes() + self.rows.bytes()
    }

    fn clear(&mut self) {
        self.ends.clear();
        self.ends.push(BEFORE);
        self.rows.clear();
        self.seen = Seen::default();
    }

    fn add(&mut self, end: usize, is_record: bool) {
        self.ends.push(end as u32);
        if is_record {
            self.rows.push(self.ends.len() as u32 - 1);
        }
    }

    /// Returns whether the last field is the last one of a record.
    fn ends_record(&self) -> bool {
        self.rows
            .last()
            .is_some_and(|&fields| fields as usize == self.ends.len() - 1)
    }
}

/// Returns the field with a number. It begins after the delimiter or line end before it.
#[inline(always)]
fn span(ends: &[u32], number: usize) -> Span {
    Span {
        start: ends[number].wrapping_add(1),
        end: ends[number + 1],
    }
}

/// Collects all ends.
struct Ends(FieldIndex);

impl Found for Ends {
    #[inline(always)]
    fn block<I: Isa>(&mut self, isa: I, base: usize, delimiters: u64, line_ends: u64, _: u64) {
        let Self(index) = self;
        let mask = delimiters | line_ends;
        let fields_with_first = index.ends.len() as u32;
        let ends = isa.wide_positions(mask, base as u32, index.ends.free());
        index.ends.add(ends);
        let rows = isa.ranks(line_ends, mask, fields_with_first, index.rows.free());
        index.rows.add(rows);
    }
}

/// Keeps the last end of a record.
#[derive(Default)]
struct LastEnd(LastRecord, usize);

impl Found for LastEnd {
    #[inline(always)]
    fn block<I: Isa>(&mut self, _: I, base: usize, _: u64, line_ends: u64, all_line_ends: u64) {
        let Self(last, lines) = self;
        if line_ends != 0 {
            let place = 63 - line_ends.leading_zeros();
            last.end = Some(base + place as usize + 1);
            let up_to = u64::MAX >> (63 - place);
            last.lines = *lines + (all_line_ends & up_to).count_ones() as usize;
        }
        *lines += all_line_ends.count_ones() as usize;
        last.records += line_ends.count_ones() as usize;
    }
}

#[cfg(test)]
mod tests;
