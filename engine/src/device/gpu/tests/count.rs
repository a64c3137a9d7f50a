//! `count.wgsl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_buffer::Buffer;
use keymill_kernels::oracle;
use proptest::prelude::*;

use super::devices;
use crate::device::count::DeviceCounter;
use crate::device::{Device, Fault};
use crate::{Limits, TokenRule};

const WHITESPACE: TokenRule = TokenRule::Whitespace;

/// Rules of which tokens may be empty, or lines may have none.
fn other_rules() -> [TokenRule; 4] {
    let comma = || b",".as_slice().into();
    [
        TokenRule::Words,
        TokenRule::Lines,
        TokenRule::Split(comma()),
        TokenRule::Field {
            index: std::num::NonZeroUsize::MIN.saturating_add(1),
            separator: comma(),
        },
    ]
}

/// Sizes at which the tables are crowded, the texts are small, or both.
fn limits() -> [Limits; 5] {
    let small = Limits {
        device_slots: 64,
        device_chunk_bytes: 1 << 16,
        ..Limits::DEFAULT
    };
    [
        Limits::DEFAULT,
        small,
        small.all_colliding(),
        Limits::TINY,
        Limits::TINY.all_colliding(),
    ]
}

type Counts = BTreeMap<Vec<u8>, u64>;

/// Counts texts on a device; drains where there is no more room.
fn count(
    device: &Arc<dyn Device>,
    rule: &TokenRule,
    limits: &Limits,
    texts: &[&[u8]],
) -> Result<Counts, Fault> {
    let mut counter = DeviceCounter::new(Arc::clone(device), rule, limits, 0x5eed);
    let mut counts = Counts::new();
    let mut tokens = 0;
    let mut visit = |key: &[u8], count| {
        *counts.entry(key.to_vec()).or_default() += count;
    };
    for text in texts {
        if !counter.has_room(text.len()) {
            tokens += counter.drain(&mut visit)?.tokens;
        }
        counter.push(Buffer::from(*text))?;
    }
    tokens += counter.drain(&mut visit)?.tokens;
    assert_eq!(counter.drain(&mut visit)?.tokens, 0);
    assert_eq!(counts.values().sum::<u64>(), tokens);
    Ok(counts)
}

fn expected(rule: &TokenRule, texts: &[&[u8]]) -> Counts {
    let mut counts = Counts::new();
    for text in texts {
        for (key, count) in oracle::count(rule, text) {
            *counts.entry(key.to_vec()).or_default() += count;
        }
    }
    counts
}

/// Counts a text in pieces that a device takes, with all limits, on all devices.
fn agrees(text: &[u8]) {
    agrees_by(&WHITESPACE, text);
}

fn agrees_by(rule: &TokenRule, text: &[u8]) {
    for device in devices() {
        for limits in limits() {
            let most = limits.device_chunk_bytes;
            // A piece ends where the text is cut, whatever the token: both sides are.
            let pieces: Vec<&[u8]> = text.chunks(most).collect();
            let counts = count(device, rule, &limits, &pieces).unwrap();
            assert!(
                counts == expected(rule, &pieces),
                "{rule:?} {limits:?}, {} bytes",
                text.len()
            );
        }
    }
}

#[test]
fn keys_of_every_length_are_told_apart() {
    let mut text = String::new();
    for length in 1..70 {
        let key: String = "abcdefghij".chars().cycle().take(length).collect();
        // Keys that differ in their last byte alone, or by a NUL at the end.
        for last in ["", "k", "l", "\0", "\0\0"] {
            text.push_str(&key);
            text.push_str(last);
            text.push(' ');
        }
    }
    agrees(text.as_bytes());
    agrees(text.repeat(9).as_bytes());
}

#[test]
fn nothing_is_lost_of_what_a_device_leaves() {
    let long = "x".repeat(5000);
    let longer = "x".repeat(9000);
    agrees(
        format!("{long} {longer} a {long}y {long} a\n")
            .repeat(3)
            .as_bytes(),
    );
    agrees(b"");
    agrees(b" \n ");
    agrees(b"a");
    agrees(&[b'x'; 100_000]);
}

#[test]
fn skew_and_distinct_keys() {
    let mut text = String::new();
    for i in 0..20_000u32 {
        text.push_str("the ");
        text.push_str(&format!("key-{} ", i.wrapping_mul(0x9e37_79b9) % 5000));
        if i % 3 == 0 {
            text.push_str(&format!("{i} "));
        }
    }
    agrees(text.as_bytes());
}

#[test]
fn a_table_outlives_its_texts() {
    let texts: Vec<String> = (0..40)
        .map(|i| format!("to be or not to be {i} a-key-of-many-bytes-{}", i % 7))
        .collect();
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    for device in devices() {
        let counts = count(device, &WHITESPACE, &Limits::DEFAULT, &texts).unwrap();
        assert_eq!(counts, expected(&WHITESPACE, &texts));
        assert_eq!(counts[&b"to"[..]], 80);
    }
}

#[test]
fn tokens_of_every_rule_are_counted() {
    let mut text = String::new();
    for i in 0..900u32 {
        let tail = ["", ",,x", ",\r", "\r"][i as usize % 4];
        text.push_str(&format!("to be {},or-not-{},,{tail}\n", i % 50, i % 7));
        if i % 5 == 0 {
            text.push_str("no comma\n\n");
        }
    }
    for rule in other_rules() {
        agrees_by(&rule, text.as_bytes());
        agrees_by(&rule, b"");
        agrees_by(&rule, b"\n,\n");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn texts_are_counted_as_the_oracle_counts(
        words in prop::collection::vec("[a-c]{1,3}|[a-z]{1,40}|[\\u{80}-\\u{fff}]{1,4}", 1..40),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
    ) {
        let text: Vec<&str> = picks.iter().map(|pick| pick.get(&words).as_str()).collect();
        agrees(text.join(" ").as_bytes());
    }
}
