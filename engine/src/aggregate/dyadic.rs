//! Exact numbers of any size, and their quotients and roots, rounded once.

use std::ops::{Mul, Sub};

use arrow_buffer::i256;
use keymill_kernels::accumulate::{ExactTotal, nearest};
use num_bigint::{BigInt, BigUint, Sign};

/// Bits of a quotient before it is rounded: enough for 53 bits, also below a root.
const BITS: i64 = 140;

/// `value · 2^power`.
#[derive(Clone, Debug)]
pub(super) struct Dyadic {
    value: BigInt,
    power: i64,
}

impl Dyadic {
    pub(super) fn is_zero(&self) -> bool {
        self.value.sign() == Sign::NoSign
    }

    pub(super) fn is_negative(&self) -> bool {
        self.value.sign() == Sign::Minus
    }

    /// Returns the number of a float; `None` if it is infinite or NaN.
    pub(super) fn of_float(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 2047) as i64;
        let digits = bits & ((1 << 52) - 1) | u64::from(exponent != 0) << 52;
        let sign = if value < 0.0 { -1 } else { 1 };
        (exponent != 2047).then(|| Self {
            value: BigInt::from(sign * i128::from(digits)),
            power: exponent.max(1) - 1075,
        })
    }

    /// Returns the number in units of a power of two, which is not above its own.
    fn aligned(&self, power: i64) -> BigInt {
        &self.value << (self.power - power).unsigned_abs()
    }

    /// Returns 10 to a power.
    pub(super) fn ten_to(power: u32) -> Self {
        Self::from(BigInt::from(10).pow(power))
    }

    /// Returns the quotient, rounded once; `None` if the divisor is zero.
    pub(super) fn divided_by(&self, divisor: &Self) -> Option<f64> {
        let (quotient, power, more) = self.quotient(divisor, false)?;
        let negative = self.is_negative() != divisor.is_negative();
        Some(rounded(&quotient, power, more, negative))
    }

    /// Returns the root of the quotient of two numbers that are not negative, rounded once; `None` if the
    /// divisor is zero.
    pub(super) fn root_of_quotient(&self, divisor: &Self) -> Option<f64> {
        let (quotient, power, more) = self.quotient(divisor, true)?;
        let root = quotient.sqrt();
        let more = more || &root * &root != quotient;
        Some(rounded(&root, power / 2, more, false))
    }

    /// Returns the magnitude of the quotient as `bits · 2^power`, and whether it is a little more. The power
    /// is even if `even`.
    fn quotient(&self, divisor: &Self, even: bool) -> Option<(BigUint, i64, bool)> {
        let (dividend, divisor_digits) = (self.value.magnitude(), divisor.value.magnitude());
        if divisor.is_zero() {
            return None;
        }
        let missing = BITS + divisor_digits.bits() as i64 - dividend.bits() as i64;
        let mut shift = missing.max(0);
        let power = self.power - divisor.power - shift;
        if even && power % 2 != 0 {
            shift += 1;
        }
        let power = self.power - divisor.power - shift;
        let dividend = dividend << shift.unsigned_abs();
        let quotient = &dividend / divisor_digits;
        let more = &quotient * divisor_digits != dividend;
        Some((quotient, power, more))
    }
}

/// Returns the nearest double, ties to even.
fn rounded(bits: &BigUint, power: i64, more: bool, negative: bool) -> f64 {
    let dropped = bits.bits().saturating_sub(128);
    let top = bits >> dropped;
    let more = more || (&top << dropped) != *bits;
    let top = top.iter_u64_digits().rev();
    let top = top.fold(0u128, |all, digit| all << 64 | u128::from(digit));
    let power = power + dropped as i64;
    // Beyond these powers every number is infinite or rounds to zero.
    let power = power.clamp(-4000, 4000) as i32;
    nearest(top, power, more, negative)
}

impl From<BigInt> for Dyadic {
    fn from(value: BigInt) -> Self {
        Self { value, power: 0 }
    }
}

impl From<i128> for Dyadic {
    fn from(value: i128) -> Self {
        Self::from(BigInt::from(value))
    }
}

impl From<i256> for Dyadic {
    fn from(value: i256) -> Self {
        Self::from(BigInt::from_signed_bytes_le(&value.to_le_bytes()))
    }
}

impl From<ExactTotal> for Dyadic {
    fn from(total: ExactTotal) -> Self {
        let sign = if total.negative {
            Sign::Minus
        } else {
            Sign::Plus
        };
        Self {
            value: BigInt::from_slice(sign, &total.digits),
            power: total.power.into(),
        }
    }
}

impl Mul for &Dyadic {
    type Output = Dyadic;

    fn mul(self, other: Self) -> Dyadic {
        Dyadic {
            value: &self.value * &other.value,
            power: self.power + other.power,
        }
    }
}

impl Sub for &Dyadic {
    type Output = Dyadic;

    fn sub(self, other: Self) -> Dyadic {
        let power = self.power.min(other.power);
        Dyadic {
            value: self.aligned(power) - other.aligned(power),
            power,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: i128) -> Dyadic {
        Dyadic::from(value)
    }

    #[test]
    fn quotients_and_roots_are_rounded_once() {
        assert_eq!(of(1).divided_by(&of(3)), Some(1.0 / 3.0));
        assert_eq!(of(-7).divided_by(&of(2)), Some(-3.5));
        assert_eq!(of(0).divided_by(&of(-3)), Some(0.0));
        assert_eq!(of(1).divided_by(&of(0)), None);
        // 2^53 + 1 is halfway between two doubles; a little more rounds up.
        let halfway = (1i128 << 53) + 1;
        assert_eq!(
            of(halfway).divided_by(&of(1)),
            Some(9_007_199_254_740_992.0)
        );
        let more = of(halfway * 1000 + 1).divided_by(&of(1000));
        assert_eq!(more, Some(9_007_199_254_740_994.0));
        assert_eq!(of(2).root_of_quotient(&of(1)), Some(2f64.sqrt()));
        assert_eq!(of(9).root_of_quotient(&of(4)), Some(1.5));
        assert_eq!(of(1).root_of_quotient(&of(3)), Some((1f64 / 3.0).sqrt()));
        assert_eq!(of(0).root_of_quotient(&of(3)), Some(0.0));
        for value in [0.1, -5e-324, f64::MAX, 0.0] {
            let one = Dyadic::of_float(value).and_then(|it| it.divided_by(&of(1)));
            assert_eq!(one, Some(value));
        }
        let ten = Dyadic::ten_to(400);
        assert_eq!(ten.divided_by(&of(1)), Some(f64::INFINITY));
        assert_eq!(of(1).divided_by(&ten), Some(0.0));
        assert_eq!((&ten * &of(3)).divided_by(&ten), Some(3.0));
        assert_eq!((&ten - &(&ten - &of(5))).divided_by(&of(2)), Some(2.5));
    }
}
