//! Counts the words of files and prints the ten most frequent ones.
//!
//! ```console
//! cargo run --release -p keymill --example count_words -- book.txt
//! ```
#![forbid(unsafe_code)]

use std::path::PathBuf;

use keymill::prelude::*;

fn main() -> keymill::Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let engine = Engine::new()?;
    let counts = engine
        .read_paths(paths)
        .tokenize(whitespace())
        .count_by_key()
        .collect()?;
    for (word, n) in counts.top(10) {
        println!("{n:>8} {word}");
    }
    eprintln!("{}", counts.metrics());
    Ok(())
}
