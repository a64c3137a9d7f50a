//! Known results of the stages for rows.
#![forbid(unsafe_code)]

use keymill_kernels::stable_hash::hash_bytes;
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashSeed, oracle};

use super::check_answer;
use crate::device::hash_partition::{self, Keys, MAX_KEY_BYTES};
use crate::device::reduce_by_key::{self, Group, Rows, Table, TextRows};
use crate::device::{Device, Fault};

/// More rows than one tile of each stage.
const ROWS: u64 = 5000;
const SEED: HashSeed = HashSeed(0x0706_0504_0302_0100);
/// The text of byte keys.
const TEXT: &[u8] = b"to be or not\0to be \xff\xe2\x80 that is the question";

/// Checks the hashes and partitions of keys of each kind, in one pass and in two.
pub(super) fn partitions(device: &dyn Device) -> Result<(), Fault> {
    let wide: Vec<u64> = (0..ROWS).map(|row| (row * row) << (row % 40)).collect();
    let narrow: Vec<u32> = wide.iter().map(|&key| key as u32).collect();
    // Keys of 0 to 16 bytes at any position in a word, and some of the maximum length.
    let ends = (0..ROWS).scan(0, |end, row| {
        *end += match row % 500 {
            499 => MAX_KEY_BYTES as u32 - row as u32 % 7,
            _ => row as u32 % 17,
        };
        Some(*end)
    });
    let offsets: Vec<u32> = [0].into_iter().chain(ends).collect();
    let bytes = TEXT.repeat(offsets[offsets.len() - 1] as usize / TEXT.len() + 1);
    let hash = |key: &[u8]| hash_bytes(SEED, key);
    let span = |ends: &[u32]| hash(&bytes[ends[0] as usize..ends[1] as usize]);
    let of_bytes = Keys::Bytes {
        bytes: &bytes,
        offsets: &offsets,
    };
    let narrow_hashes = narrow.iter().map(|key| hash(&key.to_le_bytes()));
    let wide_hashes = wide.iter().map(|key| hash(&key.to_le_bytes()));
    check_partitions(device, Keys::U32(&narrow), narrow_hashes.collect())?;
    check_partitions(device, Keys::U64(&wide), wide_hashes.collect())?;
    check_partitions(device, of_bytes, offsets.windows(2).map(span).collect())
}

fn check_partitions(device: &dyn Device, keys: Keys<'_>, expected: Vec<u64>) -> Result<(), Fault> {
    let hashes = hash_partition::hashes(device, keys, SEED)?;
    check_answer(hashes == expected, "hash_partition returns wrong hashes")?;
    for partitions in [7, 1000] {
        let partitioned = hash_partition::run(device, keys, SEED, partitions)?;
        let expected = oracle::hash_partition(&expected, partitions);
        let rows_of = |ends: &[usize]| &partitioned.rows[ends[0]..ends[1]];
        let is_right = partitioned.starts.windows(2).map(rows_of).eq(&expected);
        check_answer(is_right, "hash_partition returns wrong partitions")?;
    }
    Ok(())
}

/// Checks values near both limits with keys of each kind, in a table with room and in one where all
/// keys collide.
pub(super) fn groups(device: &dyn Device) -> Result<(), Fault> {
    let values = (0..ROWS as i64).map(|row| match row % 5 {
        0 => i64::MAX - row,
        1 => i64::MIN + row,
        _ => row - 2500,
    });
    let values: Vec<i64> = values.collect();
    let keys: Vec<u64> = (0..ROWS)
        .map(|row| (row * row % 97) << (row % 3 * 20))
        .collect();
    let rows = Rows {
        keys: &keys,
        values: &values,
    };
    for table in [Table::new(1 << 11, 64, u32::MAX), Table::new(64, 8, 0)] {
        let groups = reduce_by_key::run(device, rows, &table)?;
        check_groups(&groups, &keys, &values)?;
    }
    let (text, spans) = (TEXT.repeat(250), spans_of_text());
    let keys: Vec<&[u8]> = spans.iter().map(|span| span.of(&text)).collect();
    let rows = TextRows {
        text: &text,
        spans: &spans,
        values: &values,
    };
    let full = Table::new(64, 64, 0).with_longest(12);
    for table in [Table::new(1 << 11, 64, u32::MAX), full] {
        let groups = reduce_by_key::run(device, rows, &table)?;
        check_groups(&groups, &keys, &values)?;
    }
    Ok(())
}

/// Keys of 0 to 16 bytes at each position in a word, some of which differ only after their first
/// word, and some of about the maximum length.
fn spans_of_text() -> Vec<Span> {
    let span = |row: u32| {
        let bytes = match row % 500 {
            499 => MAX_KEY_BYTES as u32 - 2 + row % 7,
            _ => row % 17,
        };
        let start = row % 5 * 13;
        Span {
            start,
            end: start + bytes,
        }
    };
    (0..ROWS as u32).map(span).collect()
}

fn check_groups<K: Ord + Copy>(
    groups: &[Group<K>],
    keys: &[K],
    values: &[i64],
) -> Result<(), Fault> {
    let expected = oracle::reduce_by_key(keys, values);
    let found = groups.iter().map(|group| {
        let (count, sum, min, max) = (group.count, group.sum, group.min, group.max);
        (
            group.key,
            oracle::Reduced {
                count,
                sum,
                min,
                max,
            },
        )
    });
    let is_right = found.eq(expected.iter().map(|(&key, &reduced)| (key, reduced)));
    check_answer(is_right, "reduce_by_key returns wrong groups")
}
