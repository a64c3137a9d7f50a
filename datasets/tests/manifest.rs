//! Creates all named data sets and compares them with the committed manifest.
//!
//! The test does not depend on the machine, so it also runs under emulation of another
//! architecture.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, Write};

use keymill_datasets::{CANONICAL_BYTES, Dataset, Expected, all, expected, find, manifest};
use sha2::{Digest, Sha256};

/// Accepts bytes in small and uneven portions, as a pipe does, and keeps only their checksum.
struct Trickle(Sha256, usize);

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 = self.1 % 4093 + 1;
        let taken = bytes.len().min(self.1);
        self.0.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Splits valid UTF-8 with the standard library, and keeps invalid bytes as part of tokens. The
/// program that writes the manifest uses another method.
fn count(data: &[u8]) -> HashMap<Vec<u8>, u64> {
    let mut counts = HashMap::new();
    let mut token = Vec::new();
    let end = |token: &mut Vec<u8>, counts: &mut HashMap<Vec<u8>, u64>| {
        if !token.is_empty() {
            *counts.entry(std::mem::take(token)).or_default() += 1;
        }
    };
    for chunk in data.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_whitespace() {
                end(&mut token, &mut counts);
            } else {
                token.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        token.extend_from_slice(chunk.invalid());
    }
    end(&mut token, &mut counts);
    counts
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn top(counts: &HashMap<Vec<u8>, u64>) -> (String, u64) {
    let top = counts
        .iter()
        .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)));
    let Some((key, &count)) = top else {
        return (String::new(), 0);
    };
    match key.get(..64) {
        Some(head) if key.len() > 64 => (format!("{}...", head.escape_ascii()), count),
        _ => (key.escape_ascii().to_string(), count),
    }
}

/// Returns all differences, or an empty list.
fn differences(known: &Expected, data: &[u8]) -> Vec<String> {
    let counts = count(data);
    let (top_key, top_count) = top(&counts);
    let found = [
        ("bytes", data.len().to_string(), known.bytes.to_string()),
        (
            "sha256",
            hex(&Sha256::digest(data)),
            known.sha256.to_owned(),
        ),
        (
            "tokens",
            counts.values().sum::<u64>().to_string(),
            known.tokens.to_string(),
        ),
        (
            "distinct",
            counts.len().to_string(),
            known.distinct.to_string(),
        ),
        (
            "top_count",
            top_count.to_string(),
            known.top_count.to_string(),
        ),
        ("top_key", top_key, known.top_key.to_owned()),
    ];
    let wrong = found.into_iter().filter(|(_, found, known)| found != known);
    wrong
        .map(|(what, found, known)| format!("{what} is {found}, but {known} in the manifest"))
        .collect()
}

#[test]
fn all_sets_match_the_manifest() {
    for set in all() {
        let known =
            expected(set.name).unwrap_or_else(|| panic!("{} is not in the manifest", set.name));
        let wrong = differences(&known, &set.to_vec(CANONICAL_BYTES as usize));
        assert!(wrong.is_empty(), "{}: {}", set.name, wrong.join("; "));
    }
}

#[test]
fn the_manifest_lists_each_set_once() {
    let listed: Vec<&str> = manifest().map(|line| line.name).collect();
    let registered: Vec<&str> = all().iter().map(|set| set.name).collect();
    assert_eq!(listed, registered);
}

#[test]
fn a_changed_byte_is_detected() {
    let known = expected("equal").unwrap();
    let mut data = find("equal").unwrap().to_vec(CANONICAL_BYTES as usize);
    assert!(differences(&known, &data).is_empty());
    data[1000] ^= 1;
    assert!(!differences(&known, &data).is_empty());
}

#[test]
fn a_writer_of_small_portions_gets_the_same_bytes() {
    for set in all() {
        let mut trickle = Trickle(Sha256::new(), 0);
        let written = set.write_to(CANONICAL_BYTES, &mut trickle).unwrap();
        let known = expected(set.name).unwrap();
        assert_eq!(hex(&trickle.0.finalize()), known.sha256, "{}", set.name);
        assert_eq!(written.bytes, known.bytes, "{}", set.name);
    }
}

fn is_small(set: &&Dataset) -> bool {
    // The large vocabulary is too slow for thousands of sizes. It uses the same code as the small
    // one.
    !matches!(set.name, "zipf-1m" | "visits")
}

#[test]
fn small_sizes_are_respected_and_end_with_a_separator() {
    for set in all().iter().filter(is_small) {
        for bytes in (0..40).chain((40..400).step_by(37)) {
            let data = set.to_vec(bytes);
            assert!(
                data.len() <= bytes,
                "{} has more than {bytes} bytes",
                set.name
            );
            assert!(
                data.len() + 110 > bytes,
                "{} has far less than {bytes} bytes",
                set.name
            );
            let ended = data.is_empty() || data.ends_with(b"\n");
            assert!(
                ended || matches!(set.name, "separators" | "invalid-utf8"),
                "{} at {bytes}",
                set.name
            );
        }
    }
}

#[test]
fn a_smaller_size_is_the_beginning_of_a_larger_one() {
    for set in all().iter().filter(|set| set.name != "giant") {
        let (small, large) = (set.to_vec(100_000), set.to_vec(150_000));
        let (_, body) = small.split_last().unwrap();
        assert!(large.starts_with(body), "{}", set.name);
    }
}

#[test]
fn four_of_five_unique_keys_are_new() {
    let data = find("unique").unwrap().to_vec(8 << 20);
    let counts = count(&data);
    let tokens: u64 = counts.values().sum();
    assert_eq!(counts.len() as u64, (tokens * 4).div_ceil(5));
}
