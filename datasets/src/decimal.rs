//! Writes numbers in decimal.

/// Length of the largest number and a separator.
const MAX_BYTES: usize = 21;

/// A number and a separator after it, at the end of a small array.
pub(crate) struct Decimal {
    bytes: [u8; MAX_BYTES],
    start: usize,
}

impl Decimal {
    #[inline]
    pub(crate) fn new(mut number: u64, separator: u8) -> Self {
        let mut bytes = [separator; MAX_BYTES];
        let mut start = MAX_BYTES - 1;
        loop {
            start -= 1;
            bytes[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { bytes, start };
            }
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 1, 9, 10, 65_536, u64::from(u32::MAX), u64::MAX] {
            let written = Decimal::new(number, b'\n');
            assert_eq!(written.as_bytes(), format!("{number}\n").as_bytes());
        }
    }
}
