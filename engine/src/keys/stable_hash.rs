//! The stable hash of key columns.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_buffer::i256;
use arrow_schema::DataType;
use keymill_kernels::stable_hash::{CanonicalKey, hash_bytes, hash_u32s, hash_u64s};
use keymill_kernels::{HashSeed, Level};

use super::{bytes_of, key_columns};
use crate::{Error, ErrorKind, Result};

/// Replaces `hashes` by the stable hash of each row's key.
///
/// The hash of a key depends only on its values and their types. A single column is hashed directly
/// if it is not null; all other keys are hashed column by column ([`CanonicalKey`]).
pub(crate) fn hash_keys(
    level: Level,
    seed: HashSeed,
    keys: &[ArrayRef],
    hashes: &mut Vec<u64>,
) -> Result<()> {
    hashes.clear();
    let keys = &*key_columns(keys)?;
    let [key] = keys else {
        return hash_composite(seed, keys, hashes);
    };
    hashes.resize(key.len(), 0);
    match key.data_type() {
        DataType::Int64 => hash_u64s(
            level,
            seed,
            &bits_of::<Int64Type, _>(key, i64::cast_unsigned),
            hashes,
        ),
        DataType::UInt64 => hash_u64s(
            level,
            seed,
            key.as_primitive::<UInt64Type>().values(),
            hashes,
        ),
        DataType::Int32 => hash_u32s(
            level,
            seed,
            &bits_of::<Int32Type, _>(key, i32::cast_unsigned),
            hashes,
        ),
        DataType::UInt32 => hash_u32s(
            level,
            seed,
            key.as_primitive::<UInt32Type>().values(),
            hashes,
        ),
        DataType::Int8 => each_fixed::<Int8Type, 1>(seed, key, i8::to_le_bytes, hashes),
        DataType::Int16 => each_fixed::<Int16Type, 2>(seed, key, i16::to_le_bytes, hashes),
        DataType::UInt8 => each_fixed::<UInt8Type, 1>(seed, key, u8::to_le_bytes, hashes),
        DataType::UInt16 => each_fixed::<UInt16Type, 2>(seed, key, u16::to_le_bytes, hashes),
        DataType::Decimal128(..) => {
            each_fixed::<Decimal128Type, 16>(seed, key, i128::to_le_bytes, hashes);
        }
        DataType::Decimal256(..) => {
            each_fixed::<Decimal256Type, 32>(seed, key, i256::to_le_bytes, hashes);
        }
        DataType::Boolean => {
            let values = key.as_boolean().values().iter();
            let values = values.map(|value| hash_bytes(seed, &[u8::from(value)]));
            hashes
                .iter_mut()
                .zip(values)
                .for_each(|(hash, value)| *hash = value);
        }
        _ => {
            let value = bytes_of(key)?;
            (0..)
                .zip(&mut *hashes)
                .for_each(|(row, hash)| *hash = hash_bytes(seed, value(row)));
        }
    }
    if let Some(nulls) = key.nulls() {
        let null = CanonicalKey::new(seed).null().finish();
        let rows = nulls.iter().zip(hashes);
        rows.filter(|(valid, _)| !valid)
            .for_each(|(_, hash)| *hash = null);
    }
    Ok(())
}

fn bits_of<T: ArrowPrimitiveType, B>(key: &ArrayRef, bits: fn(T::Native) -> B) -> Vec<B> {
    key.as_primitive::<T>()
        .values()
        .iter()
        .map(|&value| bits(value))
        .collect()
}

fn each_fixed<T: ArrowPrimitiveType, const WIDTH: usize>(
    seed: HashSeed,
    key: &ArrayRef,
    bytes: fn(T::Native) -> [u8; WIDTH],
    hashes: &mut [u64],
) {
    let values = key.as_primitive::<T>().values();
    for (hash, &value) in hashes.iter_mut().zip(values) {
        *hash = hash_bytes(seed, &bytes(value));
    }
}

fn hash_composite(seed: HashSeed, keys: &[ArrayRef], hashes: &mut Vec<u64>) -> Result<()> {
    let rows = keys.first().map_or(0, Array::len);
    let mut composite = vec![CanonicalKey::new(seed); rows];
    for key in keys {
        add_column(key, &mut composite)?;
    }
    hashes.extend(composite.into_iter().map(CanonicalKey::finish));
    Ok(())
}

/// Adds a column to the hash of each row's key.
fn add_column(key: &ArrayRef, composite: &mut [CanonicalKey]) -> Result<()> {
    match key.data_type() {
        DataType::Int8 => add_fixed::<Int8Type, 1>(key, i8::to_le_bytes, composite),
        DataType::Int16 => add_fixed::<Int16Type, 2>(key, i16::to_le_bytes, composite),
        DataType::Int32 => add_fixed::<Int32Type, 4>(key, i32::to_le_bytes, composite),
        DataType::Int64 => add_fixed::<Int64Type, 8>(key, i64::to_le_bytes, composite),
        DataType::UInt8 => add_fixed::<UInt8Type, 1>(key, u8::to_le_bytes, composite),
        DataType::UInt16 => add_fixed::<UInt16Type, 2>(key, u16::to_le_bytes, composite),
        DataType::UInt32 => add_fixed::<UInt32Type, 4>(key, u32::to_le_bytes, composite),
        DataType::UInt64 => add_fixed::<UInt64Type, 8>(key, u64::to_le_bytes, composite),
        DataType::Decimal128(..) => {
            add_fixed::<Decimal128Type, 16>(key, i128::to_le_bytes, composite);
        }
        DataType::Decimal256(..) => {
            add_fixed::<Decimal256Type, 32>(key, i256::to_le_bytes, composite);
        }
        DataType::Boolean => {
            let values = key.as_boolean();
            add_each(key, composite, |all, row| {
                all.fixed([u8::from(values.value(row))])
            });
        }
        _ => {
            let value = bytes_of(key)?;
            add_each(key, composite, |all, row| all.bytes(value(row)));
        }
    }
    Ok(())
}

fn add_fixed<T: ArrowPrimitiveType, const WIDTH: usize>(
    key: &ArrayRef,
    bytes: fn(T::Native) -> [u8; WIDTH],
    composite: &mut [CanonicalKey],
) {
    let values = key.as_primitive::<T>().values();
    add_each(key, composite, |all, row| all.fixed(bytes(values[row])));
}

fn add_each(
    key: &ArrayRef,
    composite: &mut [CanonicalKey],
    add: impl Fn(CanonicalKey, usize) -> CanonicalKey,
) {
    for (row, all) in composite.iter_mut().enumerate() {
        *all = match key.is_null(row) {
            true => all.clone().null(),
            false => add(all.clone(), row),
        };
    }
}

/// Returns the error for a type that cannot be a key.
pub(super) fn no_key_type(of: &DataType) -> Error {
    let message = format!("a column of {of} cannot be a key");
    Error::new(ErrorKind::Internal, message)
}
