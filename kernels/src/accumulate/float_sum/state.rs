//! Encodes the exact sum of a group as bytes, for spill files, checkpoints and exchange.
//!
//! ```text
//! flags u8        1 negative · 2 NaN · 4 +∞ · 8 −∞ · 16 finite part is not 0 · 32 has a value
//! counts          of NaN, +∞ and −∞, each only with its flag, in groups of 7 bits, lowest first
//! first u16       index of the magnitude's first byte, little-endian          (only with flag 16)
//! magnitude       in units of 2^−1074, lowest byte first; no zero byte at either end
//! ```
//!
//! The bytes depend only on the values, not on how these were split, ordered or merged.

use core::fmt;

use super::FloatSum;
use super::side::Specials;

const NEGATIVE: u8 = 1;
const NAN: u8 = 2;
const INFINITE: u8 = 4;
const NEGATIVE_INFINITE: u8 = 8;
const NOT_ZERO: u8 = 16;
const HAS_VALUE: u8 = 32;

/// Bytes of the largest magnitude: a sum of 2⁶⁴ largest doubles.
const MAX_BYTES: usize = 272;

/// Bytes that are not the state of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenState;

impl fmt::Display for BrokenState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "these bytes are not the state of a float sum; the file they were read from is damaged",
        )
    }
}

impl core::error::Error for BrokenState {}

impl FloatSum {
    /// Appends the state of a group to `out`. It depends only on the group's values.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::Level;
    /// use keymill_kernels::accumulate::FloatSum;
    ///
    /// let mut sum = FloatSum::new(Level::best(), None);
    /// sum.resize(2);
    /// sum.update(&[0, 0, 1], &[0.25, 1e300, 7.0]);
    /// let mut state = Vec::new();
    /// sum.write_state(0, &mut state);
    /// sum.merge_state(1, &state)?;
    /// assert_eq!(sum.sum(1), Some(1e300));
    /// assert!(sum.merge_state(1, &state[1..]).is_err());
    /// # Ok::<(), keymill_kernels::accumulate::BrokenState>(())
    /// ```
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn write_state(&self, id: u32, out: &mut Vec<u8>) {
        let sum = self.sums[id as usize];
        let mut flags = if self.seen.has(id) { HAS_VALUE } else { 0 };
        let Some(side) = self.side(id) else {
            flags |= if sum < 0 { NEGATIVE } else { 0 };
            let (bytes, first) = small(sum.unsigned_abs(), self.position());
            return write(flags, Specials::default(), &bytes, first, out);
        };
        let exact = self.exact(sum, side);
        flags |= if exact.negative { NEGATIVE } else { 0 };
        write(flags, side.specials, &exact.to_bytes(), 0, out);
    }

    /// Adds a state to a group.
    ///
    /// # Errors
    ///
    /// When the bytes are not exactly as [`FloatSum::write_state`] writes them; nothing is changed.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn merge_state(&mut self, id: u32, state: &[u8]) -> Result<(), BrokenState> {
        let state = State::read(state).ok_or(BrokenState)?;
        let signed = |magnitude: i128| {
            if state.negative {
                -magnitude
            } else {
                magnitude
            }
        };
        match state.magnitude {
            magnitude if magnitude.len() < 16 => {
                let value = signed(low_word(magnitude) as i128);
                self.add_sum(id, value, 8 * state.first);
            }
            magnitude => {
                let side = self.side_mut(id);
                let words = magnitude.chunks(8).map(|bytes| low_word(bytes) as i128);
                for (position, word) in (8 * state.first..).step_by(64).zip(words) {
                    side.add_at(signed(word), position);
                }
                let bound = side.carry_if_large();
                self.bound = self.bound.max(bound);
            }
        }
        if state.specials != Specials::default() {
            self.side_mut(id).specials.merge(state.specials);
        }
        if state.has_value {
            self.seen.mark_one(id);
        }
        Ok(())
    }
}

/// Returns a magnitude at a position as bytes, and the index of the first one.
fn small(magnitude: u128, position: u32) -> ([u8; 17], u32) {
    let shift = position % 8;
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(&(magnitude << shift).to_le_bytes());
    bytes[16] = (magnitude >> 120 >> (8 - shift)) as u8;
    (bytes, position / 8)
}

/// Returns up to 16 bytes as a number, the first one lowest.
fn low_word(bytes: &[u8]) -> u128 {
    let mut word = [0; 16];
    word[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(word)
}

fn write(mut flags: u8, specials: Specials, bytes: &[u8], first: u32, out: &mut Vec<u8>) {
    let counts = counts_of(specials);
    for (count, flag) in counts {
        flags |= if count > 0 { flag } else { 0 };
    }
    let zeros = bytes.iter().position(|&byte| byte != 0);
    let last = bytes.iter().rposition(|&byte| byte != 0);
    flags |= zeros.map_or(0, |_| NOT_ZERO);
    out.push(flags);
    for (count, _) in counts.into_iter().filter(|&(count, _)| count > 0) {
        write_count(count, out);
    }
    if let (Some(zeros), Some(last)) = (zeros, last) {
        let first = first as u16 + zeros as u16;
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&bytes[zeros..=last]);
    }
}

fn counts_of(specials: Specials) -> [(u64, u8); 3] {
    [
        (specials.nan, NAN),
        (specials.infinite, INFINITE),
        (specials.negative_infinite, NEGATIVE_INFINITE),
    ]
}

fn write_count(mut count: u64, out: &mut Vec<u8>) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}

/// Reads a count that is not 0 and is encoded in the fewest bytes.
fn read_count(bytes: &mut &[u8]) -> Option<u64> {
    let mut count = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        count |= bits << shift;
        if byte & 0x80 == 0 {
            return (byte != 0).then_some(count);
        }
    }
    None
}

/// The decoded bytes of a state.
struct State<'a> {
    negative: bool,
    has_value: bool,
    specials: Specials,
    first: u32,
    magnitude: &'a [u8],
}

impl<'a> State<'a> {
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let (&flags, rest) = bytes.split_first()?;
        bytes = rest;
        let mut count = |flag| match flags & flag {
            0 => Some(0),
            _ => read_count(&mut bytes),
        };
        let specials = Specials {
            nan: count(NAN)?,
            infinite: count(INFINITE)?,
            negative_infinite: count(NEGATIVE_INFINITE)?,
        };
        let (first, magnitude) = match flags & NOT_ZERO {
            0 => (0, bytes),
            _ => {
                let (first, magnitude) = bytes.split_first_chunk()?;
                (u32::from(u16::from_le_bytes(*first)), magnitude)
            }
        };
        let state = Self {
            negative: flags & NEGATIVE != 0,
            has_value: flags & HAS_VALUE != 0,
            specials,
            first,
            magnitude,
        };
        state.is_as_written(flags).then_some(state)
    }

    fn is_as_written(&self, flags: u8) -> bool {
        let (zero, bytes) = (flags & NOT_ZERO == 0, self.magnitude);
        let ends = [bytes.first(), bytes.last()];
        let magnitude_is_right = if zero {
            bytes.is_empty() && !self.negative
        } else {
            ends.iter().all(|end| end.is_some_and(|&byte| byte != 0))
                && self.first as usize + bytes.len() <= MAX_BYTES
        };
        let needs_value = flags & !NEGATIVE & !HAS_VALUE != 0;
        flags < 64 && magnitude_is_right && (self.has_value || !needs_value)
    }
}
