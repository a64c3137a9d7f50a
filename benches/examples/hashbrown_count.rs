//! Counts the words of a file with a `hashbrown` map: the loop that people write by hand.
//! `scripts/rivals` compares keymill with it.
//!
//! ```text
//! cargo run --release -p keymill-bench --example hashbrown_count -- FILE [THREADS]
//! ```
//!
//! Words are separated by ASCII white space. Prints the number of distinct words and the total
//! number of words.
#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::fs;
use std::thread;

use hashbrown::HashMap;

type Counts<'a> = HashMap<&'a [u8], u64, foldhash::fast::RandomState>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let path = args.next().ok_or("usage: hashbrown_count FILE [THREADS]")?;
    let threads = args.next().map_or(Ok(1), |number| number.parse())?;

    let text = fs::read(path)?;
    let counts = count_on(threads, &text);
    let total: u64 = counts.values().sum();
    println!("{} {total}", counts.len());
    Ok(())
}

fn count(text: &[u8]) -> Counts<'_> {
    let mut counts = Counts::default();
    for word in text.split(u8::is_ascii_whitespace) {
        if !word.is_empty() {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}

/// One map a thread, merged into the first one at the end.
fn count_on(threads: usize, text: &[u8]) -> Counts<'_> {
    thread::scope(|scope| {
        let parts = split(text, threads.max(1));
        let mut workers: Vec<_> = parts.map(|part| scope.spawn(|| count(part))).collect();
        let first = workers.remove(0);
        let mut counts = first.join().expect("counting does not panic");
        for worker in workers {
            for (word, n) in worker.join().expect("counting does not panic") {
                *counts.entry(word).or_default() += n;
            }
        }
        counts
    })
}

/// Cuts the text into `parts` pieces of about the same size, each cut at white space.
fn split(text: &[u8], parts: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    (0..parts).map(move |part| {
        let target = rest.len() / (parts - part);
        let space = rest[target..].iter().position(u8::is_ascii_whitespace);
        let end = space.map_or(rest.len(), |space| target + space);
        let piece;
        (piece, rest) = rest.split_at(end);
        piece
    })
}
