//! Records of a text, and how they are cut: many short ones at a time, each a text of its own.
//!
//! ```text
//! text     f o o b a r b a z          offsets 0 3 3 6 9
//! staged   f o o · b a r · b a z ·    · keeps records apart; no token holds it
//! ```

use core::ops::Range;

use super::cutter::Join;
use super::error::InputError;

/// Where the records of a text are: `n + 1` ascending offsets for `n` records.
///
/// These are the offsets of an Arrow string column, of a slice of one, or of messages in a row.
/// Every record is a text of its own: its end is the end of a token and of a line, and a record
/// without bytes has no token, whatever the rule. Bytes outside all records are not looked at.
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

/// The first record that ends before it begins or begins below zero.
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
    /// Takes the offsets of an Arrow `Utf8` or `Binary` column.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsDescend`] where they do not ascend from 0 or above.
    pub fn from_i32(offsets: &'a [i32]) -> Result<Self, InputError> {
        checked(Offsets::I32(offsets), first_bad(offsets))
    }

    /// Takes the offsets of an Arrow `LargeUtf8` or `LargeBinary` column.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsDescend`] where they do not ascend from 0 or above.
    pub fn from_i64(offsets: &'a [i64]) -> Result<Self, InputError> {
        checked(Offsets::I64(offsets), first_bad(offsets))
    }

    /// Takes plain offsets.
    ///
    /// # Errors
    ///
    /// [`InputError::OffsetsDescend`] where they do not ascend.
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

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets().saturating_sub(1)
    }

    /// Tells whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a record lies in its text.
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
        // Offsets are not negative; one beyond the address space is beyond any text too.
        match self.offsets {
            Offsets::I32(offsets) => offsets[at] as usize,
            Offsets::I64(offsets) => usize::try_from(offsets[at]).unwrap_or(usize::MAX),
            Offsets::U32(offsets) => offsets[at] as usize,
        }
    }

    /// Checks that the records lie within a text.
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

/// Where a staged record ends, and what leads from staged positions to those in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joint {
    pub(crate) end: usize,
    /// Added, wrapping, to a staged position.
    pub(crate) shift: usize,
}

/// Short records, copied one after the other with something between them.
#[derive(Default)]
pub(crate) struct Staging {
    bytes: Vec<u8>,
    joints: Vec<Joint>,
}

/// Bytes that are cut at once, and what leads back to the text they came from.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// A part of the text as it is, and where it begins there.
    Plain(&'a [u8], usize),
    /// Several records of the text.
    Staged(&'a [u8], &'a [Joint]),
}

/// The pieces of a text in order: the text as a whole, or its records.
pub(crate) struct Pieces<'a> {
    text: &'a [u8],
    records: Option<Records<'a>>,
    join: Join,
    /// A record of more bytes is a piece of its own.
    most_staged: usize,
    next: usize,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(
        text: &'a [u8],
        records: Option<Records<'a>>,
        join: Join,
        most_staged: usize,
    ) -> Self {
        Self {
            text,
            records,
            join,
            most_staged,
            next: 0,
        }
    }

    /// The next piece, staged where it has several records.
    pub(crate) fn next<'b>(&mut self, staging: &'b mut Staging) -> Option<Piece<'b>>
    where
        'a: 'b,
    {
        let Some(records) = self.records else {
            self.next += 1;
            return (self.next == 1).then_some(Piece::Plain(self.text, 0));
        };
        staging.bytes.clear();
        staging.joints.clear();
        while self.next < records.len() && staging.bytes.len() < self.most_staged {
            let range = records.range(self.next);
            let record = &self.text[range.clone()];
            if !self.stages(record) {
                if staging.bytes.is_empty() {
                    self.next += 1;
                    return Some(Piece::Plain(record, range.start));
                }
                break;
            }
            self.next += 1;
            staging.add(record, range.start, self.join);
        }
        (!staging.bytes.is_empty()).then_some(Piece::Staged(&staging.bytes, &staging.joints))
    }

    /// Whether a record may stand among others.
    fn stages(&self, record: &[u8]) -> bool {
        // A CR at the end of a record is no line end, but would be one before the joining LF.
        let ends_with_return = self.join == Join::LineEnd && record.last() == Some(&b'\r');
        record.len() <= self.most_staged && !ends_with_return
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
        self.joints.push(Joint {
            end: self.bytes.len(),
            shift,
        });
    }
}
