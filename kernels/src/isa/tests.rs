//! Compares every primitive of every level with plain Rust.

use super::{BLOCK, Isa, Kernel, dispatch};
use crate::Level;

/// A run that must test a level fails if the level is not available.
#[test]
fn required_levels_are_available() {
    for (level, variable) in [
        (Level::Neon, "KEYMILL_REQUIRE_NEON"),
        (Level::Avx2, "KEYMILL_REQUIRE_AVX2"),
        (Level::Avx512, "KEYMILL_REQUIRE_AVX512"),
    ] {
        let required = std::env::var_os(variable).is_some_and(|value| value == "1");
        assert!(
            !required || level.is_available(),
            "{variable}=1, but {level} is not available"
        );
    }
}

/// The results of all primitives.
#[derive(Debug, PartialEq)]
struct Answers {
    ran: Level,
    equal: u64,
    ranges: Vec<u64>,
    space: u64,
    non_ascii: bool,
    zero: bool,
    non_ascii_in_or: bool,
    positions: Vec<u16>,
    wide: Vec<u32>,
    ranks: Vec<u32>,
    short: Vec<u32>,
    mid: Vec<u32>,
    in_eight: [u32; 2],
    rest: Vec<u32>,
}

/// Words, some of which are those of [`PAIR`], at the right and the wrong index.
const LINE: [u64; 8] = [7, 9, 9, 7, 1 << 63 | 7, 9, 7, 9 << 32];
const PAIR: [u64; 2] = [7, 9];

struct Ask<'a> {
    block: &'a [u8; BLOCK],
    other: &'a [u8; BLOCK],
    spans: &'a [u32],
}

const RANGES: [(u8, u8); 5] = [(9, 13), (0xc2, 0xe3), (0, 255), (0x70, 0x90), (0x80, 0x80)];

impl Kernel for Ask<'_> {
    type Out = Answers;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Answers {
        let (a, b) = (isa.load(self.block), isa.load(self.other));
        let space = isa.ascii_space(a);
        let mut positions = [0; BLOCK];
        let found = isa.positions(space, 1000, &mut positions);
        let mut ranks = [0; BLOCK];
        let ranked = isa.ranks(space, space | isa.equal(a, b'e'), 70_000, &mut ranks);
        let mut wide = [0; BLOCK];
        let wides = isa.wide_positions(space, u32::MAX, &mut wide);
        let room = self.spans.len() + 16;
        let (mut short, mut rest) = (vec![0; room], vec![0; room]);
        let (shorts, rests) = isa.split_class(1, self.spans, &mut short, &mut rest);
        short.truncate(shorts);
        let spans = rest[..rests].to_vec();
        let mut mid = vec![0; room];
        let (mids, rests) = isa.split_class(9, &spans, &mut mid, &mut rest);
        Answers {
            ran: I::LEVEL,
            equal: isa.equal(a, b'e'),
            ranges: RANGES
                .iter()
                .map(|&(low, high)| isa.in_range(a, low, high))
                .collect(),
            space,
            non_ascii: isa.has_non_ascii(a),
            zero: isa.any_zeros(isa.note_zeros(isa.note_zeros(isa.no_zeros(), a), b)),
            non_ascii_in_or: isa.has_non_ascii(isa.or(a, b)),
            positions: positions[..found].to_vec(),
            wide: wide[..wides].to_vec(),
            ranks: ranks[..ranked].to_vec(),
            short,
            mid: mid[..mids].to_vec(),
            in_eight: [
                isa.find_in_eight(&LINE, PAIR[1]),
                isa.find_pair_in_eight(&LINE, PAIR),
            ],
            rest: rest[..rests].to_vec(),
        }
    }
}

fn expected(ask: &Ask<'_>, ran: Level) -> Answers {
    let mask = |wanted: &dyn Fn(u8) -> bool| {
        ask.block
            .iter()
            .rev()
            .fold(0u64, |mask, &byte| mask << 1 | u64::from(wanted(byte)))
    };
    let is_space = |byte: u8| byte == 0x20 || (9..=13).contains(&byte);
    let length = |span: &u32| (span >> 16) - (span & 0xffff);
    let (short, rest): (Vec<u32>, Vec<u32>) = ask
        .spans
        .iter()
        .partition(|span| (1..=8).contains(&length(span)));
    let (mid, rest): (Vec<u32>, Vec<u32>) = rest
        .iter()
        .partition(|span| (9..=16).contains(&length(span)));
    let ready = |span: &u32| span & 0xffff | ((16 - length(span)) % 8 * 8) << 16;
    Answers {
        ran,
        equal: mask(&|byte| byte == b'e'),
        ranges: RANGES
            .iter()
            .map(|&(low, high)| mask(&|byte| low <= byte && byte <= high))
            .collect(),
        space: mask(&is_space),
        non_ascii: !ask.block.is_ascii(),
        zero: ask.block.contains(&0) || ask.other.contains(&0),
        non_ascii_in_or: !(ask.block.is_ascii() && ask.other.is_ascii()),
        positions: (0..64)
            .filter(|&i| is_space(ask.block[i as usize]))
            .map(|i| i + 1000)
            .collect(),
        wide: (0..64)
            .filter(|&i| is_space(ask.block[i as usize]))
            .map(|i: u32| i.wrapping_sub(1))
            .collect(),
        ranks: ask
            .block
            .iter()
            .filter(|&&byte| is_space(byte) || byte == b'e')
            .zip(70_000..)
            .filter_map(|(&byte, rank)| is_space(byte).then_some(rank))
            .collect(),
        short: short.iter().map(ready).collect(),
        mid: mid.iter().map(ready).collect(),
        in_eight: [0b0010_0110, 0b0110_0011],
        rest,
    }
}

/// A few thousand blocks with many combinations of byte values.
fn blocks() -> Vec<[u8; BLOCK]> {
    let mut state = 1u64;
    let mut blocks = vec![
        [0x20; BLOCK],
        [0xff; BLOCK],
        [0; BLOCK],
        *b"the quick brown\tfox jumps\nover the lazy dog\r\n and runs away again"
            .first_chunk()
            .expect("64 bytes were written"),
    ];
    for round in 0..if cfg!(miri) { 4 } else { 2000 } {
        blocks.push(core::array::from_fn(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let byte = (state >> 56) as u8;
            match round % 4 {
                0 => byte,
                1 => byte & 0x2f,
                2 => byte & 0x7f | 1,
                _ => 9 + byte % 6,
            }
        }));
    }
    blocks
}

#[test]
fn every_level_gives_the_results_of_plain_rust_and_its_name() {
    let spans: Vec<u32> = (0..77)
        .map(|i| (i * 3) | ((i * 3 + i % 19) << 16))
        .collect();
    for pair in blocks().windows(2) {
        let ask = Ask {
            block: &pair[0],
            other: &pair[1],
            spans: &spans,
        };
        for level in Level::available() {
            let answers = dispatch(level, Ask { ..ask });
            assert_eq!(answers, expected(&ask, level));
        }
    }
}

#[test]
fn a_level_that_is_missing_runs_as_scalar() {
    let spans = [];
    let block = [b'e'; BLOCK];
    for level in Level::ALL.into_iter().filter(|level| !level.is_available()) {
        let ran = dispatch(
            level,
            Ask {
                block: &block,
                other: &block,
                spans: &spans,
            },
        )
        .ran;
        assert_eq!(ran, Level::Scalar);
    }
}
