//! Tests of `hash_partition.wgsl`.

use keymill_kernels::stable_hash::{hash_bytes, hash_u64s, partition_of};
use keymill_kernels::stage::hash_partition::{HashPartition, MOST_PARTITIONS, Partitioned};
use keymill_kernels::{HashSeed, Level, oracle};
use keymill_shaders::{PARTITION_TILE_ROWS, Stage};
use proptest::prelude::*;

use super::devices_of;
use crate::device::Device;
use crate::device::hash_partition::{Keys, MAX_KEY_BYTES, hashes, run};

const SEED: HashSeed = HashSeed(0x0123_4567_89ab_cdef);

/// Returns the hash of each key's canonical bytes.
fn expected_hashes(keys: Keys<'_>, seed: HashSeed) -> Vec<u64> {
    let hash = |key: &[u8]| hash_bytes(seed, key);
    match keys {
        Keys::U32(keys) => keys.iter().map(|key| hash(&key.to_le_bytes())).collect(),
        Keys::U64(keys) => keys.iter().map(|key| hash(&key.to_le_bytes())).collect(),
        Keys::Bytes { bytes, offsets } => offsets
            .windows(2)
            .map(|ends| hash(&bytes[ends[0] as usize..ends[1] as usize]))
            .collect(),
    }
}

/// Compares the partitions of a device with the oracle.
fn compare(
    device: &dyn Device,
    keys: Keys<'_>,
    seed: HashSeed,
    partitions: usize,
) -> Result<(), String> {
    let partitioned = run(device, keys, seed, partitions).map_err(|fault| fault.to_string())?;
    let hashes = expected_hashes(keys, seed);
    let expected = oracle::hash_partition(&hashes, partitions);
    let counts: Vec<usize> = partitioned
        .starts
        .windows(2)
        .map(|it| it[1] - it[0])
        .collect();
    if counts != expected.iter().map(Vec::len).collect::<Vec<_>>() {
        return Err(format!("{partitions} partitions have {counts:?} rows"));
    }
    let expected = expected.concat();
    if partitioned.rows == expected {
        return Ok(());
    }
    let mut both = partitioned.rows.iter().zip(&expected);
    let at = both.position(|(one, other)| one != other);
    let rows = expected.len();
    Err(format!(
        "{partitions} partitions of {rows} rows: position {at:?} is wrong"
    ))
}

fn agrees(keys: Keys<'_>, partitions: usize) {
    for device in devices_of(Stage::HashPartition) {
        if let Err(wrong) = compare(&**device, keys, SEED, partitions) {
            panic!("{wrong}");
        }
    }
}

/// Generates keys that differ in every byte. They are the same in every run.
fn mixed(rows: usize) -> Vec<u64> {
    let spread = |row: u64| (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..rows as u64)
        .map(|row| spread(row) ^ spread(row) >> 31)
        .collect()
}

fn narrowed(keys: &[u64]) -> Vec<u32> {
    keys.iter().map(|&key| key as u32).collect()
}

#[test]
fn rows_around_every_edge() {
    let tile = PARTITION_TILE_ROWS;
    for edge in [0, 32, 256, tile, 2 * tile] {
        for rows in edge.saturating_sub(1)..=edge + 1 {
            let keys = mixed(rows);
            for partitions in [1, 2, 7, 256, 257] {
                agrees(Keys::U64(&keys), partitions);
                agrees(Keys::U32(&narrowed(&keys)), partitions);
            }
        }
    }
}

#[test]
fn partitions_from_one_to_the_most() {
    let keys = mixed(10_000);
    for partitions in [
        1,
        2,
        3,
        255,
        256,
        257,
        511,
        512,
        513,
        4096,
        65_535,
        MOST_PARTITIONS,
    ] {
        agrees(Keys::U64(&keys), partitions);
    }
}

#[test]
fn more_tiles_than_a_workgroup_has_lanes() {
    let keys = mixed(300 * PARTITION_TILE_ROWS + 77);
    agrees(Keys::U64(&keys), 256);
    agrees(Keys::U32(&narrowed(&keys)), 7);
    agrees(Keys::U64(&keys), 3000);
}

#[test]
fn equal_keys_stay_in_order() {
    for partitions in [1, 2, 256, 1000] {
        agrees(Keys::U64(&vec![u64::MAX; 100_003]), partitions);
        agrees(Keys::U32(&vec![0; 5001]), partitions);
        let few: Vec<u64> = mixed(9000).iter().map(|key| key % 5).collect();
        agrees(Keys::U64(&few), partitions);
    }
}

/// Searches for different keys whose partitions satisfy `is_home`. The stable hash is fixed, so
/// there is no mask that would make keys collide.
fn sharing(partitions: usize, wanted: usize, is_home: impl Fn(u32) -> bool) -> Vec<u64> {
    const TILE: u64 = 4096;
    let mut hashes = [0; TILE as usize];
    let tiles = (0..).map(|tile| {
        let keys: Vec<u64> = (tile * TILE..(tile + 1) * TILE).collect();
        hash_u64s(Level::best(), SEED, &keys, &mut hashes);
        let both = keys.into_iter().zip(hashes);
        let at_home = both.filter(|(_, hash)| is_home(partition_of(*hash, partitions as u32)));
        at_home.map(|(key, _)| key).collect::<Vec<u64>>()
    });
    tiles.flatten().take(wanted).collect()
}

/// Checks on every device and level that all rows are in one partition, in input order.
fn all_in_one(keys: &[u64], partitions: usize, home: u32) {
    let in_order: Vec<u32> = (0..keys.len() as u32).collect();
    for level in Level::available() {
        let mut partitioned = Partitioned::default();
        HashPartition::new(level, SEED, partitions).u64s(keys, &mut partitioned);
        assert_eq!(partitioned.rows_of(home as usize), in_order, "{level}");
    }
    for device in devices_of(Stage::HashPartition) {
        let partitioned = run(&**device, Keys::U64(keys), SEED, partitions).unwrap();
        assert_eq!(
            partitioned.rows, in_order,
            "{partitions} partitions, {home}"
        );
        let (start, end) = (
            partitioned.starts[home as usize],
            partitioned.starts[home as usize + 1],
        );
        assert_eq!((start, end), (0, keys.len()));
    }
}

#[test]
fn different_keys_in_one_partition() {
    for (partitions, home) in [
        (2, 1),
        (256, 0),
        (256, 77),
        (256, 255),
        (257, 256),
        (MOST_PARTITIONS, 0),
        (MOST_PARTITIONS, 0x5aa5),
        (MOST_PARTITIONS, MOST_PARTITIONS as u32 - 1),
    ] {
        // With more partitions the search takes longer: it finds at least a hundred keys, which come
        // again until they fill several tiles.
        let wanted = (2 * PARTITION_TILE_ROWS + 77).min(8_000_000 / partitions);
        let distinct = sharing(partitions, wanted, |partition| partition == home);
        let rows = distinct.iter().cycle().take(2 * PARTITION_TILE_ROWS + 77);
        let keys: Vec<u64> = rows.copied().collect();
        all_in_one(&keys, partitions, home);
        // Byte keys with the same bytes have the same hashes.
        let offsets: Vec<u32> = (0..=keys.len() as u32).map(|row| row * 8).collect();
        let bytes = bytemuck::cast_slice(&keys);
        agrees(
            Keys::Bytes {
                bytes,
                offsets: &offsets,
            },
            partitions,
        );
    }
}

/// With more than 256 partitions there are two passes, and all keys may share the digit of one.
#[test]
fn different_keys_with_one_digit_of_the_partition_in_common() {
    let rows = 2 * PARTITION_TILE_ROWS + 77;
    for partitions in [1000, MOST_PARTITIONS] {
        agrees(
            Keys::U64(&sharing(partitions, rows, |it| it % 256 == 3)),
            partitions,
        );
        agrees(
            Keys::U64(&sharing(partitions, rows, |it| it / 256 == 2)),
            partitions,
        );
    }
}

#[test]
fn a_device_partitions_as_the_kernels_do() {
    let keys = mixed(20_000);
    for partitions in [7, 256, 5000] {
        let mut expected = Partitioned::default();
        let mut stage = HashPartition::new(Level::best(), SEED, partitions);
        stage.u64s(&keys, &mut expected);
        for device in devices_of(Stage::HashPartition) {
            let partitioned = run(&**device, Keys::U64(&keys), SEED, partitions).unwrap();
            assert_eq!(partitioned.starts, expected.starts());
            assert_eq!(partitioned.rows, expected.rows());
        }
    }
}

/// The golden vectors of the kernels, computed by the shader.
#[test]
fn keys_hash_to_the_golden_values() {
    let seed = HashSeed(0x0706_0504_0302_0100);
    for device in devices_of(Stage::HashPartition) {
        let words = [1, u64::MAX, (-2i64) as u64];
        let golden = [
            0x1da0_878a_fee6_0531,
            0xe513_037c_dfcd_5313,
            0x2f82_cc08_553b_2499,
        ];
        assert_eq!(hashes(&**device, Keys::U64(&words), seed).unwrap(), golden);
        let halves = [1, (-2i32) as u32];
        let golden = [0x1378_da94_2033_efb1, 0xc01c_df7b_364d_d274];
        assert_eq!(hashes(&**device, Keys::U32(&halves), seed).unwrap(), golden);
        let keys = Keys::Bytes {
            bytes: b"wordabseventeen bytes!!",
            offsets: &[0, 0, 4, 5, 6, 23],
        };
        let golden = [
            0x2af7_2023_21d0_a576,
            0x329d_de16_80fd_3389,
            0xbef3_3530_137d_5e4a,
            hash_bytes(seed, b"b"),
            0x6c0c_2d7c_122e_9cda,
        ];
        assert_eq!(hashes(&**device, keys, seed).unwrap(), golden);
        let bytes: Vec<u8> = (0..300u32).map(|i| i as u8).collect();
        for (length, golden) in [
            (63, 0xc1c5_1419_20c4_123c),
            (64, 0xb0d6_64a0_4d3b_e10a),
            (255, 0xc9f7_b2a5_5051_900b),
            (256, 0x9f8b_85e6_fd42_b543),
            (300, 0xa1ab_b2a3_255f_63e0),
        ] {
            let keys = Keys::Bytes {
                bytes: &bytes,
                offsets: &[0, length],
            };
            assert_eq!(
                hashes(&**device, keys, seed).unwrap(),
                [golden],
                "{length} bytes"
            );
        }
    }
}

#[test]
fn byte_keys_of_the_maximum_length() {
    let keys = mixed(5000);
    let bytes = bytemuck::cast_slice(&keys);
    for first in 0..4 {
        let offsets: Vec<u32> = (0..9)
            .map(|key| first + key * MAX_KEY_BYTES as u32)
            .collect();
        let offsets = &offsets;
        agrees(Keys::Bytes { bytes, offsets }, 7);
    }
    // Several tiles of short keys, and empty ones.
    let offsets: Vec<u32> = (0..10_000u32)
        .map(|row| row * row / 7 % 3 + row * 2)
        .collect();
    let offsets = &offsets;
    agrees(Keys::Bytes { bytes, offsets }, 300);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn partitions_are_those_of_the_oracle(
        keys in prop::collection::vec(any::<u64>(), 0..5000),
        distinct in 1u64..=u64::MAX,
        partitions in prop_oneof![1usize..20, 200usize..300, 1..=MOST_PARTITIONS],
        seed in any::<u64>(),
    ) {
        let keys: Vec<u64> = keys.iter().map(|key| key % distinct).collect();
        let seed = HashSeed(seed);
        for device in devices_of(Stage::HashPartition) {
            compare(&**device, Keys::U64(&keys), seed, partitions).map_err(TestCaseError::fail)?;
            let narrow = narrowed(&keys);
            compare(&**device, Keys::U32(&narrow), seed, partitions).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn partitions_of_byte_keys_are_those_of_the_oracle(
        keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..600),
        partitions in prop_oneof![1usize..20, 1..=MOST_PARTITIONS],
        padding in 0usize..9,
    ) {
        let mut bytes = vec![0xaa; padding];
        let mut offsets = vec![padding as u32];
        for key in &keys {
            bytes.extend(key);
            offsets.push(bytes.len() as u32);
        }
        let keys = Keys::Bytes { bytes: &bytes, offsets: &offsets };
        for device in devices_of(Stage::HashPartition) {
            let found = hashes(&**device, keys, SEED)
                .map_err(|fault| TestCaseError::fail(fault.to_string()))?;
            prop_assert_eq!(found, expected_hashes(keys, SEED));
            compare(&**device, keys, SEED, partitions).map_err(TestCaseError::fail)?;
        }
    }
}
