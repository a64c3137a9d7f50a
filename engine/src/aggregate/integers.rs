//! Columns of integers as 64 bits a row, as devices take them.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::input::{NumberKind, signed, signed_column, unsigned, unsigned_column};
use crate::Result;

/// A type of integers, of at most 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Integers {
    of: DataType,
    is_signed: bool,
}

impl Integers {
    /// The integers of a type; `None` for other types.
    pub(crate) fn new(of: &DataType) -> Option<Self> {
        let is_signed = match NumberKind::of(of)? {
            NumberKind::Signed => true,
            NumberKind::Unsigned => false,
            NumberKind::Float => return None,
        };
        Some(Self {
            of: of.clone(),
            is_signed,
        })
    }

    /// The values of a column in two's complement. Nulls have any bits.
    pub(crate) fn bits(&self, column: &dyn Array) -> Result<Vec<u64>> {
        Ok(match self.is_signed {
            true => signed(column)?.iter().map(|&value| value as u64).collect(),
            false => unsigned(column)?.into_owned(),
        })
    }

    /// The values of a column; `None` where one of them is 2⁶³ or more. Nulls have any value.
    pub(crate) fn values(&self, column: &dyn Array) -> Result<Option<Vec<i64>>> {
        Ok(match self.is_signed {
            true => Some(signed(column)?.into_owned()),
            false => {
                let values = unsigned(column)?;
                let values = values.iter().map(|&value| value.try_into().ok());
                values.collect()
            }
        })
    }

    /// A column of values in two's complement; one that is not of this type becomes null.
    pub(crate) fn column_of_bits(&self, bits: impl Iterator<Item = u64>) -> Result<ArrayRef> {
        match self.is_signed {
            true => signed_column(&self.of, bits.map(|bits| Some(bits as i64))),
            false => unsigned_column(&self.of, bits.map(Some)),
        }
    }

    /// A column of values; one that is not of this type becomes null.
    pub(crate) fn column(&self, values: impl Iterator<Item = i64>) -> Result<ArrayRef> {
        match self.is_signed {
            true => signed_column(&self.of, values.map(Some)),
            false => unsigned_column(&self.of, values.map(|value| value.try_into().ok())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int8Array, UInt16Array, UInt64Array};

    use super::*;

    #[test]
    fn columns_become_bits_and_come_back() {
        let small: ArrayRef = Arc::new(Int8Array::from(vec![i8::MIN, -1, 0, i8::MAX]));
        let wide: ArrayRef = Arc::new(UInt64Array::from(vec![0, 1 << 63, u64::MAX]));
        for column in [small, wide] {
            let integers = Integers::new(column.data_type()).unwrap();
            let bits = integers.bits(&column).unwrap();
            let back = integers.column_of_bits(bits.into_iter()).unwrap();
            assert_eq!(&back, &column);
        }
        assert_eq!(Integers::new(&DataType::Float64), None);
        assert_eq!(Integers::new(&DataType::Boolean), None);
    }

    #[test]
    fn values_beyond_a_type_are_told() {
        let integers = Integers::new(&DataType::UInt64).unwrap();
        let column = |value: u64| UInt64Array::from(vec![3, value]);
        let most = i64::MAX as u64;
        let values = integers.values(&column(most)).unwrap();
        assert_eq!(values, Some(vec![3, i64::MAX]));
        assert_eq!(integers.values(&column(most + 1)).unwrap(), None);
        let narrow = Integers::new(&DataType::UInt16).unwrap();
        let column = narrow.column([7, -1, 1 << 16].into_iter()).unwrap();
        let expected: ArrayRef = Arc::new(UInt16Array::from(vec![Some(7), None, None]));
        assert_eq!(&column, &expected);
        let bits = narrow.column_of_bits([1 << 16].into_iter()).unwrap();
        assert_eq!(bits.null_count(), 1);
    }
}
