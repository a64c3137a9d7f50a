//! The null bits of a batch of rows.

/// One bit for each row, the lowest bit of a byte first: 1 for a value, 0 for null.
///
/// This is the layout of an Arrow null buffer.
///
/// # Examples
///
/// ```
/// use keymill_kernels::accumulate::Validity;
///
/// let valid = Validity::new(&[0b0000_1010], 1, 3);
/// assert!(valid.get(0) && !valid.get(1) && valid.get(2));
/// assert_eq!(valid.len(), 3);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a> {
    bits: &'a [u8],
    offset: usize,
    rows: usize,
}

impl<'a> Validity<'a> {
    /// Uses the bits of `rows` rows, from bit `offset` on.
    ///
    /// # Panics
    ///
    /// When there are fewer bits.
    #[must_use]
    pub fn new(bits: &'a [u8], offset: usize, rows: usize) -> Self {
        let last = offset.checked_add(rows);
        assert!(
            last.is_some_and(|last| last.div_ceil(8) <= bits.len()),
            "the buffer must have a bit for each of {rows} rows from bit {offset} on"
        );
        Self { bits, offset, rows }
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Returns whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns whether a row is not null.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    #[must_use]
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        self.bit(row)
    }

    #[inline(always)]
    fn bit(&self, row: usize) -> bool {
        let at = self.offset + row;
        self.bits[at / 8] >> (at % 8) & 1 != 0
    }

    /// Returns for each row whether it is not null.
    pub(super) fn rows(self) -> impl Iterator<Item = bool> + 'a {
        (0..self.rows).map(move |row| self.bit(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_from_any_offset() {
        let bits = [0b1101_0010, 0b0000_1111, 0xff];
        let all: Vec<bool> = (0..24).map(|i| bits[i / 8] >> (i % 8) & 1 == 1).collect();
        for offset in 0..24 {
            for rows in 0..=24 - offset {
                let valid = Validity::new(&bits, offset, rows);
                let got: Vec<bool> = valid.rows().collect();
                assert_eq!(got, all[offset..offset + rows]);
                assert!((0..rows).all(|row| valid.get(row) == got[row]));
            }
        }
    }

    #[test]
    #[should_panic(expected = "a bit for each")]
    fn missing_bits_are_refused() {
        let _ = Validity::new(&[0], 1, 8);
    }
}
