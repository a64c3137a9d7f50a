//! Drives a rule over a text or its records, and hands the tokens to whoever wants them.

use super::cutter::{AnyCutter, Cutter, Visit};
use super::records::{Joint, Piece, Pieces, Records, Staging};
use super::tile::{Cut, Tile};
use crate::isa::{Isa, Kernel, dispatch};
use crate::{Level, TokenRule, Tuning};

/// Takes tokens as they are found.
pub(crate) trait TokenSink {
    /// Says where in the text the next piece begins.
    fn begin(&mut self, start: usize) {
        let _ = start;
    }

    /// Takes the tokens of a tile that begins at byte `at` of `piece` and ends before `at + next`.
    fn tile<I: Isa>(&mut self, isa: I, piece: &[u8], at: usize, tile: &Tile, next: usize);

    /// Takes one token that is longer than a tile.
    fn giant(&mut self, token: &[u8], at: usize);

    /// Says that the piece had several records, and where each came from.
    fn end(&mut self, joints: &[Joint]) {
        let _ = joints;
    }
}

/// A rule and the memory it works in, kept from text to text.
pub(crate) struct Feeder {
    level: Level,
    cutter: AnyCutter,
    tile: Tile,
    staging: Staging,
    tile_bytes: usize,
}

impl Feeder {
    pub(crate) fn new(level: Level, rule: &TokenRule, tuning: &Tuning) -> Self {
        Self {
            level,
            cutter: AnyCutter::new(rule, tuning),
            tile: Tile::new(tuning.tile_bytes),
            staging: Staging::default(),
            tile_bytes: tuning.tile_bytes,
        }
    }

    /// Hands the tokens of a text to a sink.
    ///
    /// `records` lie within the text. Answers how many lines were rejected, and what level ran.
    pub(crate) fn feed<S: TokenSink>(
        &mut self,
        text: &[u8],
        records: Option<Records<'_>>,
        sink: &mut S,
    ) -> (u64, Level) {
        let pieces = Pieces::new(text, records, self.cutter.join(), self.tile_bytes);
        self.cutter.visit(Feed {
            level: self.level,
            tile: &mut self.tile,
            staging: &mut self.staging,
            pieces,
            sink,
        })
    }
}

/// All that is needed but the cutter.
struct Feed<'a, S> {
    level: Level,
    tile: &'a mut Tile,
    staging: &'a mut Staging,
    pieces: Pieces<'a>,
    sink: &'a mut S,
}

impl<S: TokenSink> Visit for Feed<'_, S> {
    type Out = (u64, Level);

    fn visit<C: Cutter>(self, cutter: &mut C) -> (u64, Level) {
        dispatch(self.level, FeedWith { feed: self, cutter })
    }
}

struct FeedWith<'a, S, C> {
    feed: Feed<'a, S>,
    cutter: &'a mut C,
}

impl<S: TokenSink, C: Cutter> Kernel for FeedWith<'_, S, C> {
    type Out = (u64, Level);

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> (u64, Level) {
        let Self { mut feed, cutter } = self;
        while let Some(piece) = feed.pieces.next(feed.staging) {
            let (bytes, start, joints) = match piece {
                Piece::Plain(bytes, start) => (bytes, start, None),
                Piece::Staged(bytes, joints) => (bytes, 0, Some(joints)),
            };
            feed.sink.begin(start);
            cut_all(isa, cutter, bytes, feed.tile, feed.sink);
            if let Some(joints) = joints {
                feed.sink.end(joints);
            }
        }
        (cutter.take_rejected(), I::LEVEL)
    }
}

/// Cuts a whole text.
#[inline(always)]
fn cut_all<I: Isa, C: Cutter, S: TokenSink>(
    isa: I,
    cutter: &mut C,
    text: &[u8],
    tile: &mut Tile,
    sink: &mut S,
) {
    let mut at = 0;
    while cutter.has_more(&text[at..]) {
        match cutter.cut(isa, &text[at..], tile) {
            Cut::Tile { next } => {
                sink.tile(isa, text, at, tile, next);
                at += next;
            }
            Cut::Giant { end, next } => {
                sink.giant(&text[at..at + end], at);
                at += next;
            }
        }
    }
}
