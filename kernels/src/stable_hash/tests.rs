//! Golden vectors, from an implementation in another language that was checked with the published
//! vectors of HalfSipHash-2-4. Compares every batch form with the hash of the bytes.

use proptest::prelude::*;

use super::half_sip::HalfSip;
use super::*;
use crate::Level;

/// Bytes 00 01 .. 07, the key of the published vectors.
const SEED: HashSeed = HashSeed(0x0706_0504_0302_0100);

#[test]
fn the_rounds_are_those_of_the_published_vectors() {
    let published = [
        [0x21, 0x8d, 0x1f, 0x59, 0xb9, 0xb8, 0x3c, 0xc8],
        [0xbe, 0x55, 0x24, 0x12, 0xf8, 0x38, 0x73, 0x15],
        [0x06, 0x4f, 0x39, 0xef, 0x7c, 0x50, 0xeb, 0x57],
        [0xce, 0x0f, 0x1a, 0x45, 0xf7, 0x06, 0x06, 0x79],
    ];
    for (length, expected) in published.into_iter().enumerate() {
        let bytes: Vec<u8> = (0..length as u8).collect();
        let hash = HalfSip::<u32, 2, 4>::new(SEED).finish_one(&bytes, length);
        assert_eq!(hash, u64::from_le_bytes(expected), "{length} bytes");
    }
}

#[test]
fn bytes_hash_to_the_golden_values() {
    let golden: [(&[u8], u64); 12] = [
        (b"", 0x2af7_2023_21d0_a576),
        (b"a", 0xbef3_3530_137d_5e4a),
        (b"ab", 0xf453_68d5_5991_df97),
        (b"abc", 0x0672_223d_5696_a191),
        (b"word", 0x329d_de16_80fd_3389),
        (b"words", 0x782e_8707_8db9_512e),
        (b"twelve", 0x7c2d_7163_0d7f_c8b2),
        (b"twelve!", 0x0010_06d8_5bac_6f9c),
        (b"eight by", 0x4a99_e9e5_4dd1_09f9),
        (b"nine byte", 0x1983_5cbc_0fae_996c),
        (b"sixteen bytes ok", 0xd02c_e8b8_4823_9477),
        (b"seventeen bytes!!", 0x6c0c_2d7c_122e_9cda),
    ];
    for (bytes, expected) in golden {
        assert_eq!(hash_bytes(SEED, bytes), expected, "{bytes:?}");
    }
    assert_eq!(hash_bytes(HashSeed(0), b"word"), 0x3696_eaf6_4cdb_53cc);
    assert_eq!(
        hash_bytes(HashSeed(u64::MAX), b"word"),
        0x102f_be08_1cbd_df00
    );
}

#[test]
fn lengths_are_hashed_modulo_256() {
    let bytes: Vec<u8> = (0..300u32).map(|i| i as u8).collect();
    let golden = [
        (63, 0xc1c5_1419_20c4_123c),
        (64, 0xb0d6_64a0_4d3b_e10a),
        (255, 0xc9f7_b2a5_5051_900b),
        (256, 0x9f8b_85e6_fd42_b543),
        (300, 0xa1ab_b2a3_255f_63e0),
    ];
    for (length, expected) in golden {
        assert_eq!(
            hash_bytes(SEED, &bytes[..length]),
            expected,
            "{length} bytes"
        );
    }
}

#[test]
fn fixed_width_values_hash_to_the_golden_values() {
    let minus_two = (-2i64) as u64;
    let golden = [
        (1, 0x1da0_878a_fee6_0531),
        (u64::MAX, 0xe513_037c_dfcd_5313),
        (minus_two, 0x2f82_cc08_553b_2499),
    ];
    for (value, expected) in golden {
        assert_eq!(hash_bytes(SEED, &value.to_le_bytes()), expected, "{value}");
    }
    assert_eq!(hash_bytes(SEED, &1u32.to_le_bytes()), 0x1378_da94_2033_efb1);
    assert_eq!(
        hash_bytes(SEED, &(-2i32).to_le_bytes()),
        0xc01c_df7b_364d_d274
    );
}

#[test]
fn composite_keys_hash_to_the_golden_values() {
    let key = || CanonicalKey::new(SEED);
    let golden = [
        (key().null(), 0xfc5c_dc75_67e4_ab6c),
        (key().fixed(7u64.to_le_bytes()), 0x7e63_3cbf_247a_70f7),
        (key().bytes(b""), 0xad11_3357_cdfc_4b3b),
        (key().bytes(b"abc"), 0x15a6_e5cf_fa02_e7e5),
        (key().bytes(b"ab").bytes(b"c"), 0x961d_8541_67c1_917d),
        (key().bytes(b"a").bytes(b"bc"), 0x9087_fc87_196b_edb3),
        (
            key().fixed(5u32.to_le_bytes()).bytes(b"xy").null(),
            0x2c43_5e07_a08c_9c3d,
        ),
        (key().null().null(), 0x8cc4_9be9_5e66_77c8),
        (key().bytes(&[b'x'; 300]).fixed([1]), 0x2a65_ff03_bc94_486a),
        (key(), 0x2af7_2023_21d0_a576),
    ];
    for (i, (key, expected)) in golden.into_iter().enumerate() {
        assert_eq!(key.finish(), expected, "key {i}");
    }
}

#[test]
fn partitions_are_the_golden_ones() {
    let (word, abc) = (hash_bytes(SEED, b"word"), hash_bytes(SEED, b"abc"));
    assert_eq!([partition_of(word, 10), split_again(word, 10)], [1, 5]);
    assert_eq!(
        [partition_of(abc, 65536), split_again(abc, 65536)],
        [1650, 22166]
    );
    assert_eq!(
        [partition_of(u64::MAX, 1), split_again(u64::MAX, 1)],
        [0, 0]
    );
    assert_eq!(
        [partition_of(u64::MAX, 3), split_again(u64::MAX, 3)],
        [2, 2]
    );
}

/// A key of the given lengths that may hold NULs but does not end with one.
fn padded_key(lengths: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], lengths).prop_map(|mut key| {
        if let Some(last) = key.last_mut() {
            *last = (*last).max(1);
        }
        key
    })
}

fn words_of<const N: usize>(key: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (i, &byte) in key.iter().enumerate() {
        words[i / 8] |= u64::from(byte) << (i % 8 * 8);
    }
    words
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn padded_keys_hash_as_their_bytes(
        seed in any::<u64>(),
        short in proptest::collection::vec(padded_key(1..=8), 0..400),
        mid in proptest::collection::vec(padded_key(9..=16), 0..400),
    ) {
        let seed = HashSeed(seed);
        let expected = |keys: &[Vec<u8>]| -> Vec<u64> {
            keys.iter().map(|key| hash_bytes(seed, key)).collect()
        };
        let short_words: Vec<u64> = short.iter().map(|key| words_of::<1>(key)[0]).collect();
        let mid_words: Vec<[u64; 2]> = mid.iter().map(|key| words_of(key)).collect();
        for level in Level::available() {
            let mut out = vec![0; short.len()];
            hash_short(level, seed, &short_words, &mut out);
            prop_assert_eq!(&out, &expected(&short), "short keys, {}", level);
            let mut out = vec![0; mid.len()];
            hash_mid(level, seed, &mid_words, &mut out);
            prop_assert_eq!(&out, &expected(&mid), "mid keys, {}", level);
        }
    }

    #[test]
    fn integers_hash_as_their_bytes(
        seed in any::<u64>(),
        values in proptest::collection::vec(any::<u64>(), 0..400),
    ) {
        let seed = HashSeed(seed);
        let halves: Vec<u32> = values.iter().map(|&value| value as u32).collect();
        let wide: Vec<u64> = values.iter().map(|v| hash_bytes(seed, &v.to_le_bytes())).collect();
        let narrow: Vec<u64> = halves.iter().map(|v| hash_bytes(seed, &v.to_le_bytes())).collect();
        for level in Level::available() {
            let mut out = vec![0; values.len()];
            hash_u64s(level, seed, &values, &mut out);
            prop_assert_eq!(&out, &wide, "u64, {}", level);
            hash_u32s(level, seed, &halves, &mut out);
            prop_assert_eq!(&out, &narrow, "u32, {}", level);
        }
    }

    #[test]
    fn columns_hash_as_their_canonical_bytes(
        seed in any::<u64>(),
        columns in proptest::collection::vec(
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9)), 0..6),
    ) {
        let seed = HashSeed(seed);
        let (mut key, mut bytes) = (CanonicalKey::new(seed), Vec::new());
        for column in &columns {
            let Some(value) = column else {
                key = key.null();
                bytes.push(1);
                continue;
            };
            key = key.bytes(value);
            bytes.push(0);
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        prop_assert_eq!(key.finish(), hash_bytes(seed, &bytes));
    }
}
