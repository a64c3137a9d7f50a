//! Exact sums of products of integers and floats.
//!
//! ```text
//! value   = ± digits (up to 64 bits) · 2^(position − 1074)
//! product = ± digits (up to 128 bits) · 2^(position − 2148)
//!   position in the window of the accumulator  ──▶  256 bits of the group += digits << (position − base)
//!   any other position                         ──▶  parts of 32 bits, only for groups that need them
//! product of integers of 64 bits               ──▶  128 bits of the group, moved to the others where they overflow
//! ```
//!
//! Nothing is rounded, so the total is the same for every order, split, merge and window.

mod digits;

use std::collections::{BTreeMap, HashMap};

use digits::{add_digits, digits_of_integer, integer_of_digits, negated, shifted};

/// Number of positions of a window: a product has at most 128 bits, so that 2³⁵ of them stay below 2²⁵⁴.
const WIDTH: u32 = 90;
/// The position of a factor of 1.
const ONE: u32 = 1074;
/// The position of a product of integers.
const INTEGER: u32 = 2 * ONE;
/// The largest position of a factor is that of the largest double; that of integers is lower.
const HIGHEST: u32 = 2045;
/// Number of 32-bit digits of a total: the largest product, and 64 bits more for the sum of many.
const DIGITS: usize = (2 * HIGHEST as usize + 128 + 64) / 32 + 2;

/// A factor: an integer or a finite float, `± digits · 2^(position − 1074)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    digits: u64,
    position: u32,
    negative: bool,
}

impl Factor {
    /// The factor 1.
    pub const ONE: Self = Self {
        digits: 1,
        position: ONE,
        negative: false,
    };
    /// The factor 0.
    pub const ZERO: Self = Self {
        digits: 0,
        ..Self::ONE
    };

    /// Returns the factor of a float; `None` if it is infinite or NaN.
    #[must_use]
    #[inline]
    pub fn of_float(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 2047) as u32;
        if exponent == 2047 {
            return None;
        }
        let fraction = bits & ((1 << 52) - 1);
        Some(Self {
            digits: fraction | u64::from(exponent != 0) << 52,
            position: exponent.max(1) - 1,
            negative: value.is_sign_negative(),
        })
    }
}

impl From<i64> for Factor {
    #[inline]
    fn from(value: i64) -> Self {
        Self {
            digits: value.unsigned_abs(),
            position: ONE,
            negative: value < 0,
        }
    }
}

impl From<u64> for Factor {
    #[inline]
    fn from(digits: u64) -> Self {
        Self {
            digits,
            ..Self::ONE
        }
    }
}

/// An exact number: `± Σ digits[k] · 2^(32 k + power)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactTotal {
    /// Whether it is less than 0.
    pub negative: bool,
    /// The magnitude, lowest digit first, without zeros at both ends.
    pub digits: Vec<u32>,
    /// The power of two of the lowest digit.
    pub power: i32,
}

/// Sums of products by group, exact.
///
/// # Examples
///
/// ```
/// use keymill_kernels::accumulate::{Factor, ProductSum};
///
/// let mut squares = ProductSum::default();
/// squares.resize(1);
/// let values: Vec<Factor> = [3i64, -4].map(Factor::from).to_vec();
/// squares.update(&[0, 0], &values, &values);
/// let total = squares.total(0);
/// assert_eq!((total.digits, total.power, total.negative), (vec![25 << 4], -4, false));
/// ```
#[derive(Debug, Default)]
pub struct ProductSum {
    groups: usize,
    /// By group: products of integers. Empty until there are some.
    integers: Vec<i128>,
    /// The lowest position of the window, once it is chosen.
    base: Option<u32>,
    /// By group: 256 bits in two's complement, the lowest word first. Empty until there are some.
    sums: Vec<[u64; 4]>,
    /// The parts of groups with products outside the window, by the index of their digit.
    outside: HashMap<u32, BTreeMap<u16, i128>>,
}

impl ProductSum {
    /// Sets the number of groups; new ones have the total 0.
    pub fn resize(&mut self, groups: usize) {
        self.groups = groups;
        self.sums.truncate(groups);
        self.integers.truncate(groups);
    }

    /// Adds the product of each row to the group of the row.
    ///
    /// # Panics
    ///
    /// When there is no such group, or the lengths of the arguments differ.
    pub fn update(&mut self, ids: &[u32], xs: &[Factor], ys: &[Factor]) {
        assert!(
            ids.len() == xs.len() && ids.len() == ys.len(),
            "two factors for each id"
        );
        self.sums.resize(self.groups, [0; 4]);
        let base = *self.base.get_or_insert_with(|| window(xs, ys));
        for ((&id, x), y) in ids.iter().zip(xs).zip(ys) {
            let digits = u128::from(x.digits) * u128::from(y.digits);
            let position = x.position + y.position;
            self.add_product(base, id, digits, position, x.negative != y.negative);
        }
    }

    #[inline]
    fn add_product(&mut self, base: u32, id: u32, digits: u128, position: u32, negative: bool) {
        let shift = position.wrapping_sub(base);
        if shift < WIDTH {
            add(&mut self.sums[id as usize], digits, shift, negative);
        } else if digits != 0 {
            let parts = self.outside.entry(id).or_default();
            add_part(parts, digits, position, negative);
        }
    }

    /// Adds the integer of each row to the group of the row.
    ///
    /// # Panics
    ///
    /// As for [`ProductSum::update`].
    pub fn update_integers(&mut self, ids: &[u32], values: &[i64]) {
        assert_eq!(ids.len(), values.len(), "a value for each id");
        self.add_integers(ids, values.iter().map(|&value| value.into()));
    }

    /// Adds the product of the integers of each row to the group of the row.
    ///
    /// # Panics
    ///
    /// As for [`ProductSum::update`].
    pub fn update_integer_products(&mut self, ids: &[u32], xs: &[i64], ys: &[i64]) {
        assert!(
            ids.len() == xs.len() && ids.len() == ys.len(),
            "two factors for each id"
        );
        let products = xs.iter().zip(ys);
        self.add_integers(ids, products.map(|(&x, &y)| i128::from(x) * i128::from(y)));
    }

    #[inline]
    fn add_integers(&mut self, ids: &[u32], integers: impl Iterator<Item = i128>) {
        self.integers.resize(self.groups, 0);
        for (&id, integer) in ids.iter().zip(integers) {
            let sum = &mut self.integers[id as usize];
            match sum.checked_add(integer) {
                Some(more) => *sum = more,
                None => self.add_large(id, integer),
            }
        }
    }

    /// Moves the integers of a group to the wider sums, and starts again with the next one.
    #[cold]
    fn add_large(&mut self, id: u32, integer: i128) {
        let before = std::mem::replace(&mut self.integers[id as usize], integer);
        self.sums.resize(self.groups, [0; 4]);
        let base = *self.base.get_or_insert(INTEGER - (WIDTH - 8));
        self.add_product(base, id, before.unsigned_abs(), INTEGER, before < 0);
    }

    /// Returns the total of a group.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    #[must_use]
    pub fn total(&self, id: u32) -> ExactTotal {
        let place = id as usize;
        assert!(place < self.groups, "no such group");
        let integer = self.integers.get(place).copied().unwrap_or(0);
        let sum = self.sums.get(place).copied().unwrap_or([0; 4]);
        let outside = self.outside.get(&id);
        let (of_integer, first) = (digits_of_integer(integer), INTEGER as usize / 32);
        if sum == [0; 4] && outside.is_none() {
            return exact(integer < 0, &of_integer, first as u32);
        }
        let negative = sum[3] >> 63 == 1;
        let magnitude = if negative { negated(sum) } else { sum };
        let base = self.base.unwrap_or(0);
        let of_sum = shifted(magnitude, base % 32);
        if integer == 0 && outside.is_none() {
            return exact(negative, &of_sum, base / 32);
        }
        let mut all = [0i128; DIGITS];
        add_digits(&mut all[base as usize / 32..], &of_sum, negative);
        add_digits(&mut all[first..], &of_integer, integer < 0);
        let parts = outside.into_iter().flatten();
        parts.for_each(|(&digit, part)| all[usize::from(digit)] += part);
        carried(&all)
    }

    /// Appends the total of a group to `out`. The bytes depend only on the total.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn write_state(&self, id: u32, out: &mut Vec<u8>) {
        let total = self.total(id);
        if total.digits.is_empty() {
            return;
        }
        let first = ((total.power + 2 * ONE as i32) / 32) as u8;
        out.extend([u8::from(total.negative), first]);
        out.extend(total.digits.iter().flat_map(|digit| digit.to_le_bytes()));
    }

    /// Adds a total that [`ProductSum::write_state`] has written.
    ///
    /// # Errors
    ///
    /// For bytes that it has not written; nothing is changed.
    ///
    /// # Panics
    ///
    /// When there is no such group.
    pub fn merge_state(&mut self, id: u32, state: &[u8]) -> Result<(), super::BrokenState> {
        let [negative, first, digits @ ..] = state else {
            return state.is_empty().then_some(()).ok_or(super::BrokenState);
        };
        let (digits, rest) = digits.as_chunks::<4>();
        let ends = [digits.first(), digits.last()];
        let is_whole = rest.is_empty()
            && *negative < 2
            && usize::from(*first) + digits.len() <= DIGITS
            && ends
                .iter()
                .all(|end| end.is_some_and(|digit| *digit != [0; 4]));
        if !is_whole {
            return Err(super::BrokenState);
        }
        let digits: Vec<u32> = digits.iter().map(|&it| u32::from_le_bytes(it)).collect();
        self.add_total(id, &digits, u32::from(*first), *negative == 1);
        Ok(())
    }

    /// Adds digits: to the integers if there are no others, or to the window if all of them fit there.
    fn add_total(&mut self, id: u32, digits: &[u32], first: u32, negative: bool) {
        if self.sums.is_empty()
            && let Some(integer) = integer_of_digits(digits, first)
        {
            let integer = if negative { -integer } else { integer };
            return self.add_integers(&[id], std::iter::once(integer));
        }
        self.sums.resize(self.groups, [0; 4]);
        let position = 32 * first;
        let base = *self.base.get_or_insert_with(|| {
            let highest = position + 32 * digits.len() as u32;
            highest.saturating_sub(WIDTH + 64).min(2 * HIGHEST - WIDTH)
        });
        let sum = &self.sums[id as usize];
        let is_small = (sum[3] ^ (sum[3] >> 63).wrapping_neg()) < 1 << 61;
        let fits = position >= base && position - base + 32 * digits.len() as u32 <= 253;
        if fits && is_small {
            for (number, &digit) in (0..).zip(digits) {
                let shift = position - base + 32 * number;
                add(&mut self.sums[id as usize], digit.into(), shift, negative);
            }
            return;
        }
        let parts = self.outside.entry(id).or_default();
        for (number, &digit) in (first as u16..).zip(digits) {
            let digit = i128::from(digit);
            *parts.entry(number).or_default() += if negative { -digit } else { digit };
        }
    }

    /// Resets groups to the state of new ones.
    pub fn reset(&mut self, ids: &[u32]) {
        for &id in ids {
            if let Some(sum) = self.sums.get_mut(id as usize) {
                *sum = [0; 4];
            }
            if let Some(integer) = self.integers.get_mut(id as usize) {
                *integer = 0;
            }
            self.outside.remove(&id);
        }
    }

    /// Removes all groups, and keeps the memory and the window.
    pub fn clear(&mut self) {
        self.groups = 0;
        self.integers.clear();
        self.sums.clear();
        self.outside.clear();
    }

    /// Returns the bytes of memory in use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parts = self.outside.values().map(|parts| 64 + 32 * parts.len());
        let integers = self.integers.capacity() * size_of::<i128>();
        integers + self.sums.capacity() * size_of::<[u64; 4]>() + parts.sum::<usize>()
    }
}

/// Chooses the window: the largest product is near its upper end.
fn window(xs: &[Factor], ys: &[Factor]) -> u32 {
    let products = xs.iter().zip(ys);
    let products = products.filter(|(x, y)| x.digits != 0 && y.digits != 0);
    let highest = products.map(|(x, y)| x.position + y.position).max();
    highest.unwrap_or(2 * ONE).saturating_sub(WIDTH - 8)
}

/// Adds a number to 256 bits; `shift` is below 224, and nothing may overflow.
#[inline]
fn add(sum: &mut [u64; 4], digits: u128, shift: u32, negative: bool) {
    let (word, bits) = (shift as usize / 64, shift % 64);
    let low = digits << bits;
    let high = (digits >> 64 >> (63 - bits) >> 1) as u64;
    let addend = [low as u64, (low >> 64) as u64, high];
    // Subtracting is adding the complement plus 1.
    let mask = if negative { u64::MAX } else { 0 };
    let mut carry = negative;
    let mut words = addend.into_iter();
    for sum in &mut sum[word..] {
        let (one, first) = sum.overflowing_add(words.next().unwrap_or(0) ^ mask);
        let (one, second) = one.overflowing_add(u64::from(carry));
        *sum = one;
        carry = first || second;
    }
}

/// Adds a product below 2¹²⁸ to the digits that it touches.
fn add_part(parts: &mut BTreeMap<u16, i128>, digits: u128, position: u32, negative: bool) {
    for number in 0..4 {
        let word = digits >> (32 * number) & u128::from(u32::MAX);
        let part = (word << (position % 32)).cast_signed();
        if part != 0 {
            let digit = (position / 32 + number) as u16;
            *parts.entry(digit).or_default() += if negative { -part } else { part };
        }
    }
}

/// Carries from the lowest to the highest digit.
fn carried(parts: &[i128; DIGITS]) -> ExactTotal {
    let digits_of = |parts: &mut dyn Iterator<Item = i128>| {
        let mut carry = 0;
        let digits: Vec<u32> = parts
            .map(|part| {
                let sum = carry + part;
                carry = sum >> 32;
                sum as u32
            })
            .collect();
        (digits, carry)
    };
    let (digits, carry) = digits_of(&mut parts.iter().copied());
    if carry >= 0 {
        return exact(false, &digits, 0);
    }
    let (digits, _) = digits_of(&mut parts.iter().map(|part| -part));
    exact(true, &digits, 0)
}

fn exact(negative: bool, digits: &[u32], first: u32) -> ExactTotal {
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    let end = digits.iter().rposition(|&digit| digit != 0);
    let digits = end.map_or(Vec::new(), |end| digits[zeros..=end].to_vec());
    ExactTotal {
        negative: negative && !digits.is_empty(),
        power: 32 * (first as i32 + zeros as i32) - 2 * ONE as i32,
        digits,
    }
}

#[cfg(test)]
mod tests;
