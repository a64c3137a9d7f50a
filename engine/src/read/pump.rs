//! A thread that reads a stream, so that no worker blocks on it.
//!
//! ```text
//! stream ─ read, decompress ─▶ full blocks ─▶ worker
//!              ▲                                  │
//!              └───────── empty blocks ◀──────────┘
//! ```
//!
//! A read from a terminal or a socket may block and cannot be interrupted. So it blocks on its own
//! thread. A cancelled job does not wait for that thread, which ends after its read returns.
#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::ByteStream;
use crate::{Error, ErrorKind, Result};

/// Size of a block in bytes.
const BLOCK: usize = 256 << 10;

/// Maximum number of full blocks in the queue.
const WAITING: usize = 2;

/// How long a read waits before it returns [`io::ErrorKind::Interrupted`].
const PATIENCE: Duration = Duration::from_millis(20);

/// Opens and reads a stream on its own thread.
///
/// A read that has waited for 20 ms returns [`io::ErrorKind::Interrupted`] and can be tried again.
pub(crate) fn pumped(
    open: impl FnOnce() -> Result<ByteStream<'static>> + Send + 'static,
) -> Result<ByteStream<'static>> {
    let (full_sender, full) = sync_channel(WAITING);
    let (empty, empty_receiver) = channel();
    thread::Builder::new()
        .name("keymill-read".to_owned())
        .spawn(move || run(open, &full_sender, &empty_receiver))
        .map_err(|cause| {
            let message = "cannot start a thread for reading; allow this process more threads";
            Error::new(ErrorKind::Capacity, message).with_source(cause)
        })?;
    Ok(ByteStream::new(Pump {
        full,
        empty,
        block: Block::default(),
        ended: false,
    }))
}

/// Bytes that were read; empty at the end of the stream.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    used: usize,
    taken: usize,
}

fn run(
    open: impl FnOnce() -> Result<ByteStream<'static>>,
    full: &SyncSender<io::Result<Block>>,
    empty: &Receiver<Vec<u8>>,
) {
    let read_all = || -> io::Result<()> {
        let mut stream = open().map_err(io::Error::other)?;
        loop {
            let mut bytes = empty.try_recv().unwrap_or_else(|_| vec![0; BLOCK]);
            let used = read(&mut stream, &mut bytes)?;
            let block = Block {
                bytes,
                used,
                taken: 0,
            };
            // The receiver is dropped when the job ends.
            if full.send(Ok(block)).is_err() || used == 0 {
                return Ok(());
            }
        }
    };
    let result = catch_unwind(AssertUnwindSafe(read_all));
    let result = result.unwrap_or_else(|panic| Err(io::Error::other(Error::panicked(&*panic))));
    if let Err(error) = result {
        let _ = full.send(Err(error));
    }
}

fn read(stream: &mut ByteStream<'_>, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The reader's end of the queue.
struct Pump {
    full: Receiver<io::Result<Block>>,
    empty: Sender<Vec<u8>>,
    block: Block,
    ended: bool,
}

impl Read for Pump {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.block.taken == self.block.used && !self.ended {
            self.next_block()?;
        }
        let Block { bytes, used, taken } = &mut self.block;
        let copied = into.len().min(*used - *taken);
        into[..copied].copy_from_slice(&bytes[*taken..][..copied]);
        *taken += copied;
        Ok(copied)
    }
}

impl Pump {
    fn next_block(&mut self) -> io::Result<()> {
        let block = match self.full.recv_timeout(PATIENCE) {
            Ok(block) => block?,
            Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::Interrupted.into()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the reading thread has ended"));
            }
        };
        self.ended = block.used == 0;
        let emptied = std::mem::replace(&mut self.block, block).bytes;
        if !emptied.is_empty() {
            // Fails if the thread has ended; then the block is not needed.
            let _ = self.empty.send(emptied);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_to_end(mut stream: impl Read) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn bytes_arrive_in_order() {
        let text: Vec<u8> = (0..3 * BLOCK + 7).map(|byte| byte as u8).collect();
        let copy = io::Cursor::new(text.clone());
        let stream = pumped(move || Ok(ByteStream::new(copy))).unwrap();
        assert_eq!(read_to_end(stream).unwrap(), text);
    }

    #[test]
    fn errors_and_panics_arrive() {
        struct Bad(bool);
        impl Read for Bad {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                assert!(self.0, "planted");
                Err(io::Error::other("cut"))
            }
        }
        for (bad, message) in [(true, "cut"), (false, "planted")] {
            let stream = pumped(move || Ok(ByteStream::new(Bad(bad)))).unwrap();
            let error = read_to_end(stream).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
