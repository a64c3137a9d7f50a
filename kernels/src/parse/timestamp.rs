//! Dates with a time, from their text.

use super::date;

/// Returns the microseconds since 1970-01-01 00:00 of a text `YYYY-MM-DD HH:MM:SS`, also with a `T` in the
/// middle, and with a point and up to six digits after it.
///
/// # Examples
///
/// ```
/// use keymill_kernels::parse::timestamp;
///
/// assert_eq!(timestamp(b"1970-01-01 00:01:02.5"), Some(62_500_000));
/// assert_eq!((timestamp(b"1970-01-01 24:00:00"), timestamp(b"1970-01-01")), (None, None));
/// ```
#[must_use]
#[inline]
pub fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let &[
        b' ' | b'T',
        h0,
        h1,
        b':',
        m0,
        m1,
        b':',
        s0,
        s1,
        ref fraction @ ..,
    ] = time
    else {
        return None;
    };
    let two = |high, low, most| {
        let value = number(&[high, low])?;
        (value <= most).then_some(value)
    };
    let seconds = 3600 * two(h0, h1, 23)? + 60 * two(m0, m1, 59)? + two(s0, s1, 59)?;
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            number(digits)? * 10i64.pow(6 - digits.len() as u32)
        }
        _ => return None,
    };
    Some((i64::from(date(day)?) * 86_400 + seconds) * 1_000_000 + micros)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then_some(value * 10 + i64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_of_a_day_are_read() {
        let second = timestamp(b"1970-01-02T00:00:00");
        assert_eq!(second, Some(86_400_000_000));
        assert_eq!(timestamp(b"1969-12-31 23:59:59.999999"), Some(-1));
        for text in [
            "2024-02-30 00:00:00",
            "2024-02-29 24:00:00",
            "2024-02-29 00:60:00",
            "2024-02-29 00:00:60",
            "2024-02-29 00:00:00.",
            "2024-02-29 00:00:00.1234567",
            "2024-02-29 00:00:00Z",
            "2024-02-29-00:00:00",
            "2024-02-29 0:00:00",
            "2024-02-29 00:00",
            "2024-02-29",
            "",
        ] {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
    }
}
