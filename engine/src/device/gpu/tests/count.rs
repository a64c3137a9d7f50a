//! Tests of `count.wgsl` and `count/fused.wgsl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_buffer::Buffer;
use keymill_kernels::oracle;
use keymill_shaders::{LANE_BYTES, Stage, TILE_BYTES};
use proptest::prelude::*;

use super::{devices_of, rotated};
use crate::device::count::DeviceCounter;
use crate::device::{Device, Fault};
use crate::{TokenRule, Tuning};

const WHITESPACE: TokenRule = TokenRule::Whitespace;

/// Returns rules with empty tokens, and with lines without a token.
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

/// Returns tunings with full tables, with small texts, and with both.
fn limits() -> [Tuning; 7] {
    let small = Tuning {
        device_slots: 64,
        device_chunk_bytes: 1 << 16,
        ..Tuning::DEFAULT
    };
    // Keys are already in the table from earlier texts.
    let many_texts = Tuning {
        device_chunk_bytes: 1 << 10,
        ..Tuning::DEFAULT
    };
    [
        Tuning::DEFAULT,
        many_texts,
        many_texts.all_colliding(),
        small,
        small.all_colliding(),
        Tuning::TINY,
        Tuning::TINY.all_colliding(),
    ]
}

type Counts = BTreeMap<Vec<u8>, u64>;

/// Returns a counter for each method: the rule `whitespace` in one pass, and every rule with the
/// tokenizer.
fn counters(device: &Arc<dyn Device>, rule: &TokenRule, limits: &Tuning) -> Vec<DeviceCounter> {
    let new = || DeviceCounter::new(Arc::clone(device), rule, limits, 0x5eed);
    match rule {
        TokenRule::Whitespace => vec![new(), new().with_separate_tokenizer()],
        _ => vec![new()],
    }
}

/// Counts texts on a device, and drains when there is no room.
fn count(mut counter: DeviceCounter, texts: &[&[u8]]) -> Result<(Counts, u64), Fault> {
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
    Ok((counts, counter.hot()))
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

/// Checks the counts of a text with all tunings, each on a different shader variant.
fn agrees(text: &[u8]) {
    agrees_by(&WHITESPACE, text);
}

fn agrees_by(rule: &TokenRule, text: &[u8]) {
    agrees_within(rule, &limits(), text);
}

fn agrees_within(rule: &TokenRule, limits: &[Tuning], text: &[u8]) {
    for (turn, limits) in limits.iter().enumerate() {
        let devices = rotated(Stage::Count, turn + text.len());
        agrees_on(&devices, rule, limits, text);
    }
}

/// Checks the counts of a text with the given tuning on all shader variants.
fn agrees_with(rule: &TokenRule, limits: &Tuning, text: &[u8]) {
    agrees_on(&devices_of(Stage::Count), rule, limits, text);
}

fn agrees_on(devices: &[&Arc<dyn Device>], rule: &TokenRule, limits: &Tuning, text: &[u8]) {
    // The text is cut into pieces without regard to tokens, for the device and for the oracle.
    let pieces: Vec<&[u8]> = text.chunks(limits.device_chunk_bytes).collect();
    let expected = expected(rule, &pieces);
    for device in devices {
        for (method, counter) in counters(device, rule, limits).into_iter().enumerate() {
            let counts = count(counter, &pieces).unwrap().0;
            let (bytes, variant) = (text.len(), device.variant());
            assert!(
                counts == expected,
                "method {method}, {rule:?}, {bytes} bytes, {limits:?}, shaders: {variant}"
            );
        }
    }
}

#[test]
fn keys_of_every_length_are_distinguished() {
    let mut text = String::new();
    for length in 1..70 {
        let key: String = "abcdefghij".chars().cycle().take(length).collect();
        // Keys that differ only in their last byte, or by a NUL at the end.
        for last in ["", "k", "l", "\0", "\0\0"] {
            text.push_str(&key);
            text.push_str(last);
            text.push(' ');
        }
    }
    agrees(text.as_bytes());
    agrees(text.repeat(3).as_bytes());
}

#[test]
fn tokens_left_to_the_host_are_counted() {
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
    agrees(&[b'x'; 30_000]);
}

#[test]
fn skew_and_distinct_keys() {
    let text = |words: u32| {
        let mut text = String::new();
        for i in 0..words {
            text.push_str("the ");
            text.push_str(&format!("key-{} ", i.wrapping_mul(0x9e37_79b9) % 5000));
            if i % 3 == 0 {
                text.push_str(&format!("{i} "));
            }
        }
        text
    };
    agrees_with(&WHITESPACE, &Tuning::DEFAULT, text(20_000).as_bytes());
    // Where all keys collide, the time grows with the square of their number.
    agrees(text(4_000).as_bytes());
}

#[test]
fn a_table_is_kept_between_texts() {
    let texts: Vec<String> = (0..40)
        .map(|i| format!("to be or not to be {i} a-key-of-many-bytes-{}", i % 7))
        .collect();
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    for device in devices_of(Stage::Count) {
        let counters = counters(device, &WHITESPACE, &Tuning::DEFAULT);
        let hot = counters.into_iter().map(|counter| {
            let (counts, hot) = count(counter, &texts).unwrap();
            assert_eq!(counts, expected(&WHITESPACE, &texts));
            assert_eq!(counts[&b"to"[..]], 80);
            hot
        });
        let hot: Vec<u64> = hot.collect();
        // From the second text on, hot keys are cached. The tokenizer's method has no cache.
        assert!(hot[0] >= 39 * 5 && hot[1] == 0, "{hot:?}");
    }
}

/// White space of one, two and three bytes, similar byte sequences, NULs and bytes that are not
/// UTF-8, at every distance from the edges of lanes and tiles.
#[test]
fn separators_at_every_edge() {
    let separators: [&[u8]; 9] = [
        b" ",
        b"\n\n",
        "\u{85}".as_bytes(),
        "\u{1680}".as_bytes(),
        "\u{2028}\u{3000}".as_bytes(),
        "\u{200b}".as_bytes(),
        b"\xe2\x80 ",
        b"\0 \0",
        b"\xc2\xe3\x80",
    ];
    for edge in [LANE_BYTES, TILE_BYTES, 2 * TILE_BYTES] {
        for before in edge - 4..edge + 2 {
            let mut text = Vec::new();
            for separator in separators {
                text.extend(b"ab ".iter().cycle().take(before - 1));
                text.push(b'x');
                text.extend(separator);
                text.extend(b"yz ");
                text.resize(text.len().next_multiple_of(TILE_BYTES), b' ');
            }
            agrees_with(&WHITESPACE, &Tuning::DEFAULT, &text);
        }
    }
}

#[test]
fn tokens_across_tiles_and_tokens_above_the_limit() {
    let long = |bytes: usize| "abcdefg".repeat(bytes.div_ceil(7));
    let longest = Tuning::DEFAULT.device_key_bytes;
    let mut text = String::new();
    for bytes in [longest - 1, longest, longest + 1, 2 * TILE_BYTES, 20_000] {
        for before in [0, 1, TILE_BYTES - 1] {
            let key = &long(bytes)[..bytes];
            text.push_str(&format!("{key}\u{3000}{}{key}\n", " ".repeat(before)));
        }
    }
    // The smallest pieces have no such tokens.
    agrees_within(&WHITESPACE, &limits()[..5], text.as_bytes());
    let text = format!("{} b {}", long(1 << 20), long(5000));
    agrees_within(&WHITESPACE, &[Tuning::DEFAULT], text.as_bytes());
}

/// Keys that end in NULs, and keys that are prefixes of others. The end of the text reads as zeros,
/// so the last key must not be confused with a key that ends in NULs.
#[test]
fn keys_with_common_prefixes() {
    let last: [&[u8]; 4] = [b"a", b"a\0", b"same8byt", b"same8bytes\xe2\x80"];
    for last in last {
        let keys: [&[u8]; 9] = [
            b"a\0",
            b"a\0\0",
            b"a",
            b"\0",
            b"same8byt",
            b"same8byte",
            b"same8bytes",
            b"same8bytes\0\0",
            b"same8bytes\xe2\x80",
        ];
        for space in ["\u{2003}", " "] {
            let mut text = keys.join(space.as_bytes()).repeat(40);
            text.extend(space.as_bytes());
            text.extend(last);
            agrees(&text);
        }
    }
    // The last tile has only the end of the text, and may be the first one to be counted.
    let mut text = b"b ".repeat(TILE_BYTES / 2 - 1);
    text.extend(b"a\0 a");
    for _ in 0..5 {
        agrees_with(&WHITESPACE, &limits()[4], &text);
    }
    agrees(b"a\0 a");
    agrees(b"a\0\0\0\0\0\0\0\0 a");
    agrees(b" \t\n\x0b\x0c\r ".repeat(3000).as_slice());
    agrees("\u{2003}\u{a0}".repeat(3000).as_bytes());
}

/// More tokens than the list of a tile holds, and workgroups that count several tiles.
#[test]
fn dense_tiles_one_after_another() {
    let mut text = b"a b c d ".repeat(400_000);
    text.extend("one of\u{2003}many words, ".repeat(100_000).as_bytes());
    assert!(text.len() > 1024 * TILE_BYTES);
    let limits = Tuning::DEFAULT;
    agrees_with(&WHITESPACE, &limits, &text);
    // The frequent keys of the first pieces are cached for the later ones.
    let limits = Tuning {
        device_chunk_bytes: 1 << 20,
        ..limits
    };
    agrees_with(&WHITESPACE, &limits, &text);
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
        cases: 16, failure_persistence: None, ..ProptestConfig::default()
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
