//! The fused word count: tokenize, hash and aggregate in one pass over the text.
//!
//! ```text
//! text ─▶ tile of spans ─▶ lists by key length ─▶ key table ─▶ groups by partition
//!          (rule)            (class)               (hit, miss)   (contract hash)
//! ```
#![forbid(unsafe_code)]

mod class;
mod partition;

use class::Lists;
pub use partition::split;

use crate::buffer::WindowScratch;
use crate::isa::{Isa, Kernel, dispatch};
use crate::stage::tokenize::tile::{Cut, Tile};
use crate::stage::tokenize::whitespace::Whitespace;
use crate::table::{CountTable, Secret};
use crate::{ContractSeed, Groups, Level, Limits, TokenRule};

/// Counts tokens by their bytes: push texts, then take the groups out.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::count::Counter;
/// use keymill_kernels::{Groups, Level, Limits, TokenRule};
///
/// let mut counter = Counter::new(Level::best(), &TokenRule::Whitespace, &Limits::DEFAULT, 7);
/// counter.push(b"to be or not");
/// counter.push(b"to be");
/// assert_eq!((counter.tokens(), counter.len()), (6, 4));
///
/// let mut groups = Groups::default();
/// counter.drain_into(&mut groups);
/// let mut twice = Vec::new();
/// groups.for_each(|word, count| if count == 2 { twice.push(word.to_vec()) });
/// twice.sort();
/// assert_eq!(twice, [b"be", b"to"]);
/// ```
pub struct Counter {
    level: Level,
    seed: ContractSeed,
    rule: Whitespace,
    tile: Tile,
    scratch: WindowScratch,
    lists: Lists,
    table: CountTable,
    tokens: u64,
    rejected: u64,
}

impl Counter {
    /// Makes a counter that has counted nothing.
    ///
    /// Counters whose groups are to be merged take the same `seed`.
    #[must_use]
    pub fn new(level: Level, rule: &TokenRule, limits: &Limits, seed: u64) -> Self {
        let _ = rule;
        Self {
            level,
            seed: ContractSeed(seed),
            rule: Whitespace::new(limits.tile_bytes),
            tile: Tile::new(limits.tile_bytes),
            scratch: WindowScratch::new(),
            lists: Lists::new(limits.tile_bytes),
            table: CountTable::new(limits, Secret::from_seed(seed)),
            tokens: 0,
            rejected: 0,
        }
    }

    /// Counts the tokens of a text, whose end is a token boundary.
    pub fn push(&mut self, text: &[u8]) {
        dispatch(
            self.level,
            Push {
                counter: self,
                text,
            },
        );
    }

    /// Adds groups that were counted elsewhere.
    pub fn absorb(&mut self, groups: &Groups) {
        self.table.absorb(groups);
    }

    /// How many tokens were pushed.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many lines had no token to give.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// How many distinct tokens are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Tells whether no token is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory the counter holds for its groups.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Moves all groups out, each key once, in no particular order.
    pub fn drain_into(&mut self, out: &mut Groups) {
        self.table.copy_to(out);
        self.table.clear();
    }

    /// Moves all groups out to the partitions that their contract hashes name.
    ///
    /// # Panics
    ///
    /// When `partitions` is empty.
    pub fn flush(&mut self, partitions: &mut [Groups]) {
        partition::flush(&self.table, self.level, self.seed, partitions);
        self.table.clear();
    }
}

struct Push<'a> {
    counter: &'a mut Counter,
    text: &'a [u8],
}

impl Kernel for Push<'_> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { counter, mut text } = self;
        while !text.is_empty() {
            match counter.rule.cut(isa, text, &mut counter.tile) {
                Cut::Tile { next } => {
                    count_tile(counter, isa, text, next);
                    text = &text[next..];
                }
                Cut::Giant { end } => {
                    counter.table.add(&text[..end], 1);
                    counter.tokens += 1;
                    text = &text[end..];
                }
            }
        }
    }
}

#[inline(always)]
fn count_tile<I: Isa>(counter: &mut Counter, isa: I, text: &[u8], used: usize) {
    let tile = &counter.tile;
    counter.tokens += tile.spans().len() as u64;
    let window = counter.scratch.window(text, used);
    if tile.has_nul {
        for &span in tile.spans() {
            counter.table.add(window.slice(span), 1);
        }
    } else {
        counter
            .lists
            .count(isa, window, tile.spans(), &mut counter.table);
    }
}

#[cfg(test)]
mod tests;
