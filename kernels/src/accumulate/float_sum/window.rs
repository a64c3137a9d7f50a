//! The range of exponents that most values of a column have.

use crate::isa::{Isa, Kernel};

/// Number of exponents of a window: a value's 53 bits, shifted by less than this, are below 2⁸⁶, so
/// that an `i128` holds the sum of 2⁴⁰ values.
pub(super) const WIDTH: u64 = 34;
/// The exponent field of 1.0.
const ONE: u64 = 1023;
/// The exponent field of infinities and NaN.
pub(super) const SPECIAL: u64 = 2047;
/// Number of values from which a window is chosen.
const SAMPLE: usize = 1 << 16;

/// The 34 binary exponents of the fast path of [`FloatSum`](super::FloatSum).
///
/// Every window gives the same results. A window that holds most values is fast. Workers whose
/// accumulators are merged later should use the same window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatWindow {
    /// The exponent field of the smallest values; at least 1, as subnormal numbers are encoded
    /// differently.
    base: u64,
}

impl FloatWindow {
    /// Chooses the window that holds most of these values, with equal room on both sides.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill_kernels::accumulate::FloatWindow;
    ///
    /// assert_eq!(FloatWindow::of(&[1.0, 1.5]), FloatWindow::of(&[-1.0, f64::NAN, 0.0]));
    /// assert_ne!(FloatWindow::of(&[1.0]), FloatWindow::of(&[1e100]));
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut counts = [0u32; SPECIAL as usize];
        for value in &values[..values.len().min(SAMPLE)] {
            let exponent = exponent_of(value.to_bits());
            if exponent != 0 && exponent != SPECIAL {
                counts[exponent as usize] += 1;
            }
        }
        let (first, last) = Self::fullest(&counts).unwrap_or((ONE, ONE));
        Self::around(first, last)
    }

    /// Returns the lowest and highest exponents in the window with the most values.
    fn fullest(counts: &[u32]) -> Option<(u64, u64)> {
        let width = WIDTH as usize;
        let sums = (0..=counts.len() - width).map(|first| &counts[first..first + width]);
        let totals = sums.map(|counts| counts.iter().map(|&n| u64::from(n)).sum::<u64>());
        let (first, _) = totals.enumerate().max_by_key(|&(_, total)| total)?;
        let used = |&at: &usize| counts[at] > 0;
        let lowest = (first..first + width).find(used)?;
        let highest = (first..first + width).rev().find(used)?;
        Some((lowest as u64, highest as u64))
    }

    fn around(first: u64, last: u64) -> Self {
        let spare = WIDTH - 1 - (last - first);
        let base = first.saturating_sub(spare / 2).clamp(1, SPECIAL - WIDTH);
        Self { base }
    }

    /// Returns the window around a sum whose highest bit is at a position.
    pub(super) fn around_position(highest: u32) -> Self {
        let exponent = u64::from(highest.saturating_sub(52)) + 1;
        let exponent = exponent.min(SPECIAL - 1);
        Self::around(exponent, exponent)
    }

    /// Returns the position of the window's lowest bit: its power of two, counted from 2⁻¹⁰⁷⁴.
    pub(super) fn position(self) -> u32 {
        self.base as u32 - 1
    }
}

/// Returns the exponent field.
#[inline(always)]
pub(super) fn exponent_of(bits: u64) -> u64 {
    bits >> 52 & SPECIAL
}

/// Rows that are added at a time.
pub(super) const BATCH: usize = 1024;

/// Rows whose addends are computed before they are added, by SIMD.
const STEP: usize = 128;

/// Adds the values that are in the window, without a branch; writes the rows of the others to
/// `outside` and returns their number.
pub(super) struct AddInside<'a> {
    pub(super) window: FloatWindow,
    pub(super) ids: &'a [u32],
    pub(super) values: &'a [f64],
    pub(super) sums: &'a mut [i128],
    pub(super) outside: &'a mut [u16; BATCH],
}

impl Kernel for AddInside<'_> {
    type Out = usize;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> usize {
        let (mut lows, mut highs) = ([0; STEP], [0; STEP]);
        let mut found = 0;
        let steps = self.ids.chunks(STEP).zip(self.values.chunks(STEP));
        for (number, (ids, values)) in steps.enumerate() {
            let mut any_outside = 0;
            for ((value, low), high) in values.iter().zip(&mut lows).zip(&mut highs) {
                let is_outside;
                (*low, *high, is_outside) = self.window.addend(value.to_bits());
                any_outside |= u64::from(is_outside);
            }
            for ((&id, &low), &high) in ids.iter().zip(&lows).zip(&highs) {
                self.sums[id as usize] += i128::from(high) << 64 | i128::from(low);
            }
            if any_outside != 0 {
                for (row, value) in (number * STEP..).zip(values) {
                    self.outside[found & (BATCH - 1)] = row as u16;
                    found += usize::from(self.window.addend(value.to_bits()).2);
                }
            }
        }
        found
    }
}

impl FloatWindow {
    /// Returns the words of what a value adds to a window, the lower one first, and whether the value is outside:
    /// then it adds nothing.
    #[inline(always)]
    fn addend(self, bits: u64) -> (u64, i64, bool) {
        let exponent = exponent_of(bits);
        let shift = exponent.wrapping_sub(self.base);
        let is_outside = (shift >= WIDTH) & (bits << 1 != 0);
        let fraction = bits & ((1 << 52) - 1);
        // Zero has no implicit bit, so it adds nothing at any shift.
        let digits = fraction | u64::from(exponent != 0) << 52;
        let digits = if is_outside { 0 } else { digits } as i64;
        let sign = bits as i64 >> 63;
        let (digits, shift) = ((digits ^ sign) - sign, shift & 63);
        (
            (digits << shift) as u64,
            digits >> (63 - shift) >> 1,
            is_outside,
        )
    }
}
