//! Numbered lines at a fixed rate, for tests and measurements.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use crate::read::MemorySource;
use crate::{Error, ErrorKind, Result};

/// Rows of a block: blocks are what worker threads share out.
const BLOCK_ROWS: u64 = 64 << 10;

/// Bytes of the longest line.
const LONGEST_LINE: usize = 21;

/// The lines `0`, `1`, `2` and so on: a number of them every second, or every epoch.
pub struct RateSource {
    rows: u64,
    /// Numbers begin with 0 again at this one.
    keys: u64,
    is_per_epoch: bool,
    started: Option<Instant>,
    /// The first row after the start, or after the epochs that ran again.
    first: u64,
    /// The most rows of an epoch.
    most: u64,
    next: u64,
    committed: u64,
}

impl RateSource {
    /// Makes a number of rows every second.
    #[must_use]
    pub fn per_second(rows: u64) -> Self {
        Self {
            rows,
            keys: u64::MAX,
            is_per_epoch: false,
            started: None,
            first: 0,
            most: u64::MAX,
            next: 0,
            committed: 0,
        }
    }

    /// Makes a number of rows every epoch.
    #[must_use]
    pub fn per_epoch(rows: u64) -> Self {
        Self {
            is_per_epoch: true,
            ..Self::per_second(rows)
        }
    }

    /// Begins with `0` again after this many numbers, so that there are at most so many different ones.
    #[must_use]
    pub fn keys(self, keys: u64) -> Self {
        Self {
            keys: keys.max(1),
            ..self
        }
    }

    /// How many rows there are now.
    fn available(&self) -> u64 {
        if self.is_per_epoch {
            return self.next + self.rows;
        }
        let elapsed = self.started.map_or(Duration::ZERO, |it| it.elapsed());
        let rows = elapsed.as_nanos() * u128::from(self.rows) / 1_000_000_000;
        self.first + u64::try_from(rows).unwrap_or(u64::MAX)
    }
}

impl StreamSource for RateSource {
    fn describe(&self) -> String {
        match self.is_per_epoch {
            true => format!("rate-per-epoch:{}", self.rows),
            false => format!("rate:{}", self.rows),
        }
    }

    fn kind(&self) -> &'static str {
        "rate"
    }

    fn replay(&self) -> Replay {
        Replay::SameBytes
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        self.committed = context.history.number();
        (self.first, self.next) = (self.committed, self.committed);
        self.started = Some(Instant::now());
        self.most = (context.memory / LONGEST_LINE).max(1) as u64;
        Ok(())
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let most = limits.rows.unwrap_or(u64::MAX).min(self.most);
        let end = self.available().min(self.next.saturating_add(most));
        if end <= self.next {
            return Ok(None);
        }
        let range = OffsetRange::numbers(self.next, end);
        self.next = end;
        Ok(Some(range))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let Some((start, end)) = range.as_numbers() else {
            return Err(Error::new(ErrorKind::Source, "not a range of rows"));
        };
        // An epoch of a run before.
        if end > self.next {
            (self.first, self.next) = (end, end);
            self.started = Some(Instant::now());
        }
        let keys = self.keys;
        let mut blocks = (start..end).step_by(BLOCK_ROWS as usize).map(move |first| {
            let mut block = Vec::new();
            for row in first..end.min(first + BLOCK_ROWS) {
                // Writing to memory cannot fail.
                let _ = writeln!(block, "{}", row % keys);
            }
            block
        });
        let first = MemorySource::new(blocks.next().unwrap_or_default());
        Ok(EpochInput::Text(Arc::new(
            blocks.fold(first, MemorySource::and),
        )))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.committed = range.end.as_u64().unwrap_or(self.committed);
        Ok(())
    }

    fn position(&self) -> Value {
        self.committed.into()
    }
}
