//! Packs several integers and booleans, and their null bits, into one or two words.
//!
//! ```text
//! keys   i32 -1, bool true      word   0x7fff_ffff | 1 << 32        (the sign bit is flipped)
//! with null bits                       … | null of the first << 40 | null of the second << 41
//! ```
//!
//! Flipping the sign bit keeps the order of integers, so that −1 and 0 are neighbours. The words of a
//! single column of 64 bits are its values, without the flip: a copy costs more than the flip saves.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow_schema::DataType;

use super::stable_hash::no_key_type;
use crate::Result;

/// The bits of each column within the words.
#[derive(Debug)]
pub(crate) struct Layout {
    columns: Vec<Place>,
    /// The position of the first null bit; there is one per column.
    nulls: Option<u32>,
    bits: u32,
}

/// The bits of one column's value.
#[derive(Debug)]
struct Place {
    shift: u32,
    bits: u32,
}

/// One word, or two words of which the first is the lower one.
pub(crate) trait Words: Copy + Default {
    /// Returns words of 64 bits as this type, if it is the same.
    fn of_words(words: &[u64]) -> Option<&[Self]>;
    fn put(&mut self, bits: u64, shift: u32);
    fn get(self, shift: u32) -> u64;
}

impl Words for u64 {
    fn of_words(words: &[u64]) -> Option<&[Self]> {
        Some(words)
    }

    #[inline(always)]
    fn put(&mut self, bits: u64, shift: u32) {
        *self |= bits << shift;
    }

    #[inline(always)]
    fn get(self, shift: u32) -> u64 {
        self >> shift
    }
}

impl Words for [u64; 2] {
    fn of_words(_: &[u64]) -> Option<&[Self]> {
        None
    }

    #[inline(always)]
    fn put(&mut self, bits: u64, shift: u32) {
        let bits = u128::from(bits) << shift;
        self[0] |= bits as u64;
        self[1] |= (bits >> 64) as u64;
    }

    #[inline(always)]
    fn get(self, shift: u32) -> u64 {
        ((u128::from(self[1]) << 64 | u128::from(self[0])) >> shift) as u64
    }
}

impl Layout {
    /// Returns the layout of these types if they fit in two words; with null bits if these need no
    /// further word.
    pub(crate) fn new(types: &[DataType]) -> Option<Self> {
        let bits = bits_of_all(types)?;
        let with_nulls = bits + types.len() as u32;
        let nulls_are_free = with_nulls <= 64 || bits > 64 && with_nulls <= 128;
        Self::of(types, nulls_are_free)
    }

    /// Returns the layout of these types with null bits, if it fits in two words.
    pub(super) fn with_null_bits(types: &[DataType]) -> Option<Self> {
        Self::of(types, true)
    }

    fn of(types: &[DataType], has_nulls: bool) -> Option<Self> {
        let mut bits = 0;
        let mut columns = Vec::new();
        for of in types {
            let place = Place {
                shift: bits,
                bits: bits_of(of)?,
            };
            bits += place.bits;
            columns.push(place);
        }
        let nulls = has_nulls.then_some(bits);
        let bits = bits + if has_nulls { types.len() as u32 } else { 0 };
        (bits <= 128).then_some(Self {
            columns,
            nulls,
            bits,
        })
    }

    /// Returns whether one word is enough.
    pub(crate) fn fits_word(&self) -> bool {
        self.bits <= 64
    }

    pub(super) fn has_null_bits(&self) -> bool {
        self.nulls.is_some()
    }

    /// Returns whether the words are the values of one column.
    fn is_one_column(&self) -> bool {
        self.columns.len() == 1 && self.bits == 64
    }

    /// Returns the words of each row: those of the column itself, or else `words`, which it overwrites.
    pub(crate) fn pack<'k, W: Words>(
        &self,
        keys: &'k [ArrayRef],
        words: &'k mut Vec<W>,
    ) -> Result<&'k [W]> {
        let rows = keys.first().map_or(0, Array::len);
        if self.is_one_column()
            && let Some(values) = words_of(&keys[0]).and_then(W::of_words)
        {
            return Ok(values);
        }
        words.clear();
        words.resize(rows, W::default());
        for (column, (key, place)) in (0..).zip(keys.iter().zip(&self.columns)) {
            put_column(key, place.shift, words)?;
            if let (Some(first), Some(nulls)) = (self.nulls, key.nulls()) {
                let null = |row: usize| u64::from(nulls.is_null(row));
                let mask = u64::MAX >> (64 - place.bits);
                for (row, word) in words.iter_mut().enumerate() {
                    // The value of a null row is unspecified, so it is cleared.
                    if null(row) == 1 {
                        let mut value = W::default();
                        value.put(word.get(place.shift) & mask, place.shift);
                        *word = cleared(*word, value);
                        word.put(1, first + column);
                    }
                }
            }
        }
        Ok(words)
    }

    /// Returns the columns of some groups. `keys` are the words of all groups.
    pub(crate) fn unpack<W: Words>(
        &self,
        types: &[DataType],
        keys: &[W],
        groups: &[u32],
    ) -> Result<Vec<ArrayRef>> {
        if let ([DataType::Int64], true) = (types, self.is_one_column()) {
            let values = groups
                .iter()
                .map(|&group| Some(keys[group as usize].get(0)));
            return Ok(vec![column::<Int64Type>(values, false, |bits| bits as i64)]);
        }
        let columns = (0..).zip(types.iter().zip(&self.columns));
        columns
            .map(|(column, (of, place))| {
                let null = self.nulls.map(|first| first + column);
                let values = groups.iter().map(|&group| {
                    let word = keys[group as usize];
                    let is_null = null.is_some_and(|null| word.get(null) & 1 == 1);
                    (!is_null).then(|| word.get(place.shift))
                });
                column_of(of, values, null.is_some())
            })
            .collect()
    }
}

fn cleared<W: Words>(word: W, value: W) -> W {
    let mut left = W::default();
    for shift in [0, 64] {
        if size_of::<W>() * 8 > shift as usize {
            left.put(word.get(shift) ^ value.get(shift), shift);
        }
    }
    left
}

fn bits_of_all(types: &[DataType]) -> Option<u32> {
    types.iter().map(bits_of).sum()
}

/// Returns the bits of a type's values; `None` if it cannot be packed.
fn bits_of(of: &DataType) -> Option<u32> {
    match of {
        DataType::Boolean | DataType::Int8 | DataType::UInt8 => Some(8),
        DataType::Int16 | DataType::UInt16 => Some(16),
        DataType::Int32 | DataType::UInt32 => Some(32),
        DataType::Int64 | DataType::UInt64 => Some(64),
        _ => None,
    }
}

/// Returns the values of a column of 64 bits.
fn words_of(key: &ArrayRef) -> Option<&[u64]> {
    let values = match key.data_type() {
        DataType::Int64 => key.as_primitive::<Int64Type>().values().inner(),
        DataType::UInt64 => key.as_primitive::<UInt64Type>().values().inner(),
        _ => return None,
    };
    Some(values.typed_data())
}

fn put_column<W: Words>(key: &ArrayRef, shift: u32, words: &mut [W]) -> Result<()> {
    match key.data_type() {
        DataType::Int8 => put::<Int8Type, W>(key, shift, words, |v| u64::from(v as u8 ^ 1 << 7)),
        DataType::Int16 => {
            put::<Int16Type, W>(key, shift, words, |v| u64::from(v as u16 ^ 1 << 15))
        }
        DataType::Int32 => {
            put::<Int32Type, W>(key, shift, words, |v| u64::from(v as u32 ^ 1 << 31))
        }
        DataType::Int64 => put::<Int64Type, W>(key, shift, words, |v| v as u64 ^ 1 << 63),
        DataType::UInt8 => put::<UInt8Type, W>(key, shift, words, u64::from),
        DataType::UInt16 => put::<UInt16Type, W>(key, shift, words, u64::from),
        DataType::UInt32 => put::<UInt32Type, W>(key, shift, words, u64::from),
        DataType::UInt64 => put::<UInt64Type, W>(key, shift, words, |v| v),
        DataType::Boolean => {
            let values = key.as_boolean().values().iter();
            let rows = words.iter_mut().zip(values);
            rows.for_each(|(word, value)| word.put(u64::from(value), shift));
        }
        other => return Err(no_key_type(other)),
    }
    Ok(())
}

#[inline(always)]
fn put<T: ArrowPrimitiveType, W: Words>(
    key: &ArrayRef,
    shift: u32,
    words: &mut [W],
    bits: impl Fn(T::Native) -> u64,
) {
    let values = key.as_primitive::<T>().values();
    for (word, &value) in words.iter_mut().zip(values) {
        word.put(bits(value), shift);
    }
}

/// Returns a column of unpacked values. Without `nulls` it has no null buffer.
fn column_of(
    of: &DataType,
    bits: impl Iterator<Item = Option<u64>>,
    nulls: bool,
) -> Result<ArrayRef> {
    Ok(match of {
        DataType::Int8 => column::<Int8Type>(bits, nulls, |bits| (bits as u8 ^ 1 << 7) as i8),
        DataType::Int16 => column::<Int16Type>(bits, nulls, |bits| (bits as u16 ^ 1 << 15) as i16),
        DataType::Int32 => column::<Int32Type>(bits, nulls, |bits| (bits as u32 ^ 1 << 31) as i32),
        DataType::Int64 => column::<Int64Type>(bits, nulls, |bits| (bits ^ 1 << 63) as i64),
        DataType::UInt8 => column::<UInt8Type>(bits, nulls, |bits| bits as u8),
        DataType::UInt16 => column::<UInt16Type>(bits, nulls, |bits| bits as u16),
        DataType::UInt32 => column::<UInt32Type>(bits, nulls, |bits| bits as u32),
        DataType::UInt64 => column::<UInt64Type>(bits, nulls, |bits| bits),
        DataType::Boolean => {
            let values = bits.map(|bits| bits.map(|bits| bits & 1 == 1));
            Arc::new(values.collect::<BooleanArray>())
        }
        other => return Err(no_key_type(other)),
    })
}

fn column<T: ArrowPrimitiveType>(
    bits: impl Iterator<Item = Option<u64>>,
    nulls: bool,
    value: impl Fn(u64) -> T::Native,
) -> ArrayRef
where
    PrimitiveArray<T>: FromIterator<Option<T::Native>>,
{
    if !nulls {
        let values = bits.map(|bits| value(bits.unwrap_or(0)));
        return Arc::new(PrimitiveArray::<T>::from_iter_values(values));
    }
    let values = bits.map(|bits| bits.map(&value));
    Arc::new(values.collect::<PrimitiveArray<T>>())
}
