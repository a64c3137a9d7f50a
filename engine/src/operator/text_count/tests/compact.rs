//! Partitions with repeated keys, and with unique keys.

use super::*;

/// Sizes with which tokens soon bypass the table.
const PASSING: Tuning = Tuning {
    bypass_bytes: 1 << 10,
    check_bytes: 1 << 10,
    flush_bytes: 32 << 10,
    partitions: 8,
    ..Tuning::DEFAULT
};

/// Counts `tokens` tokens of `keys` keys; returns the bytes that were spilled.
fn spilled(tokens: u64, keys: u64, memory: usize) -> u64 {
    let mut one = operator(&resources(PASSING, memory, 1));
    let mut oracle = Oracle::new();
    let tokens: Vec<_> = (0..tokens)
        .map(|i| format!("key-{:06}", i.wrapping_mul(0x9e37_79b9) % keys).into_bytes())
        .collect();
    for tokens in tokens.chunks(1000) {
        one.push(&text_of(tokens)).unwrap();
    }
    tokens
        .into_iter()
        .for_each(|token| *oracle.entry(token).or_default() += 1);
    assert!(one.size() < memory, "{} bytes are held", one.size());
    let spilled = one.metrics().spilled_bytes;
    let rows = drained(&mut one, Drain::Values, &Order::Key, BatchLimits::default());
    assert!(rows == in_order(&oracle, &Order::Key));
    spilled
}

#[test]
fn repeated_keys_stay_in_memory() {
    assert_eq!(spilled(300_000, 20_000, 2 << 20), 0);
}

#[test]
fn unique_keys_are_spilled() {
    assert!(spilled(300_000, 300_000, 2 << 20) > 300_000);
    assert_eq!(spilled(300_000, 300_000, UNBOUNDED), 0);
}
