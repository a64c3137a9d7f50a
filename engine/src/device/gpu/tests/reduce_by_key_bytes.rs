//! Tests of `reduce_by_key/bytes.wgsl`.

use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{Tuning, oracle};
use keymill_shaders::{REDUCE_TILE_ROWS, Stage};
use proptest::prelude::*;

use super::reduce_by_key::{mixed, values};
use super::{devices_of, software};
use crate::TokenRule;
use crate::device::Device;
use crate::device::gpu::Gpu;
use crate::device::gpu::fault_injection::{FaultInjection, InjectedFault};
use crate::device::reduce_by_key::{Group, Table, TextRows, run};
use crate::device::tokenize;

/// Keys in a text, with values.
#[derive(Clone, Debug, Default)]
struct KeyedText {
    text: Vec<u8>,
    spans: Vec<Span>,
    values: Vec<i64>,
}

impl KeyedText {
    /// Writes keys one after the other, with `gap` bytes before each.
    fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>, gap: usize) -> Self {
        let mut keyed = Self::default();
        for key in keys {
            keyed.text.resize(keyed.text.len() + gap, b'~');
            let start = keyed.text.len() as u32;
            keyed.text.extend_from_slice(key.as_ref());
            let end = keyed.text.len() as u32;
            keyed.spans.push(Span { start, end });
        }
        keyed.values = values(keyed.spans.len());
        keyed
    }

    fn rows(&self) -> TextRows<'_> {
        TextRows {
            text: &self.text,
            spans: &self.spans,
            values: &self.values,
        }
    }
}

/// Returns the expected groups.
fn expected<'a>(rows: TextRows<'a>) -> Vec<Group<&'a [u8]>> {
    let keys: Vec<&'a [u8]> = rows.spans.iter().map(|span| span.of(rows.text)).collect();
    let reduced = oracle::reduce_by_key(&keys, rows.values).into_iter();
    reduced
        .map(|(key, all)| Group {
            key,
            count: all.count,
            sum: all.sum,
            min: all.min,
            max: all.max,
        })
        .collect()
}

/// Compares the groups of a device with the oracle.
fn compare(device: &dyn Device, rows: TextRows<'_>, table: &Table) -> Result<(), String> {
    let found = run(device, rows, table).map_err(|fault| fault.to_string())?;
    let expected = expected(rows);
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

/// Returns tables with room, with too few slots, where all keys collide, and with the tiny tuning.
fn tables(rows: usize, device: &dyn Device) -> [Table; 6] {
    let tiny = Tuning::TINY;
    let (slots, longest) = (tiny.device_slots as u32, tiny.device_key_bytes as u32);
    [
        Table::for_rows(rows, rows, device.binding_bytes()),
        Table::new(16, 4, u32::MAX),
        Table::new(slots, 2, u32::MAX).with_longest(longest),
        Table::new(slots, 3, 0).with_longest(longest),
        Table::new(8, 3, 0),
        Table::new(1, 1, 0).with_longest(0),
    ]
}

fn agrees(keyed: &KeyedText) {
    for device in devices_of(Stage::ReduceByKeyBytes) {
        for table in tables(keyed.spans.len(), &**device) {
            if let Err(wrong) = compare(&**device, keyed.rows(), &table) {
                panic!("{wrong}");
            }
        }
    }
}

#[test]
fn rows_around_every_edge() {
    let tile = REDUCE_TILE_ROWS;
    for edge in [0, 256, tile, 2 * tile] {
        for rows in edge.saturating_sub(1)..=edge + 1 {
            agrees(&KeyedText::new(
                mixed(rows).map(|word| format!("key-{}", word % 50)),
                1,
            ));
        }
    }
}

#[test]
fn few_keys_and_one_key_per_row() {
    let rows = 30_000;
    agrees(&KeyedText::new(vec![&b"one key of them all"[..]; rows], 0));
    agrees(&KeyedText::new(vec![b""; rows], 0));
    for distinct in [2, 300, u64::MAX] {
        agrees(&KeyedText::new(
            mixed(rows).map(|word| (word % distinct).to_string()),
            0,
        ));
    }
}

/// Returns keys with a common prefix of `at` bytes, after which they differ or end.
fn alike_up_to(at: usize) -> Vec<Vec<u8>> {
    let stem: Vec<u8> = (0..at).map(|byte| b'a' + (byte % 26) as u8).collect();
    let rest: [&[u8]; 9] = [
        b"",
        b"\0",
        b"\0\0",
        b"x",
        b"y",
        b"x\0",
        b"xy",
        b"xyz",
        b"\xff\xfe",
    ];
    let mut keys: Vec<Vec<u8>> = rest.iter().map(|rest| [&stem[..], rest].concat()).collect();
    // The first byte of the prefix differs, or the last one.
    for place in [0, at.saturating_sub(1)] {
        let mut other = stem.clone();
        if let Some(byte) = other.get_mut(place) {
            *byte ^= 0x80;
        }
        keys.push(other);
    }
    keys
}

#[test]
fn keys_with_common_prefixes_are_distinct() {
    for at in [
        0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 100, 1000,
    ] {
        // Each key occurs several times, at every position in a word.
        for gap in 0..4 {
            let keys = alike_up_to(at);
            agrees(&KeyedText::new(
                keys.iter().cycle().take(keys.len() * 7),
                gap,
            ));
        }
    }
}

#[test]
fn keys_around_the_maximum_length() {
    for at in [4092, 4093, 4094, 4095, 4096, 4097] {
        for gap in [1, 3] {
            let keys = alike_up_to(at);
            agrees(&KeyedText::new(
                keys.iter().cycle().take(keys.len() * 3),
                gap,
            ));
        }
    }
}

#[test]
fn long_keys_are_spilled_and_short_keys_are_not() {
    let long: Vec<Vec<u8>> = (0..3u8).map(|last| vec![b'l' + last; 70_000]).collect();
    let short = (0..40).map(|it| format!("short-{it}").into_bytes());
    let keys: Vec<Vec<u8>> = long.into_iter().chain(short).collect();
    agrees(&KeyedText::new(keys.iter().cycle().take(keys.len() * 9), 1));
}

#[test]
fn every_byte_is_data() {
    let bytes = (0..=255u8).flat_map(|byte| {
        [
            vec![byte],
            vec![byte; 5],
            vec![0, byte, 0],
            vec![0xe2, 0x80, byte],
        ]
    });
    let zeros = (0..40).map(|bytes| vec![0; bytes]);
    let keys: Vec<Vec<u8>> = bytes.chain(zeros).collect();
    for gap in 0..4 {
        agrees(&KeyedText::new(keys.iter().chain(keys.iter().rev()), gap));
    }
}

#[test]
fn spans_may_overlap_and_be_in_any_order() {
    let text = b"abcabcabcabc\0abc\0abcab".repeat(20);
    let spans: Vec<Span> = mixed(20_000)
        .map(|word| {
            let start = word % text.len() as u64;
            let end = (start + (word >> 32) % 23).min(text.len() as u64);
            Span {
                start: start as u32,
                end: end as u32,
            }
        })
        .collect();
    let values = values(spans.len());
    agrees(&KeyedText {
        text,
        spans,
        values,
    });
}

#[test]
fn spans_are_those_of_the_tokenizer() {
    let text = "to be or not to be \u{2028} that is\tthe question ".repeat(300);
    for device in devices_of(Stage::ReduceByKeyBytes) {
        let rule = TokenRule::Whitespace;
        let cut = tokenize::run(&**device, &rule, text.as_bytes(), None).unwrap();
        let values = vec![1; cut.spans.len()];
        let rows = TextRows {
            text: text.as_bytes(),
            spans: &cut.spans,
            values: &values,
        };
        let groups = run(&**device, rows, &Table::new(64, 8, u32::MAX)).unwrap();
        let counts = oracle::count(&rule, text.as_bytes());
        let found = groups.iter().map(|group| (group.key.to_vec(), group.count));
        assert!(found.eq(counts));
    }
}

#[test]
fn sums_of_decimals_are_exact() {
    // Values in cents: 0.10, 0.20, and others that floats do not add exactly.
    let (cents, sites) = ([10, 20, 1, -31], [&b"a"[..], b"a", b"b", b"b"]);
    let mut keyed = KeyedText::new(sites.iter().cycle().take(40_000), 0);
    keyed.values = cents.into_iter().cycle().take(40_000).collect();
    agrees(&keyed);
    for device in devices_of(Stage::ReduceByKeyBytes) {
        let groups = run(&**device, keyed.rows(), &Table::new(16, 4, u32::MAX)).unwrap();
        let sums: Vec<(&[u8], i128)> = groups.iter().map(|group| (group.key, group.sum)).collect();
        // 0.30 ten thousand times, and -0.30 ten thousand times.
        assert_eq!(sums, [(&b"a"[..], 300_000), (b"b", -300_000)]);
        let (first, ten_thousandth) = (keyed.rows(), sums[0].1 / 10_000);
        assert_eq!(
            i128::from(first.values[0] + first.values[1]),
            ten_thousandth
        );
    }
}

/// A device with an injected fault returns a fault or the correct result.
#[test]
fn a_fault_at_every_command_is_handled() {
    let Some(found) = software() else {
        return;
    };
    let keyed = KeyedText::new(mixed(5000).map(|word| (word % 400).to_string()), 1);
    let expected = expected(keyed.rows());
    let table = Table::new(256, 4, u32::MAX);
    for fault_injection in [
        FaultInjection::Destroyed,
        FaultInjection::Panic,
        FaultInjection::Zeros,
    ] {
        let mut faults = 0;
        for after in 0..40 {
            let injected = InjectedFault::after(after, fault_injection);
            let device = Gpu::open(&found, found.offers).unwrap();
            device.inject(injected.clone()).unwrap();
            let reduced = run(&device, keyed.rows(), &table);
            if injected.commands() <= after {
                assert_eq!(
                    reduced.as_ref(),
                    Ok(&expected),
                    "{fault_injection:?} after {after}"
                );
                break;
            }
            faults += usize::from(reduced.is_err());
            let is_right = reduced.is_err() || reduced.as_ref() == Ok(&expected);
            assert!(is_right, "{fault_injection:?} after {after} commands");
        }
        assert!(faults >= 5, "{fault_injection:?}: {faults} faults");
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(b'a'), Just(b'b'), any::<u8>()];
    prop_oneof![
        prop::collection::vec(byte, 0..12),
        (0u8..3, 0usize..80).prop_map(|(last, bytes)| [&vec![b'k'; bytes][..], &[last]].concat()),
        (0u32..500).prop_map(|number| format!("a-longer-key-{number}").into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn rows_are_reduced_as_the_oracle_reduces(
        keys in prop::collection::vec(key(), 0..3000),
        gap in 0usize..5,
        seed in any::<u64>(),
        slots in 1u32..2000,
        chain in 0u32..70,
        longest in prop_oneof![Just(4096), 0u32..30],
        hash_mask in prop_oneof![Just(0), Just(3), Just(u32::MAX), any::<u32>()],
    ) {
        let mut keyed = KeyedText::new(&keys, gap);
        let values = keyed.values.iter().map(|value| value.wrapping_mul(seed as i64 | 1));
        keyed.values = values.collect();
        for device in devices_of(Stage::ReduceByKeyBytes) {
            let table = Table::new(slots, chain, hash_mask).with_longest(longest);
            compare(&**device, keyed.rows(), &table).map_err(TestCaseError::fail)?;
        }
    }
}
