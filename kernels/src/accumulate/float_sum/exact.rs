//! The exact number of a sum of floats, and its rounding.
//!
//! Every finite double is an integer multiple of 2⁻¹⁰⁷⁴. *Position* `p` stands for 2^(p − 1074).

/// Number of digits of 32 bits: the largest double has 66, and a sum of 2⁶⁴ of them two more.
pub(super) const DIGITS: usize = 72;
/// The power of two of position 0.
const LOWEST: i32 = -1074;

/// A number as a sum of parts at different positions.
pub(super) struct Parts {
    /// Part `k` is at position `32 * k`.
    parts: [i128; DIGITS],
}

/// A number as a sign and digits: `Σ digits[k] · 2^(32 k − 1074)`.
pub(super) struct Exact {
    pub(super) negative: bool,
    pub(super) digits: [u32; DIGITS],
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { parts: [0; DIGITS] }
    }

    /// Adds a value at the position of a digit.
    pub(super) fn add_digit(&mut self, digit: usize, value: i128) {
        self.parts[digit] += value;
    }

    /// Adds `value` at any position.
    pub(super) fn add(&mut self, value: i128, position: u32) {
        for (digit, value) in aligned(value, position) {
            if value != 0 {
                self.parts[digit] += value;
            }
        }
    }

    /// Carries from the lowest to the highest digit.
    pub(super) fn carry(self) -> Exact {
        let mut digits = [0; DIGITS];
        let carry = |carry: i128, (digit, part): (&mut u32, i128)| {
            let sum = carry + part;
            *digit = sum as u32;
            sum >> 32
        };
        let negative = digits.iter_mut().zip(self.parts).fold(0, carry) < 0;
        if negative {
            negate(&mut digits);
        }
        Exact { negative, digits }
    }
}

/// Splits `value` at a position into two parts at digits; both are below 2⁹⁶, and the second is 0
/// for a value below 2⁶⁴.
pub(super) fn aligned(value: i128, position: u32) -> [(usize, i128); 2] {
    let (digit, shift) = (position as usize / 32, position % 32);
    let magnitude = value.unsigned_abs();
    let halves = [
        (digit, magnitude as u64),
        (digit + 2, (magnitude >> 64) as u64),
    ];
    halves.map(|(digit, half)| {
        let part = i128::from(half) << shift;
        (digit, if value < 0 { -part } else { part })
    })
}

/// Negates by two's complement.
fn negate(digits: &mut [u32]) {
    let mut carry = true;
    for digit in digits {
        (*digit, carry) = (!*digit).overflowing_add(u32::from(carry));
    }
}

/// The upper bits of a magnitude: `bits · 2^power`, plus less than one unit of the last bit if
/// `more`.
#[derive(Clone, Copy)]
pub(super) struct Leading {
    pub(super) bits: u128,
    pub(super) power: i32,
    pub(super) more: bool,
}

impl Leading {
    /// Makes a magnitude at a position.
    pub(super) fn at(bits: u128, position: u32) -> Self {
        let power = position as i32 + LOWEST;
        Self {
            bits,
            power,
            more: false,
        }
    }

    /// Returns the same magnitude with bit 127 set, unless all bits are 0.
    fn normal(self) -> Self {
        let zeros = self.bits.leading_zeros() & 127;
        Self {
            bits: self.bits << zeros,
            power: self.power - zeros as i32,
            ..self
        }
    }

    /// Returns the magnitude divided by `count`, with at least 64 bits.
    pub(super) fn divided_by(self, count: u64) -> Self {
        let Self { bits, power, more } = self.normal();
        let quotient = bits / u128::from(count);
        let more = more || quotient * u128::from(count) != bits;
        Self {
            bits: quotient,
            power,
            more,
        }
    }

    /// Returns the nearest double, ties to even.
    pub(super) fn round(self, negative: bool) -> f64 {
        if self.bits == 0 {
            return 0.0;
        }
        let Self { bits, power, more } = self.normal();
        // 53 bits, or fewer for subnormal results.
        let kept = (power + 128 - LOWEST).min(53);
        if kept < 0 {
            return if negative { -0.0 } else { 0.0 };
        }
        let dropped = 128 - kept as u32;
        let rest = bits << kept as u32;
        let half = 1 << 127;
        let whole = bits.unbounded_shr(dropped) as u64;
        let is_above = rest > half || rest == half && (more || whole % 2 == 1);
        let whole = whole + u64::from(is_above);
        let magnitude = compose(whole, power + dropped as i32);
        if negative { -magnitude } else { magnitude }
    }
}

/// Returns the double nearest to `± bits · 2^power`, ties to even. `more` says that the magnitude is larger by
/// less than one unit of the last bit; the highest bit is then set.
///
/// # Examples
///
/// ```
/// use keymill_kernels::accumulate::nearest;
///
/// assert_eq!(nearest(3, -1, false, true), -1.5);
/// ```
#[must_use]
pub fn nearest(bits: u128, power: i32, more: bool, negative: bool) -> f64 {
    Leading { bits, power, more }.round(negative)
}

/// Returns `whole · 2^power`; `whole` is at most 2⁵³, and below 2⁵² only for the lowest power.
fn compose(whole: u64, power: i32) -> f64 {
    let (whole, power) = match whole {
        0x20_0000_0000_0000 => (whole / 2, power + 1),
        _ => (whole, power),
    };
    if whole < 1 << 52 {
        return f64::from_bits(whole);
    }
    let exponent = (power - LOWEST + 1) as u64;
    if exponent >= super::window::SPECIAL {
        return f64::INFINITY;
    }
    f64::from_bits(exponent << 52 | whole & ((1 << 52) - 1))
}

impl Exact {
    /// Returns the upper 128 bits, from the highest set bit on.
    pub(super) fn leading(&self) -> Leading {
        let Some(top) = self.digits.iter().rposition(|&digit| digit != 0) else {
            return Leading::at(0, 0);
        };
        let digit = |below: usize| top.checked_sub(below).map_or(0, |at| self.digits[at]);
        let four = (0..4).fold(0, |bits, below| bits << 32 | u128::from(digit(below)));
        let zeros = four.leading_zeros();
        let fifth = u64::from(digit(4)) << zeros;
        let lower = &self.digits[..top.saturating_sub(4)];
        Leading {
            bits: four << zeros | u128::from(fifth >> 32),
            power: 32 * (top as i32 - 3) + LOWEST - zeros as i32,
            more: fifth as u32 != 0 || lower.iter().any(|&digit| digit != 0),
        }
    }

    /// Returns the magnitude's bytes, lowest first.
    pub(super) fn to_bytes(&self) -> [u8; 4 * DIGITS] {
        let mut bytes = [0; 4 * DIGITS];
        for (bytes, digit) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(self.digits) {
            *bytes = digit.to_le_bytes();
        }
        bytes
    }
}
