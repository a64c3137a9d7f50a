//! Records of a text, and how they are tokenized: many short ones at a time, each as its own text.
//!
//! ```text
//! text     f o o b a r b a z          offsets 0 3 3 6 9
//! staged   f o o · b a r · b a z ·    · separates records; no token holds it
//! ```

use core::ops::Range;

use super::cutter::Join;
use super::error::InputError;

/// The positions of the records of a text: `n + 1` ascending offsets for `n` records.
///
/// These are the offsets of an Arrow string column, of a slice of one, or of consecutive messages.
/// Every record is a separate text: its end ends a token and a line, and an empty record has no
/// token under any rule. Bytes outside all records are ignored.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::tokenize::Records;
///
/// let records = Records::from_i32(&[0, 3, 6])?;
/// assert_eq!(records.len(), 2);
/// assert_eq!(records.range(1), 3..6);
/// # Ok::<(), keymill_kernels::stage::tokenize::InputError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    offsets: Offsets<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Offsets<'a> {
    I32(&'a [i32]),
    I64(&'a [i64]),
    U32(&'a [u32]),
}

/// Returns the first record that ends before it begins, or begins below zero.
fn first_bad<T: Copy + PartialOrd + Default>(offsets: &[T]) -> Option<usize> {
    let negative = offsets.first().is_some_and(|&first| first < T::default());
    let descends = || offsets.windows(2).position(|pair| pair[1] < pair[0]);
    if negative { Some(0) } else { descends() }
}

fn checked<'a>(offsets: Offsets<'a>, bad: Option<usize>) -> Result<Records<'a>, InputError> {
    match bad {
        Some(record) => Err(InputError::OffsetsDescend { record }),
        None => Ok(Records { offsets }),
    }
}

impl<'a> Records<'a> {
    /// Uses the offsets of an Arrow `Utf8` or `Binary` column.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsDescend`] when they do not ascend from 0 or above.
    pub fn from_i32(offsets: &'a [i32]) -> Result<Self, InputError> {
        checked(Offsets::I32(offsets), first_bad(offsets))
    }

    /// Uses the offsets of an Arrow `LargeUtf8` or `LargeBinary` column.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsDescend`] when they do not ascend from 0 or above.
    pub fn from_i64(offsets: &'a [i64]) -> Result<Self, InputError> {
        checked(Offsets::I64(offsets), first_bad(offsets))
    }

    /// Uses offsets of 32 bits without a sign.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsDescend`] when they do not ascend.
    pub fn from_u32(offsets: &'a [u32]) -> Result<Self, InputError> {
        checked(Offsets::U32(offsets), first_bad(offsets))
    }

    fn offsets(&self) -> usize {
        match self.offsets {
            Offsets::I32(offsets) => offsets.len(),
            Offsets::I64(offsets) => offsets.len(),
            Offsets::U32(offsets) => offsets.len(),
        }
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets().saturating_sub(1)
    }

    /// Returns whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the range of a record in its text.
    ///
    /// # Panics
    ///
    /// When there is no such record.
    #[must_use]
    #[inline]
    pub fn range(&self, record: usize) -> Range<usize> {
        self.offset(record)..self.offset(record + 1)
    }

    #[inline]
    fn offset(&self, at: usize) -> usize {
        // Offsets are not negative; one above the address space is above the length of any text.
        match self.offsets {
            Offsets::I32(offsets) => offsets[at] as usize,
            Offsets::I64(offsets) => usize::try_from(offsets[at]).unwrap_or(usize::MAX),
            Offsets::U32(offsets) => offsets[at] as usize,
        }
    }

    /// Checks that the records are within a text.
    pub(crate) fn check(&self, text: &[u8]) -> Result<(), InputError> {
        let (end, bytes) = (self.offset_or_zero(self.len()), text.len());
        if end > bytes {
            return Err(InputError::OffsetsBeyondText { end, bytes });
        }
        Ok(())
    }

    fn offset_or_zero(&self, at: usize) -> usize {
        if at < self.offsets() {
            self.offset(at)
        } else {
            0
        }
    }
}

/// The end of a staged record, and how its staged positions map to positions in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StagedRecord {
    pub(crate) end: usize,
    /// Added, wrapping, to a staged position.
    pub(crate) shift: usize,
}

/// Copies of short records, with separators between them.
#[derive(Default)]
pub(crate) struct Staging {
    bytes: Vec<u8>,
    staged_records: Vec<StagedRecord>,
}

/// Bytes that are tokenized at once, and how their positions map to the text.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// A part of the text, and its start in the text.
    Plain(&'a [u8], usize),
    /// Several records of the text.
    Staged(&'a [u8], &'a [StagedRecord]),
}

/// The pieces of a text in order: the text as a whole, or its records.
pub(crate) struct Pieces<'a> {
    text: &'a [u8],
    records: Option<Records<'a>>,
    join: Join,
    /// A record of more bytes is a separate piece.
    max_staged: usize,
    next: usize,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(
        text: &'a [u8],
        records: Option<Records<'a>>,
        join: Join,
        max_staged: usize,
    ) -> Self {
        Self {
            text,
            records,
            join,
            max_staged,
            next: 0,
        }
    }

    /// Returns the next piece, which is staged if it has several records.
    pub(crate) fn next<'b>(&mut self, staging: &'b mut Staging) -> Option<Piece<'b>>
    where
        'a: 'b,
    {
        let Some(records) = self.records else {
            self.next += 1;
            return (self.next == 1).then_some(Piece::Plain(self.text, 0));
        };
        staging.bytes.clear();
        staging.staged_records.clear();
        while self.next < records.len() && staging.bytes.len() < self.max_staged {
            let range = records.range(self.next);
            let record = &self.text[range.clone()];
            if !self.can_be_staged(record) {
                if staging.bytes.is_empty() {
                    self.next += 1;
                    return Some(Piece::Plain(record, range.start));
                }
                break;
            }
            self.next += 1;
            staging.add(record, range.start, self.join);
        }
        (!staging.bytes.is_empty())
            .then_some(Piece::Staged(&staging.bytes, &staging.staged_records))
    }

    /// Returns whether a record may be copied among others.
    fn can_be_staged(&self, record: &[u8]) -> bool {
        // A CR at the end of a record is no line end, but would become one before the added LF.
        let ends_with_return = self.join == Join::LineEnd && record.last() == Some(&b'\r');
        record.len() <= self.max_staged && !ends_with_return
    }
}

impl Staging {
    fn add(&mut self, record: &[u8], start: usize, join: Join) {
        let Some(&last) = record.last() else {
            return;
        };
        let shift = start.wrapping_sub(self.bytes.len());
        self.bytes.extend_from_slice(record);
        match join {
            Join::Space => self.bytes.push(b' '),
            Join::LineEnd if last != b'\n' => self.bytes.push(b'\n'),
            Join::LineEnd => {}
        }
        self.staged_records.push(StagedRecord {
            end: self.bytes.len(),
            shift,
        });
    }
}
