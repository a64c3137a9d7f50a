//! The values of a group that do not fit in its window.

use super::exact::{DIGITS, Parts, aligned};
use super::window::{SPECIAL, exponent_of};

/// The numbers of values of a group that were not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Specials {
    pub(super) nan: u64,
    pub(super) infinite: u64,
    pub(super) negative_infinite: u64,
}

impl Specials {
    /// Returns their sum, if there are any.
    pub(super) fn sum(self) -> Option<f64> {
        let both = self.infinite > 0 && self.negative_infinite > 0;
        if self.nan > 0 || both {
            return Some(f64::NAN);
        }
        if self.infinite > 0 {
            return Some(f64::INFINITY);
        }
        (self.negative_infinite > 0).then_some(f64::NEG_INFINITY)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.nan = self.nan.saturating_add(other.nan);
        self.infinite = self.infinite.saturating_add(other.infinite);
        let negative = self.negative_infinite;
        self.negative_infinite = negative.saturating_add(other.negative_infinite);
    }
}

/// A sparse superaccumulator: it holds only the parts that some value touched.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// `(k, sum)` stands for `sum · 2^(32 k − 1074)`; each `k` once.
    parts: Vec<(u8, i128)>,
    pub(super) specials: Specials,
}

impl Side {
    /// Adds one value.
    pub(super) fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let exponent = exponent_of(bits);
        if exponent == SPECIAL {
            let count = match value {
                _ if value.is_nan() => &mut self.specials.nan,
                f64::INFINITY => &mut self.specials.infinite,
                _ => &mut self.specials.negative_infinite,
            };
            *count = count.saturating_add(1);
            return;
        }
        let fraction = bits & ((1 << 52) - 1);
        let digits = fraction | u64::from(exponent != 0) << 52;
        // Subnormal numbers have the position of the smallest normal ones, and no implicit bit.
        let position = exponent.max(1) - 1;
        let magnitude = i128::from(digits) << (position % 32);
        let sum = if value < 0.0 { -magnitude } else { magnitude };
        self.add_part(position as usize / 32, sum);
    }

    /// Adds a number below 2¹²⁷ at any position.
    pub(super) fn add_at(&mut self, value: i128, position: u32) {
        for (digit, value) in aligned(value, position) {
            self.add_part(digit, value);
        }
    }

    fn add_part(&mut self, digit: usize, value: i128) {
        if value == 0 {
            return;
        }
        match self
            .parts
            .iter_mut()
            .find(|part| usize::from(part.0) == digit)
        {
            Some(part) => part.1 += value,
            None => self.parts.push((digit as u8, value)),
        }
    }

    /// Adds all parts and counts of another side.
    pub(super) fn merge(&mut self, other: &Self) {
        for &(digit, value) in &other.parts {
            self.add_at(value, 32 * u32::from(digit));
        }
        self.specials.merge(other.specials);
    }

    /// Adds its parts to a number.
    pub(super) fn add_to(&self, parts: &mut Parts) {
        for &(digit, value) in &self.parts {
            parts.add_digit(usize::from(digit), value);
        }
    }

    /// Returns the largest magnitude of a part.
    pub(super) fn bound(&self) -> u128 {
        let parts = self.parts.iter().map(|part| part.1.unsigned_abs());
        parts.max().unwrap_or(0)
    }

    /// Makes every part less than 2³², by carrying.
    pub(super) fn carry(&mut self) {
        let mut parts = Parts::new();
        self.add_to(&mut parts);
        let exact = parts.carry();
        self.parts.clear();
        for digit in (0..DIGITS).filter(|&digit| exact.digits[digit] != 0) {
            let value = i128::from(exact.digits[digit]);
            let value = if exact.negative { -value } else { value };
            self.parts.push((digit as u8, value));
        }
    }

    /// Carries if a part is large; returns the largest magnitude of the parts afterwards.
    pub(super) fn carry_if_large(&mut self) -> u128 {
        if self.bound() > super::LARGE {
            self.carry();
        }
        self.bound()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.parts.capacity() * size_of::<(u8, i128)>()
    }
}
