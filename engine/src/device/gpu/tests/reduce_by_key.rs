//! Tests of `reduce_by_key.wgsl`.

use keymill_kernels::oracle;
use keymill_kernels::stage::reduce_by_key::IntKey;
use keymill_shaders::{REDUCE_TILE_ROWS, Stage};
use proptest::prelude::*;

use super::devices_of;
use crate::device::Device;
use crate::device::reduce_by_key::{Group, Rows, Table, run};

/// Compares the groups of a device with the oracle.
fn compare(device: &dyn Device, rows: Rows<'_>, table: &Table) -> Result<(), String> {
    let found = run(device, rows, table).map_err(|fault| fault.to_string())?;
    let expected = oracle::reduce_by_key(rows.keys, rows.values);
    let expected = expected.iter().map(|(&key, reduced)| Group {
        key,
        count: reduced.count,
        sum: reduced.sum,
        min: reduced.min,
        max: reduced.max,
    });
    let expected: Vec<Group<u64>> = expected.collect();
    if found == expected {
        return Ok(());
    }
    let mut both = found.iter().zip(&expected);
    let (counts, other) = ((found.len(), expected.len()), both.find(|(a, b)| a != b));
    let variant = device.variant();
    Err(format!(
        "{counts:?} groups, {other:?}, {table:?}, shaders: {variant}"
    ))
}

/// Returns tables with room, tables with too few slots, and tables where all keys collide.
fn tables(rows: usize, device: &dyn Device) -> [Table; 5] {
    [
        Table::for_rows(rows, rows, device.binding_bytes()),
        Table::new(16, 4, u32::MAX),
        Table::new(256, 1, u32::MAX),
        Table::new(8, 3, 0),
        Table::new(1, 1, 0),
    ]
}

fn agrees(keys: &[u64], values: &[i64]) {
    for device in devices_of(Stage::ReduceByKey) {
        for table in tables(keys.len(), &**device) {
            if let Err(wrong) = compare(&**device, Rows { keys, values }, &table) {
                panic!("{wrong}");
            }
        }
    }
}

/// Generates numbers that are the same in every run.
pub(super) fn mixed(rows: usize) -> impl Iterator<Item = u64> {
    let spread = |row: u64| (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..rows as u64).map(move |row| spread(row) ^ spread(row) >> 29)
}

pub(super) fn values(rows: usize) -> Vec<i64> {
    mixed(rows)
        .map(|word| word.rotate_left(17) as i64)
        .collect()
}

#[test]
fn rows_around_every_edge() {
    let tile = REDUCE_TILE_ROWS;
    for edge in [0, 256, tile, 2 * tile] {
        for rows in edge.saturating_sub(1)..=edge + 1 {
            let keys: Vec<u64> = mixed(rows).map(|key| (key % 50) << 30).collect();
            agrees(&keys, &values(rows));
        }
    }
}

#[test]
fn few_keys_and_one_key_per_row() {
    let rows = 60_000;
    let values = values(rows);
    agrees(&vec![42; rows], &values);
    for distinct in [2, 7, 300, 5000] {
        let keys: Vec<u64> = mixed(rows).map(|key| key % distinct).collect();
        agrees(&keys, &values);
    }
    agrees(&mixed(rows).collect::<Vec<_>>(), &values);
}

#[test]
fn keys_with_one_equal_word_are_distinct() {
    let words = [0, 1, 0x8000_0000, 0xffff_ffff];
    let pairs = words
        .iter()
        .flat_map(|high| words.map(|low| high << 32 | low));
    let keys: Vec<u64> = pairs.cycle().take(10_000).collect();
    agrees(&keys, &values(keys.len()));
}

#[test]
fn sums_above_64_bits_do_not_wrap() {
    let rows = 70_000;
    let keys: Vec<u64> = (0..rows).map(|row| row % 3).collect();
    for value in [i64::MIN, i64::MAX, -1, 0, 1, 0xffff_ffff, -0x1_0000_0000] {
        agrees(&keys, &vec![value; keys.len()]);
    }
    // The low and middle words are full, so that every addition carries.
    let ends = [i64::MAX, i64::MIN, -1, i64::MAX - 1, 0x7fff_ffff_0000_0000];
    let values: Vec<i64> = ends.into_iter().cycle().take(keys.len()).collect();
    agrees(&keys, &values);
}

#[test]
fn extremes_that_differ_in_their_low_words() {
    let rows = 20_000;
    let keys: Vec<u64> = mixed(rows).map(|key| key % 9).collect();
    for high in [-1i64, 0, 1, i64::MIN >> 32, i64::MAX >> 32] {
        let values = mixed(rows).map(|word| high << 32 | (word & 0xffff_ffff) as i64);
        agrees(&keys, &values.collect::<Vec<_>>());
    }
    let near_zero: Vec<i64> = mixed(rows).map(|word| word as i64 % 3).collect();
    agrees(&keys, &near_zero);
}

#[test]
fn narrower_keys_are_widened_by_the_host() {
    let keys: Vec<u64> = [-2i64, -1, 0, 1, i64::MIN, i64::MAX]
        .map(IntKey::to_bits)
        .into();
    agrees(&keys, &[1, 2, 3, 4, 5, 6]);
    let keys: Vec<u64> = [0, 1, u32::MAX, 1].map(IntKey::to_bits).into();
    agrees(&keys, &[1, 2, 3, 4]);
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -3..3i64,
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]),
        (any::<u32>(), -2..2i64).prop_map(|(low, high)| high << 32 | i64::from(low)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn rows_are_reduced_as_the_oracle_reduces(
        rows in prop::collection::vec((any::<u64>(), value()), 0..3000),
        distinct in prop_oneof![1u64..600, 1..=u64::MAX],
        slots in 1u32..2000,
        chain in 0u32..70,
        hash_mask in prop_oneof![Just(0), Just(3), Just(u32::MAX), any::<u32>()],
    ) {
        let keys: Vec<u64> = rows.iter().map(|(key, _)| key % distinct).collect();
        let values: Vec<i64> = rows.iter().map(|(_, value)| *value).collect();
        let rows = Rows { keys: &keys, values: &values };
        for device in devices_of(Stage::ReduceByKey) {
            let table = Table::new(slots, chain, hash_mask);
            compare(&**device, rows, &table).map_err(TestCaseError::fail)?;
        }
    }
}
