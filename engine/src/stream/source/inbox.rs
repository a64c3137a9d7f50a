//! Text that has been received and not read yet: whole lines, in blocks, in bounded memory.
//!
//! ```text
//! connection ─▶ whole lines ─▶ │ block │ block │ … │ ─▶ next epoch
//!                               └── full: the connection waits ──┘
//! ```

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::write_ahead_log::WriteAheadLog;
use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, Wake};
use crate::read::MemorySource;
use crate::{Error, ErrorKind, Result};

/// Bytes of a block. Blocks are what worker threads share out.
const BLOCK_BYTES: usize = 512 << 10;

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// A buffer between connections and the query. Clones are the same buffer.
#[derive(Clone)]
pub(super) struct Inbox(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    wake: Wake,
    most_bytes: usize,
}

/// An inbox holds this many times what an epoch takes: the next one arrives while one is computed.
const EPOCHS: u64 = 2;

struct State {
    /// The bytes at which connections wait, within the most that memory allows.
    full: usize,
    blocks: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Bytes that were given to epochs.
    given: u64,
    is_finished: bool,
    is_closed: bool,
    error: Option<Error>,
}

impl Inbox {
    pub(super) fn new(wake: Wake, most_bytes: usize, given: u64) -> Self {
        let most_bytes = most_bytes.max(2 * BLOCK_BYTES);
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                full: most_bytes,
                blocks: VecDeque::new(),
                bytes: 0,
                given,
                is_finished: false,
                is_closed: false,
                error: None,
            }),
            changed: Condvar::new(),
            wake,
            most_bytes,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads lines until the end of a connection. The last line needs no line end.
    ///
    /// # Errors
    ///
    /// The error of the connection. The lines before it are in the inbox.
    pub(super) fn receive(&self, mut connection: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut filled = 0;
        let received = loop {
            if filled >= self.0.most_bytes {
                self.fail(too_long(filled));
                return Ok(());
            }
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
            match connection.read(&mut buffer[filled..]) {
                Ok(0) => break Ok(()),
                Ok(bytes) => {
                    let new = filled..filled + bytes;
                    filled += bytes;
                    let Some(end) = last_line_end(&buffer[new.clone()]) else {
                        continue;
                    };
                    let end = new.start + end;
                    if !self.push(&buffer[..end]) {
                        return Ok(());
                    }
                    buffer.copy_within(end..filled, 0);
                    filled -= end;
                    if buffer.len() > READ_BYTES && filled < READ_BYTES / 2 {
                        buffer.truncate(READ_BYTES);
                        buffer.shrink_to_fit();
                    }
                }
                Err(error) if is_temporary(&error) => {
                    if self.lock().is_closed {
                        return Ok(());
                    }
                }
                Err(error) => break Err(error),
            }
        };
        if filled > 0 {
            buffer.truncate(filled);
            buffer.push(b'\n');
            self.push(&buffer);
        }
        received
    }

    /// Adds whole lines. Waits while the inbox is full. Returns `false` after the reader is gone.
    fn push(&self, lines: &[u8]) -> bool {
        let mut state = self.lock();
        while state.bytes > 0 && state.bytes + lines.len() > state.full && !state.is_closed {
            self.0.wake.wake();
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return false;
        }
        state.bytes += lines.len();
        match state.blocks.back_mut() {
            Some(last) if last.len() + lines.len() <= last.capacity() => {
                last.extend_from_slice(lines);
            }
            _ => {
                let mut block = Vec::with_capacity(BLOCK_BYTES.max(lines.len()));
                block.extend_from_slice(lines);
                state.blocks.push_back(block);
            }
        }
        drop(state);
        self.0.wake.wake();
        true
    }

    /// Takes blocks for the next epoch.
    ///
    /// # Errors
    ///
    /// The error that a connection has left, when everything before it was taken.
    fn take(&self, limits: &EpochLimits) -> Result<Option<Received>> {
        let mut state = self.lock();
        if state.blocks.is_empty() {
            return match state.error.take() {
                Some(error) => Err(error),
                None => Ok(None),
            };
        }
        if let Some(pace) = limits.pace {
            let full = usize::try_from(pace.saturating_mul(EPOCHS)).unwrap_or(usize::MAX);
            state.full = full.clamp(2 * BLOCK_BYTES, self.0.most_bytes);
        }
        let most = limits
            .bytes
            .unwrap_or(u64::MAX)
            .min(limits.pace.unwrap_or(u64::MAX));
        let (mut blocks, mut bytes) = (Vec::new(), 0_u64);
        while let Some(block) = state.blocks.pop_front() {
            let room = most.saturating_sub(bytes);
            let (block, rest) = cut(block, room, blocks.is_empty());
            if let Some(rest) = rest {
                state.blocks.push_front(rest);
            }
            let Some(block) = block else { break };
            bytes += block.len() as u64;
            blocks.push(block);
        }
        state.bytes -= bytes as usize;
        let start = state.given;
        state.given += bytes;
        drop(state);
        self.0.changed.notify_all();
        Ok(Some(Received {
            range: OffsetRange::numbers(start, start + bytes),
            blocks,
        }))
    }

    /// Records that nothing will come any more.
    pub(super) fn finish(&self) {
        self.lock().is_finished = true;
        self.0.wake.wake();
    }

    /// Records why nothing will come any more.
    pub(super) fn fail(&self, error: Error) {
        self.lock().error.get_or_insert(error);
        self.0.wake.wake();
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.0.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits, and returns `false` if the inbox was closed meanwhile.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let state = self.lock();
        if state.is_closed {
            return false;
        }
        let waited = self.0.changed.wait_timeout(state, time);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    pub(super) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.is_finished && state.blocks.is_empty() && state.error.is_none()
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        self.lock().bytes as u64
    }
}

/// The side of an inbox that a source reads: the inbox, once it is started, and what the last epoch took.
#[derive(Default)]
pub(super) struct Receiver {
    inbox: Option<Inbox>,
    received: Received,
    /// Bytes of committed epochs.
    committed: u64,
    /// Whether `received` waits to be written to the log.
    is_unwritten: bool,
    /// The folder of the log, if there is one.
    log_folder: Option<PathBuf>,
    log: Option<WriteAheadLog>,
}

impl Receiver {
    /// Creates the inbox of a source that starts.
    ///
    /// # Errors
    ///
    /// Those of the log.
    pub(super) fn start(&mut self, context: SourceContext) -> Result<Inbox> {
        let mut given = context.history.number();
        self.received.range = OffsetRange::numbers(given, given);
        self.committed = given;
        if let Some(folder) = &self.log_folder {
            let log = WriteAheadLog::open(folder, given)?;
            given = log.end().unwrap_or(given);
            self.log = Some(log);
        }
        let inbox = Inbox::new(context.wake, context.memory, given);
        self.inbox = Some(inbox.clone());
        Ok(inbox)
    }

    /// Writes what is received to a log before it is part of an epoch.
    pub(super) fn log_to(&mut self, folder: PathBuf) {
        self.log_folder = Some(folder);
    }

    pub(super) fn replay(&self) -> Replay {
        match self.log_folder {
            Some(_) => Replay::SameBytes,
            None => Replay::Nothing,
        }
    }

    pub(super) fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let Some(inbox) = &self.inbox else {
            return Ok(None);
        };
        if let Some(range) = self.log.as_mut().and_then(WriteAheadLog::next_pending) {
            return Ok(Some(range));
        }
        // After an error, such as a full disk, the same is written again.
        if !self.is_unwritten {
            let Some(received) = inbox.take(limits)? else {
                return Ok(None);
            };
            self.received = received;
        }
        if let Some(log) = &self.log {
            self.is_unwritten = true;
            log.append(&self.received.range, &self.received.blocks)?;
            self.is_unwritten = false;
        }
        Ok(Some(self.received.range.clone()))
    }

    pub(super) fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        if let Some(log) = self.log.as_mut().filter(|_| self.received.range != *range) {
            self.received = Received {
                range: range.clone(),
                blocks: log.read(range)?,
            };
        }
        Ok(self.received.input(range))
    }

    pub(super) fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.committed = range.end.as_u64().unwrap_or(self.committed);
        match &self.log {
            Some(log) => log.commit(range),
            None => Ok(()),
        }
    }

    pub(super) fn position(&self) -> Value {
        self.committed.into()
    }

    pub(super) fn is_finished(&self) -> bool {
        let is_written =
            !self.is_unwritten && self.log.as_ref().is_none_or(|it| it.end().is_none());
        is_written && self.inbox.as_ref().is_some_and(Inbox::is_finished)
    }

    pub(super) fn waiting_bytes(&self) -> Option<u64> {
        self.inbox.as_ref().map(Inbox::waiting_bytes)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(inbox) = &self.inbox {
            inbox.close();
        }
    }
}

/// What an epoch has taken from an inbox.
#[derive(Default)]
struct Received {
    range: OffsetRange,
    blocks: Vec<Vec<u8>>,
}

impl Default for OffsetRange {
    fn default() -> Self {
        Self::numbers(0, 0)
    }
}

impl Received {
    /// The blocks, if they are of this range; and nothing for a range that was lost.
    fn input(&mut self, range: &OffsetRange) -> EpochInput {
        let blocks = match self.range == *range {
            true => std::mem::take(&mut self.blocks),
            false => Vec::new(),
        };
        let mut blocks = blocks.into_iter();
        let first = MemorySource::new(blocks.next().unwrap_or_default());
        EpochInput::Text(Arc::new(blocks.fold(first, MemorySource::and)))
    }
}

/// Cuts a block at a line end so that it has at most `room` bytes, and at least one line if it is the
/// first one.
fn cut(mut block: Vec<u8>, room: u64, is_first: bool) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    if block.len() as u64 <= room {
        return (Some(block), None);
    }
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let end = match last_line_end(&block[..room]) {
        Some(end) => end,
        None if is_first => {
            let line = block.iter().position(|&byte| byte == b'\n');
            line.map_or(block.len(), |end| end + 1)
        }
        None => return (None, Some(block)),
    };
    if end == block.len() {
        return (Some(block), None);
    }
    let rest = block.split_off(end);
    (Some(block), Some(rest))
}

fn too_long(bytes: usize) -> Error {
    let message = format!("a line is longer than {bytes} bytes; give the query more memory");
    Error::new(ErrorKind::Capacity, message)
}

/// The end of the last whole line.
fn last_line_end(bytes: &[u8]) -> Option<usize> {
    let newline = bytes.iter().rposition(|&byte| byte == b'\n');
    newline.map(|newline| newline + 1)
}

/// Whether a read may be tried again: a time-out lets a connection notice that it was closed.
fn is_temporary(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Starts the thread of a connection.
///
/// # Errors
///
/// [`ErrorKind::Source`] if the system starts no thread.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    match thread.spawn(run) {
        Ok(_) => Ok(()),
        Err(cause) => {
            let message = "the system starts no thread for a source";
            Err(Error::new(ErrorKind::Source, message).with_source(cause))
        }
    }
}

#[cfg(test)]
mod tests;
