//! Runs a rule over a text or its records, and passes the tokens to a sink.

use super::cutter::{AnyCutter, Cutter, Visit};
use super::records::{Piece, Pieces, Records, StagedRecord, Staging};
use super::tile::{Cut, Tile};
use crate::isa::{Isa, Kernel, dispatch};
use crate::{Level, TokenRule, Tuning};

/// Receives tokens as they are found.
pub(crate) trait TokenSink {
    /// Begins a piece that starts at byte `start` of the text.
    fn begin(&mut self, start: usize) {
        let _ = start;
    }

    /// Receives the tokens of a tile that begins at byte `at` of `piece` and ends before `at +
    /// next`.
    fn tile<I: Isa>(&mut self, isa: I, piece: &[u8], at: usize, tile: &Tile, next: usize);

    /// Receives one token that is longer than a tile.
    fn long_token(&mut self, token: &[u8], at: usize);

    /// Ends a piece of several records, with the origin of each.
    fn end(&mut self, staged_records: &[StagedRecord]) {
        let _ = staged_records;
    }
}

/// A rule and its memory, which is reused for each text.
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

    /// Passes the tokens of a text to a sink.
    ///
    /// `records` must be within the text. Returns the number of rejected lines, and the level that
    /// ran.
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

/// Everything for a run except the cutter.
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
            let (bytes, start, staged_records) = match piece {
                Piece::Plain(bytes, start) => (bytes, start, None),
                Piece::Staged(bytes, staged_records) => (bytes, 0, Some(staged_records)),
            };
            feed.sink.begin(start);
            cut_all(isa, cutter, bytes, feed.tile, feed.sink);
            if let Some(staged_records) = staged_records {
                feed.sink.end(staged_records);
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
            Cut::LongToken { end, next } => {
                sink.long_token(&text[at..at + end], at);
                at += next;
            }
        }
    }
}
