//! One value of any type for each group, as bytes in the order of the values.

use arrow_array::{ArrayRef, UInt32Array, new_null_array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;

use crate::{Error, ErrorKind, Result};

/// Returns whether values of a type have bytes in their order.
pub(super) fn takes(of: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Boolean, FixedSizeBinary, Float16, Interval, LargeBinary, LargeUtf8,
        Utf8, Utf8View,
    };
    match of {
        Float16 | Interval(_) => false,
        Boolean | Utf8 | LargeUtf8 | Utf8View => true,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => true,
        of => of.is_primitive(),
    }
}

/// The values of groups.
pub(super) struct ByteValues {
    of: DataType,
    converter: RowConverter,
    values: Vec<Option<Box<[u8]>>>,
    bytes: usize,
}

impl ByteValues {
    pub(super) fn new(of: &DataType) -> Result<Self> {
        let fields = vec![SortField::new(of.clone())];
        Ok(Self {
            of: of.clone(),
            converter: RowConverter::new(fields).map_err(not_encoded)?,
            values: Vec::new(),
            bytes: 0,
        })
    }

    /// Returns the type of the values.
    pub(super) fn data_type(&self) -> &DataType {
        &self.of
    }

    /// Encodes a column. The bytes of null rows are those of a null.
    pub(super) fn encode(&self, column: &ArrayRef) -> Result<Rows> {
        let columns = std::slice::from_ref(column);
        self.converter.convert_columns(columns).map_err(not_encoded)
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    pub(super) fn get(&self, group: u32) -> Option<&[u8]> {
        self.values[group as usize].as_deref()
    }

    pub(super) fn set(&mut self, group: u32, value: &[u8]) {
        let place = &mut self.values[group as usize];
        self.bytes -= place.as_ref().map_or(0, |old| old.len());
        self.bytes += value.len();
        match place {
            Some(old) if old.len() == value.len() => old.copy_from_slice(value),
            place => *place = Some(value.into()),
        }
    }

    /// Returns the values of some groups; null where there is none.
    pub(super) fn column(&self, groups: &[u32]) -> Result<ArrayRef> {
        let present: Vec<&[u8]> = groups.iter().filter_map(|&group| self.get(group)).collect();
        if present.is_empty() {
            return Ok(new_null_array(&self.of, groups.len()));
        }
        let parser = self.converter.parser();
        let rows = present.iter().map(|bytes| parser.parse(bytes));
        let values = self.converter.convert_rows(rows).map_err(not_encoded)?;
        let values = values.into_iter().next().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "values were encoded without a column")
        })?;
        if present.len() == groups.len() {
            return Ok(values);
        }
        let mut next = 0;
        let places = groups.iter().map(|&group| {
            self.get(group).map(|_| {
                next += 1;
                next - 1
            })
        });
        let places: UInt32Array = places.collect();
        take(&values, &places, None).map_err(not_encoded)
    }

    pub(super) fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            let old = self.values[group as usize].take();
            self.bytes -= old.map_or(0, |old| old.len());
        }
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.bytes = 0;
    }

    pub(super) fn size(&self) -> usize {
        // An allocation costs about as much as a pointer and a length.
        let places = self.values.capacity() * 2 * size_of::<Box<[u8]>>();
        places + self.bytes + self.converter.size()
    }
}

pub(super) fn not_encoded(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "values could not be encoded").with_source(cause)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;

    use super::*;

    #[test]
    fn groups_without_values_are_null() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["b", "", "a long one"]));
        let mut values = ByteValues::new(&DataType::Utf8).unwrap();
        values.resize(4);
        assert_eq!(
            &values.column(&[0, 3]).unwrap(),
            &new_null_array(&DataType::Utf8, 2)
        );
        let rows = values.encode(&column).unwrap();
        for (group, row) in [(1, 2), (3, 0), (1, 1)] {
            values.set(group, rows.row(row).data());
        }
        let found = values.column(&[3, 0, 1]).unwrap();
        let expected: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("")]));
        assert_eq!(&found, &expected);
        values.reset(&[3, 1]);
        assert_eq!((values.bytes, values.get(3)), (0, None));
    }
}
