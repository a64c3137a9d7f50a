//! Text that a program pushes, for tests and for embedding.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource, Wake};
use crate::read::MemorySource;
use crate::{Error, ErrorKind, Result};

/// A source that reads what [`MemoryStreamInput::push`] adds. Each text is an epoch of its own, so that
/// tests know what an epoch has.
///
/// It gives the same bytes again as long as the process lives.
pub struct MemoryStream {
    input: MemoryStreamInput,
    next: u64,
}

/// The input of a [`MemoryStream`]. Clones are the same input.
#[derive(Clone, Default)]
pub struct MemoryStreamInput(Arc<Mutex<Texts>>);

#[derive(Default)]
struct Texts {
    /// The texts that are not committed.
    texts: VecDeque<Arc<[u8]>>,
    /// How many are committed.
    committed: u64,
    is_finished: bool,
    wake: Wake,
}

impl MemoryStreamInput {
    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a text. Its end ends a record.
    pub fn push(&self, text: impl AsRef<[u8]>) {
        let mut texts = self.lock();
        texts.texts.push_back(text.as_ref().into());
        texts.wake.wake();
    }

    /// Ends the query after what was pushed.
    pub fn finish(&self) {
        let mut texts = self.lock();
        texts.is_finished = true;
        texts.wake.wake();
    }
}

impl MemoryStream {
    /// Creates a source, and its input.
    #[must_use]
    pub fn new() -> (Self, MemoryStreamInput) {
        let input = MemoryStreamInput::default();
        let source = Self::of(&input);
        (source, input)
    }

    /// Creates a source of an input that an earlier query may have read in part.
    #[must_use]
    pub fn of(input: &MemoryStreamInput) -> Self {
        Self {
            input: input.clone(),
            next: 0,
        }
    }
}

impl StreamSource for MemoryStream {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn kind(&self) -> &'static str {
        "memory"
    }

    fn replay(&self) -> Replay {
        Replay::SameBytes
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        self.input.lock().wake = context.wake;
        self.next = context.history.number();
        Ok(())
    }

    fn next_range(&mut self, _: &EpochLimits) -> Result<Option<OffsetRange>> {
        let texts = self.input.lock();
        if self.next >= texts.committed + texts.texts.len() as u64 {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(OffsetRange::numbers(self.next - 1, self.next)))
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        let texts = self.input.lock();
        let number = range.as_numbers().and_then(|(start, end)| {
            self.next = self.next.max(end);
            start.checked_sub(texts.committed)
        });
        let text = number.and_then(|number| texts.texts.get(number as usize));
        let text = text
            .ok_or_else(|| Error::new(ErrorKind::Source, "a text of the memory source is gone"))?;
        Ok(EpochInput::Text(Arc::new(MemorySource::new(text.clone()))))
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        let mut texts = self.input.lock();
        let end = range.end.as_u64().unwrap_or(0);
        while texts.committed < end && texts.texts.pop_front().is_some() {
            texts.committed += 1;
        }
        Ok(())
    }

    fn position(&self) -> Value {
        self.input.lock().committed.into()
    }

    fn is_finished(&self) -> bool {
        let texts = self.input.lock();
        texts.is_finished && self.next >= texts.committed + texts.texts.len() as u64
    }
}
