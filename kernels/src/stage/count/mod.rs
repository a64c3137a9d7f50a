//! The fused word count: tokenize, hash and aggregate in one pass over the text.
//!
//! ```text
//! text ─▶ tile of spans ─▶ lists by key length ─▶ key table ─▶ groups by partition
//!          (rule)            (class)               (hit, miss)   (contract hash)
//! ```
#![forbid(unsafe_code)]

mod class;
mod pace;
mod partition;

use class::Lists;
use pace::{Pace, Path, Standing};
pub use partition::split;
use partition::{Half, Scatter};

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
    rule: Whitespace,
    tile: Tile,
    scratch: WindowScratch,
    lists: Lists,
    table: CountTable,
    pace: Pace,
    scatter: Scatter,
    /// Groups that left the table, or never went through it; empty, or `limits.partitions` of them.
    pending: Vec<Groups>,
    partitions: usize,
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
            rule: Whitespace::new(limits.tile_bytes),
            tile: Tile::new(limits.tile_bytes),
            scratch: WindowScratch::new(),
            lists: Lists::new(limits.tile_bytes),
            table: CountTable::new(limits, Secret::from_seed(seed)),
            pace: Pace::new(limits),
            scatter: Scatter::new(level, ContractSeed(seed), Half::High),
            pending: Vec::new(),
            partitions: limits.partitions,
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

    /// How many groups are held; a token may have more than one, until [`Counter::drain_into`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len() + self.pending.iter().map(Groups::len).sum::<usize>()
    }

    /// Tells whether no token is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory the counter holds for its groups.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.pending.iter().map(Groups::bytes).sum::<usize>()
    }

    /// Moves all groups out, each key once, in no particular order.
    pub fn drain_into(&mut self, out: &mut Groups) {
        if !self.pending.is_empty() {
            self.empty_table();
        }
        for groups in core::mem::take(&mut self.pending) {
            self.table.absorb(&groups);
            self.table.copy_to(out);
            self.table.clear();
        }
        self.table.copy_to(out);
        self.table.clear();
    }

    /// Moves all groups out to the partitions that their contract hashes name.
    ///
    /// A partition may receive a key more than once: absorb it whole to have each key once.
    ///
    /// # Panics
    ///
    /// When `partitions` is empty.
    pub fn flush(&mut self, partitions: &mut [Groups]) {
        self.scatter.table(&self.table, partitions);
        self.table.clear();
        self.pace.emptied();
        let same = partitions.len() == self.pending.len();
        for (i, mut groups) in core::mem::take(&mut self.pending).into_iter().enumerate() {
            if same {
                partitions[i].append(&mut groups);
            } else {
                self.scatter.groups(&groups, partitions);
            }
        }
    }

    /// Moves the table's groups to the counter's own partitions.
    fn empty_table(&mut self) {
        self.open_partitions();
        self.scatter.table(&self.table, &mut self.pending);
        self.table.clear();
        self.pace.emptied();
    }

    /// Makes the counter's own partitions, if it has none.
    fn open_partitions(&mut self) {
        if self.pending.is_empty() {
            self.pending.resize_with(self.partitions, Groups::default);
        }
    }

    /// Looks at what the table is worth for this text, and acts on it.
    #[cold]
    #[inline(never)]
    fn look(&mut self) {
        let was_passing = self.pace.is_passing();
        let standing = Standing {
            bytes: self.table.bytes(),
            groups: self.table.len(),
            tokens: self.tokens,
        };
        match self.pace.look(standing) {
            Path::Table if was_passing => self.scatter.finish(&mut self.pending),
            Path::Bypass if was_passing => {}
            Path::Table => {}
            Path::Flush | Path::Bypass => self.empty_table(),
        }
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
        if counter.pace.is_passing() {
            counter.open_partitions();
        }
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
        if counter.pace.is_passing() {
            counter.scatter.finish(&mut counter.pending);
        }
    }
}

#[inline(always)]
fn count_tile<I: Isa>(counter: &mut Counter, isa: I, text: &[u8], used: usize) {
    let (tile, lists) = (&counter.tile, &mut counter.lists);
    let window = counter.scratch.window(text, used);
    counter.tokens += tile.spans().len() as u64;
    if counter.pace.is_passing() {
        let (scatter, pending) = (&mut counter.scatter, &mut counter.pending[..]);
        if tile.has_nul {
            tile.spans()
                .iter()
                .for_each(|&span| scatter.key(pending, window.slice(span)));
        } else {
            lists.scatter(isa, window, tile.spans(), scatter, pending);
        }
    } else if tile.has_nul {
        tile.spans()
            .iter()
            .for_each(|&span| counter.table.add(window.slice(span), 1));
    } else {
        lists.count(isa, window, tile.spans(), &mut counter.table);
    }
    if counter.pace.is_due(used) {
        counter.look();
    }
}

#[cfg(test)]
mod tests;
