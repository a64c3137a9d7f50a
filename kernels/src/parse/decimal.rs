//! Decimals from their text.

/// Returns a decimal in units of its last digit, of `scale` digits after the point: an optional minus
/// sign, and digits with at most one point between them. Digits after the scale must be zeros. `None` for
/// another text, and for one with more than 18 digits before and after the point together.
///
/// # Examples
///
/// ```
/// use keymill_kernels::parse::decimal;
///
/// assert_eq!((decimal(b"-1.5", 2), decimal(b"7", 2), decimal(b"1.250", 2)), (Some(-150), Some(700), Some(125)));
/// assert_eq!((decimal(b"1.255", 2), decimal(b".5", 2)), (None, None));
/// ```
#[must_use]
#[inline]
pub fn decimal(text: &[u8], scale: u8) -> Option<i128> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &b"0"[..]),
    };
    let zeros = fraction.iter().rev().take_while(|&&byte| byte == b'0');
    let kept = &fraction[..fraction.len() - zeros.count()];
    let is_short = whole.len() + kept.len() <= super::SAFE_DIGITS;
    if whole.is_empty() || fraction.is_empty() || !is_short || kept.len() > scale.into() {
        return None;
    }
    let value = whole
        .iter()
        .chain(kept)
        .copied()
        .try_fold(0u64, |value, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit <= 9).then(|| value * 10 + u64::from(digit))
        })?;
    let power = 10i128.checked_pow(u32::from(scale) - kept.len() as u32)?;
    let value = i128::from(value).checked_mul(power)?;
    Some(if text.starts_with(b"-") {
        -value
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decimals_are_exact(value in any::<i64>(), scale in 0..20u8, zeros in 0..3usize) {
            let value = value / 10;
            let digits = format!("{:0width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
            let sign = if value < 0 { "-" } else { "" };
            let zeros = "0".repeat(zeros);
            let text = match scale {
                0 => format!("{sign}{whole}"),
                _ => format!("{sign}{whole}.{fraction}{zeros}"),
            };
            let kept = fraction.trim_end_matches('0').len();
            let expected = (whole.len() + kept <= 18).then_some(i128::from(value));
            prop_assert_eq!(decimal(text.as_bytes(), scale), expected);
        }
    }

    #[test]
    fn other_texts_are_no_decimals() {
        for text in [
            "", "-", ".", "1.", ".1", "+1", "1e2", " 1", "1.2.3", "--1", "1.-2", "1,5",
        ] {
            assert_eq!(decimal(text.as_bytes(), 4), None, "{text}");
        }
        assert_eq!(decimal(b"1", 38), Some(10i128.pow(38)));
        assert_eq!(decimal(b"2", 39), None);
    }
}
