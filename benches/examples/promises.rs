//! Measures what each promise costs: the same work with it and without it, in turns.
//!
//! ```text
//! cargo run --release -p keymill-bench --example promises > reports/published/<machine>/promises.md
//! ```
//!
//! If a promise cannot be switched off, input that needs it is compared with input that does not.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use keymill::{DeviceChoice, Engine, Level, Order};
use keymill_bench::race::{Way, print_machine, race};
use keymill_bench::{Rows, count_by_engine, count_by_kernel, engine, text_of};
use keymill_kernels::stable_hash::hash_mid;
use keymill_kernels::stage::count::Counter;
use keymill_kernels::stage::reduce_by_key::{ReduceByKey, Sum};
use keymill_kernels::stage::tokenize::{Records, Tokenizer};
use keymill_kernels::{HashKey, HashSeed, KeyCounts, TokenRule, Tuning};

const BYTES: usize = 128 << 20;

/// Number of chosen keys.
const KEYS: usize = 1 << 17;

fn main() {
    print_machine("What each promise costs", "promises");
    println!("\nThe first row of each table is without the promise; ratios below 1 are its cost.");
    let words = text_of("zipf-30k", BYTES);
    any_white_space();
    any_bytes(words);
    records_stay_apart(words);
    jobs_can_be_stopped(words);
    keyed_hashes();
    chosen_keys();
    exact_sums();
    in_order("zipf-1m");
    in_order("unique");
    bounded_memory();
}

fn way<'a>(name: &str, run: impl FnMut() + 'a) -> Way<'a> {
    (name.to_owned(), Box::new(run))
}

/// White space is Unicode white space; the second text contains some beyond ASCII.
fn any_white_space() {
    let [ascii, any] = ["zipf-30k", "zipf-multibyte"].map(|name| text_of(name, 256 << 10));
    let space = TokenRule::Split(b" ".as_slice().into());
    let tokenized = |text: &'static [u8], rule: &TokenRule| {
        let mut tokenizer = Tokenizer::new(Level::best(), rule, &Tuning::DEFAULT);
        let mut spans = Vec::new();
        move || {
            for _ in 0..500 {
                let done = tokenizer.tokenize(text, None, &mut spans);
                assert!(done.is_ok_and(|done| done.tokens > 0));
            }
        }
    };
    let rule = &TokenRule::Whitespace;
    race(
        "Unicode white space: tokenize, data in the L2 cache",
        500 * ascii.len(),
        "GB/s",
        vec![
            way("one separator byte within lines", tokenized(ascii, &space)),
            way("Unicode white space, ASCII text", tokenized(ascii, rule)),
            way("Unicode white space, multi-byte text", tokenized(any, rule)),
        ],
    );
}

/// A key may contain any bytes. Keys with NUL bytes cannot be inline keys.
fn any_bytes(text: &'static [u8]) {
    let with_nul = {
        let mut text = text.to_vec();
        let (tiles, _) = text.as_chunks_mut::<{ 16 << 10 }>();
        tiles.iter_mut().for_each(|tile| tile[8 << 10] = 0);
        text.leak()
    };
    let count = |text: &'static [u8]| {
        move || {
            black_box(count_by_kernel(Level::best(), text));
        }
    };
    let title = "Any bytes in a key: word count, zipf-30k, 1 core";
    let ways = vec![
        way("no NUL byte", count(text)),
        way("a NUL byte in each 16 KiB", count(with_nul)),
    ];
    race(title, text.len(), "GB/s", ways);
}

/// Tokens of two records are never joined.
fn records_stay_apart(text: &'static [u8]) {
    let mut ends = vec![0u32];
    let lines = (0..).zip(text).filter(|(_, byte)| **byte == b'\n');
    ends.extend(lines.map(|(at, _)| at + 1));
    ends.push(text.len() as u32);
    let count = |records: Option<Records<'_>>| {
        let mut counter = Counter::new(Level::best(), &TokenRule::Whitespace, &Tuning::DEFAULT, 1);
        match records {
            Some(records) => counter
                .push_records(text, records)
                .expect("records of the text"),
            None => counter.push(text),
        }
        black_box(counter.len());
    };
    let records = || Records::from_u32(&ends).expect("line ends ascend");
    let title = "Records stay apart: word count, zipf-30k, 1 core";
    let ways = vec![
        way("one text", || count(None)),
        way("a record for each line", || count(Some(records()))),
    ];
    race(title, text.len(), "GB/s", ways);
}

/// Chunks, cancellation, metrics and the budget, on one thread.
fn jobs_can_be_stopped(text: &'static [u8]) {
    let engine = engine(1);
    let title = "Chunks, cancellation, metrics, budget: word count, zipf-30k, 1 core";
    let ways = vec![
        way("the kernel alone", || {
            black_box(count_by_kernel(Level::best(), text));
        }),
        way("a job of the engine", || {
            black_box(count_by_engine(&engine, text, Order::None));
        }),
    ];
    race(title, text.len(), "GB/s", ways);
}

/// Partitions are the same on every device, and an attacker cannot choose them.
fn keyed_hashes() {
    let keys: Vec<[u64; 2]> = (0..4096).map(|i| [i * 0x9e37_79b9, i ^ 0x5555]).collect();
    let mut hashes = [vec![0; keys.len()], vec![0; keys.len()]];
    let [plain, keyed] = &mut hashes;
    let times = 10_000;
    let title =
        "A keyed hash of 32-bit steps, the same on every device: keys of 9 to 16 bytes, in cache";
    let ways = vec![
        way("two multiplications, unkeyed", || {
            for _ in 0..times {
                for (hash, [first, second]) in plain.iter_mut().zip(&keys) {
                    let first = first.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    *hash = first.wrapping_add(second.wrapping_mul(0xbf58_476d_1ce4_e5b9));
                }
                black_box(plain.last());
            }
        }),
        way("the stable hash", || {
            for _ in 0..times {
                hash_mid(Level::best(), HashSeed(7), &keys, keyed);
                black_box(keyed.last());
            }
        }),
    ];
    race(title, times * keys.len(), "G keys/s", ways);
}

/// An attacker cannot choose keys that collide, because the hash key of a run is secret.
fn chosen_keys() {
    let kinds = [
        ("random keys", spelled(|i| spread(spread(i + 1)) >> 24)),
        ("consecutive keys", spelled(|i| i)),
        ("keys different only in the middle", spelled(|i| i << 10)),
        ("keys that collide under another hash key", colliding()),
    ];
    // The same draws for all kinds, so that keys recur after short and long distances.
    let draws = Rows::random(16 * KEYS, KEYS as u64, true);
    let ways = kinds.iter().map(|(name, keys)| {
        let drawn = draws.keys.iter().map(|&draw| &keys[draw as usize]);
        let text: Vec<u8> = drawn.flat_map(|key| [&key[..], b" "].concat()).collect();
        way(name, move || {
            let seed = RandomState::new().hash_one(name);
            let rule = TokenRule::Whitespace;
            let mut counter = Counter::new(Level::best(), &rule, &Tuning::DEFAULT, seed);
            counter.push(&text);
            let mut groups = KeyCounts::default();
            counter.drain_into(&mut groups);
            assert_eq!(groups.len(), KEYS);
        })
    });
    let title = "Chosen keys: word count of 131,072 keys of eight bytes, 16 occurrences each on average, 1 core";
    race(title, 16 * 9 * KEYS, "GB/s", ways.collect());
}

fn spread(word: u64) -> u64 {
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// Spells numbers of 40 bits with eight letters.
fn spelled(number: impl Fn(u64) -> u64) -> Vec<[u8; 8]> {
    let letters =
        |number: u64| [7, 6, 5, 4, 3, 2, 1, 0].map(|at| b'A' + (number >> (5 * at) & 31) as u8);
    (0..KEYS as u64).map(|i| letters(number(i))).collect()
}

/// Returns printable keys whose products with a multiplier are all small. A table that uses the
/// upper bits of the product would put all of them in one slot.
fn colliding() -> Vec<[u8; 8]> {
    const MULTIPLIER: u64 = 0xbf58_476d_1ce4_e5b9;
    // Newton's method: each step doubles the number of correct bits.
    let inverse = (0..6).fold(MULTIPLIER, |inverse, _| {
        inverse.wrapping_mul(2u64.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)))
    });
    let keys = (1u64..).map(|product| inverse.wrapping_mul(product).to_le_bytes());
    let printable = keys.filter(|key| key.iter().all(u8::is_ascii_graphic));
    printable.take(KEYS).collect()
}

/// Sums are exact for all values. They have 64 bits as long as they cannot overflow.
fn exact_sums() {
    let rows = &Rows::random(10_000_000, 100_000, false);
    let wide: &[i64] = &rows
        .values
        .iter()
        .map(|value| value << 53)
        .collect::<Vec<_>>();
    let sum = |values: &[i64]| {
        let mut reducer =
            ReduceByKey::<u64, Sum>::new(Level::best(), Tuning::DEFAULT, HashKey::random());
        reducer.update(&rows.keys, values);
        assert_eq!(reducer.size(), 100_000);
    };
    let ways = vec![
        way("values of ten bits", || sum(&rows.values)),
        way("values of 63 bits", || sum(wide)),
    ];
    let title = "Sums that cannot overflow: reduce_by_key, 100,000 groups, 1 core";
    race(title, rows.keys.len(), "G rows/s", ways);
}

/// The order of the output.
fn in_order(name: &str) {
    let text = text_of(name, BYTES);
    let engine = &engine(1);
    let orders = [
        ("unordered", Order::None),
        ("by key", Order::Key),
        ("by count", Order::Count),
    ];
    let ways = orders.map(|(name, order)| {
        way(name, move || {
            black_box(count_by_engine(engine, text, order.clone()));
        })
    });
    let title = format!("Output in order: word count, {name}, 1 thread");
    race(&title, text.len(), "GB/s", ways.into());
}

/// Counts eight million keys in less memory than they need.
fn bounded_memory() {
    let text = text_of("unique", 108_000_000);
    let budgets = [
        ("unlimited", None),
        ("in 256 MiB", Some(256 << 20)),
        ("in 64 MiB", Some(64 << 20)),
    ];
    let engines = budgets.map(|(name, budget)| {
        let builder = Engine::builder().device(DeviceChoice::Cpu).threads(2);
        let builder = match budget {
            Some(bytes) => builder.memory(bytes),
            None => builder,
        };
        (name, builder.build().expect("an engine starts"))
    });
    let ways = engines.iter().map(|(name, engine)| {
        way(name, move || {
            black_box(count_by_engine(engine, text, Order::Count));
        })
    });
    let title = "A budget of memory: 8 million keys, by count, 2 threads";
    race(title, text.len(), "GB/s", ways.collect());
}
