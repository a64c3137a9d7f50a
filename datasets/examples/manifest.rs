//! Prints the manifest: the checksum and the correct counts of each named data set at its canonical
//! size.
//!
//! To update the manifest, after a data set was added or changed on purpose:
//!
//! ```text
//! cargo run --release -p keymill-datasets --example manifest > manifest.new && mv manifest.new datasets/manifest.tsv
//! ```
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, Write};

use keymill_datasets::{CANONICAL_BYTES, Dataset, all};
use sha2::{Digest, Sha256};

const SHOWN_KEY: usize = 64;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "name\tbytes\tsha256\ttokens\tdistinct\ttop_key\ttop_count"
    )?;
    for set in all() {
        writeln!(out, "{}", line(set))?;
    }
    Ok(())
}

fn line(set: &Dataset) -> String {
    let data = set.to_vec(CANONICAL_BYTES as usize);
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    for token in tokens(&data) {
        *counts.entry(token).or_default() += 1;
    }
    let mut top: (&[u8], u64) = (b"", 0);
    for (&key, &count) in &counts {
        if count > top.1 {
            top = (key, count);
        }
    }
    let tokens: u64 = counts.values().sum();
    let (name, bytes, distinct, top_count) = (set.name, data.len(), counts.len(), top.1);
    let sha256: String = Sha256::digest(&data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{name}\t{bytes}\t{sha256}\t{tokens}\t{distinct}\t{}\t{top_count}",
        shown(top.0)
    )
}

/// Splits at white-space characters, found by their exact bytes, also in invalid UTF-8.
fn tokens(data: &[u8]) -> Vec<&[u8]> {
    let mut tokens = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < data.len() {
        match separator_length(&data[at..]) {
            0 => at += 1,
            length => {
                tokens.push(&data[start..at]);
                at += length;
                start = at;
            }
        }
    }
    tokens.push(&data[start..]);
    tokens.retain(|token| !token.is_empty());
    tokens
}

fn separator_length(bytes: &[u8]) -> usize {
    match bytes {
        [0x09..=0x0D | 0x20, ..] => 1,
        [0xC2, 0x85 | 0xA0, ..] => 2,
        [0xE1, 0x9A, 0x80, ..] => 3,
        [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..] => 3,
        [0xE2, 0x81, 0x9F, ..] => 3,
        [0xE3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

fn shown(key: &[u8]) -> String {
    let dots = if key.len() > SHOWN_KEY { "..." } else { "" };
    format!("{}{dots}", key[..key.len().min(SHOWN_KEY)].escape_ascii())
}
