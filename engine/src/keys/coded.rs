//! Numbers the strings of each column, so that a key of several columns is a few integers.
//!
//! ```text
//! keys    "id1", "b"      codes  0, 0     ids  0     (the ids of a table of integers)
//!         "id2", "b"             1, 0          1
//!         "id1", "b"             0, 0          0
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_schema::DataType;
use keymill_kernels::{HashKey, KeyTable, Level, Tuning};

use super::packed::Layout;
use super::{KeyIds, byte_columns, not_interned};
use crate::Result;

/// The tables of the columns of strings and binaries, and the table of all columns' codes.
pub(super) struct CodedKeys {
    /// One for each column; `None` for a column that is its own code.
    columns: Vec<Option<KeyTable>>,
    ids: Box<KeyIds>,
}

impl CodedKeys {
    /// Creates empty tables; `None` if the codes of these columns do not fit in two words.
    pub(super) fn new(
        types: &[DataType],
        level: Level,
        tuning: &Tuning,
        hash_key: HashKey,
    ) -> Result<Option<Self>> {
        let codes: Vec<DataType> = types.iter().map(code_type).collect();
        if Layout::new(&codes).is_none() {
            return Ok(None);
        }
        let table = |of: &DataType| {
            byte_columns::takes(of).then(|| KeyTable::new(tuning, hash_key).on(level))
        };
        Ok(Some(Self {
            columns: types.iter().map(table).collect(),
            ids: Box::new(KeyIds::new(&codes, level, tuning, hash_key)?),
        }))
    }

    pub(super) fn intern(&mut self, keys: &[ArrayRef], ids: &mut Vec<u32>) -> Result<()> {
        let mut codes = keys.to_vec();
        for (table, key) in self.columns.iter_mut().zip(&mut codes) {
            let Some(table) = table else { continue };
            let mut numbers = Vec::with_capacity(key.len());
            byte_columns::intern(table, key, &mut numbers)?.map_err(not_interned)?;
            *key = Arc::new(UInt32Array::new(numbers.into(), key.nulls().cloned()));
        }
        self.ids.intern(&codes, ids)
    }

    pub(super) fn find(&self, keys: &[ArrayRef], ids: &mut Vec<Option<u32>>) -> Result<()> {
        let first = ids.len();
        let mut codes = keys.to_vec();
        let mut unknown = Vec::new();
        for (table, key) in self.columns.iter().zip(&mut codes) {
            let Some(table) = table else { continue };
            let value = byte_columns::bytes_of(key)?;
            let mut code = |row: usize| match table.get(value(row)) {
                Some(code) => code,
                None if key.is_null(row) => 0,
                None => {
                    unknown.push(row);
                    0
                }
            };
            let numbers: Vec<u32> = (0..key.len()).map(&mut code).collect();
            let numbers = UInt32Array::new(numbers.into(), key.nulls().cloned());
            drop(value);
            *key = Arc::new(numbers);
        }
        self.ids.find(&codes, ids)?;
        unknown.into_iter().for_each(|row| ids[first + row] = None);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns the key columns of some groups, of the types that [`CodedKeys::new`] was given.
    pub(super) fn columns(&self, types: &[DataType], groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let codes = self.ids.stored_columns(groups)?;
        let columns = self.columns.iter().zip(types).zip(codes);
        columns
            .map(|((table, of), codes)| match table {
                Some(table) => {
                    byte_columns::of_codes(of, table, codes.as_primitive::<UInt32Type>())
                }
                None => Ok(codes),
            })
            .collect()
    }

    pub(super) fn size(&self) -> usize {
        let tables = self.columns.iter().flatten().map(KeyTable::bytes);
        self.ids.size() + tables.sum::<usize>()
    }

    pub(super) fn clear(&mut self) {
        self.columns.iter_mut().flatten().for_each(KeyTable::clear);
        self.ids.clear();
    }
}

fn code_type(of: &DataType) -> DataType {
    match byte_columns::takes(of) {
        true => DataType::UInt32,
        false => of.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_array::{Int64Array, StringArray};
    use arrow_cast::cast;

    use super::*;

    const LAYOUTS: [DataType; 6] = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
    ];

    /// Rows with nulls in some batches only, and with strings of all lengths up to 40.
    fn batch(number: u64, layout: &DataType) -> Vec<ArrayRef> {
        let rows = (0..700_u64).map(|row| ((row + 31 * number) * 0x9e37_79b9) >> 7);
        let text = |of: u64| format!("{:>1$}", of % 17, (of % 41) as usize);
        let strings = rows.clone().map(|row| match row % 11 {
            0 if number > 0 => None,
            _ => Some(text(row)),
        });
        let numbers = rows.map(|row| (number != 1 || row % 7 > 0).then_some((row % 5) as i64 - 2));
        let strings: ArrayRef = Arc::new(strings.collect::<StringArray>());
        vec![
            cast(&strings, layout).unwrap(),
            Arc::new(numbers.collect::<Int64Array>()),
        ]
    }

    fn plain_rows(keys: &[ArrayRef]) -> Vec<(Option<String>, Option<i64>)> {
        let strings = cast(&keys[0], &DataType::Utf8).unwrap();
        let strings = strings.as_string::<i32>();
        let numbers = keys[1].as_primitive::<arrow_array::types::Int64Type>();
        let rows = strings.iter().zip(numbers);
        rows.map(|(text, number)| (text.map(str::to_owned), number))
            .collect()
    }

    #[test]
    fn keys_of_strings_and_integers_are_numbered_found_and_returned() {
        for layout in LAYOUTS {
            let types = [layout.clone(), DataType::Int64];
            let new = || {
                let (level, key) = (Level::best(), HashKey::random());
                KeyIds::new(&types, level, &Tuning::DEFAULT, key).unwrap()
            };
            let (mut keys, mut oracle) = (new(), HashMap::new());
            for number in 0..3 {
                let batch = batch(number, &layout);
                let mut found = Vec::new();
                keys.find(&batch, &mut found).unwrap();
                let rows = plain_rows(&batch);
                let known: Vec<_> = rows.iter().map(|row| oracle.get(row).copied()).collect();
                assert_eq!(found, known, "{layout}, batch {number}");
                let expected: Vec<u32> = rows
                    .into_iter()
                    .map(|row| {
                        let next = oracle.len() as u32;
                        *oracle.entry(row).or_insert(next)
                    })
                    .collect();
                let mut ids = Vec::new();
                keys.intern(&batch, &mut ids).unwrap();
                assert_eq!(ids, expected, "{layout}, batch {number}");
            }
            assert_eq!(keys.len(), oracle.len());
            let all: Vec<u32> = (0..keys.len() as u32).collect();
            let columns = keys.columns(&all).unwrap();
            assert_eq!(columns[0].data_type(), &layout);
            let ids = plain_rows(&columns).into_iter().map(|row| oracle[&row]);
            assert_eq!(ids.collect::<Vec<_>>(), all);
            keys.clear();
            assert_eq!(keys.len(), 0);
            let mut found = Vec::new();
            keys.find(&batch(1, &layout), &mut found).unwrap();
            assert!(found.iter().all(Option::is_none));
        }
    }
}
