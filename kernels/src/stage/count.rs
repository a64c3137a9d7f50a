//! The fused word count: tokenize, hash and aggregate in one pass over the text.
#![forbid(unsafe_code)]

use crate::buffer::WindowScratch;
use crate::isa::{Isa, Kernel, dispatch};
use crate::stage::tokenize::tile::{Cut, Tile};
use crate::stage::tokenize::whitespace::Whitespace;
use crate::table::{LongTable, MidTable, Secret, ShortTable};
use crate::{Level, Limits};

/// Counts of tokens.
pub struct Counter {
    rule: Whitespace,
    tile: Tile,
    scratch: WindowScratch,
    lists: Lists,
    short: ShortTable,
    mid: MidTable,
    long: LongTable,
    empty: u64,
    tokens: u64,
    level: Level,
}

/// Spans by length class, reused from tile to tile.
struct Lists {
    short: Vec<u32>,
    rest: Vec<u32>,
    mid: Vec<u32>,
    missed: Vec<u64>,
}

impl Counter {
    /// A counter that has counted nothing.
    pub fn new(level: Level, limits: &Limits) -> Self {
        let secret = Secret::random();
        let room = limits.tile_bytes / 2 + 64 + 16;
        Self {
            rule: Whitespace::new(limits.tile_bytes),
            tile: Tile::new(limits.tile_bytes),
            scratch: WindowScratch::new(),
            lists: Lists {
                short: vec![0; room],
                rest: vec![0; room],
                mid: vec![0; room],
                missed: vec![0; room],
            },
            short: ShortTable::new(limits, secret),
            mid: MidTable::new(limits, secret),
            long: LongTable::new(limits, secret),
            empty: 0,
            tokens: 0,
            level,
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

    /// How many tokens were counted.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many distinct tokens there were.
    pub fn len(&self) -> usize {
        self.short.len() + self.mid.len() + self.long.len() + usize::from(self.empty > 0)
    }
    /// x
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        self.short.for_each(|k, c| {
            let b = k.to_le_bytes();
            visit(&b[..8 - k.leading_zeros() as usize / 8], c)
        });
        self.mid.for_each(|k, c| {
            let b: [u8; 16] = bytemuck::cast(k);
            visit(&b[..16 - k[1].leading_zeros() as usize / 8], c)
        });
        self.long.for_each(visit);
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
                    counter.long.add(&text[..end], 1);
                    counter.tokens += 1;
                    text = &text[end..];
                }
            }
        }
    }
}

#[inline(always)]
fn count_tile<I: Isa>(counter: &mut Counter, isa: I, text: &[u8], used: usize) {
    let spans = counter.tile.spans();
    let window = counter.scratch.window(text, used);
    let lists = &mut counter.lists;
    counter.tokens += spans.len() as u64;
    let (shorts, rests) = isa.split_short(spans, &mut lists.short, &mut lists.rest);
    counter
        .short
        .count(window, &lists.short[..shorts], &mut lists.missed);
    let mut mids = 0;
    for &span in &lists.rest[..rests] {
        let length = (span >> 16) - (span & 0xffff);
        if length.wrapping_sub(9) < 8 {
            let bits = (span.wrapping_sub(span >> 16) & 7) << 3;
            lists.mid[mids] = (span & 0xffff) | (bits << 16);
            mids += 1;
        } else if length == 0 {
            counter.empty += 1;
        } else {
            counter.long.add(window.slice(span), 1);
        }
    }
    counter.mid.count(window, &lists.mid[..mids]);
}
