//! Reads of files on other machines: whole blocks, some of them ahead, at the same time.
//!
//! ```text
//! read_at(9 MiB) ─▶ block 2: wait for it │ blocks 3, 4, 5: on their way
//! ```
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use keymill::Result;
use keymill::read::ReadAt;

use crate::runtime::runtime;

/// The bytes of a block, which one request reads.
const BLOCK: u64 = 4 << 20;

/// The blocks that are requested before they are wanted.
const AHEAD: u64 = 4;

/// The blocks that a file keeps.
const KEPT: usize = 6;

/// The blocks of all files from which on none is requested ahead, so that memory stays bounded.
const MOST_BLOCKS: usize = 10;

/// The blocks of all files.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// A file whose ranges can be requested.
pub(crate) trait Fetch: Send + Sync + 'static {
    /// Requests a range.
    fn fetch(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = Result<Bytes>> + Send>>;
}

/// A file that is read in blocks.
pub(crate) struct Blocks {
    size: u64,
    file: Arc<dyn Fetch>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The least recently read block is first.
    blocks: VecDeque<Block>,
    /// The block that was read last.
    last: Option<u64>,
}

struct Block {
    number: u64,
    /// None until the answer is there.
    bytes: Option<Result<Bytes>>,
    _counted: Counted,
}

/// Counts a block while it is there.
struct Counted;

impl Counted {
    fn new() -> Self {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn place_of(&self, number: u64) -> Option<usize> {
        self.blocks.iter().position(|block| block.number == number)
    }
}

impl Blocks {
    /// Reads a file of some bytes.
    pub(crate) fn new(size: u64, file: impl Fetch) -> Self {
        Self {
            size,
            file: Arc::new(file),
            shared: Arc::default(),
        }
    }

    /// The bytes of a block, which is requested if it is not there.
    fn block(&self, number: u64) -> Result<Bytes> {
        let mut state = self.shared.lock();
        self.request(&mut state, number)?;
        // A read of the first bytes alone finds out the format.
        let is_in_order = number > 0 && state.last.is_some_and(|last| number.abs_diff(last) <= 1);
        state.last = Some(number);
        for ahead in (number + 1..=number + AHEAD).take_while(|_| is_in_order) {
            let is_there = ahead * BLOCK < self.size;
            if is_there && BLOCKS.load(Ordering::Relaxed) < MOST_BLOCKS {
                self.request(&mut state, ahead)?;
            }
        }
        loop {
            // Another thread may have dropped it to make room.
            let Some(place) = state.place_of(number) else {
                self.request(&mut state, number)?;
                continue;
            };
            match &state.blocks[place].bytes {
                Some(Ok(bytes)) => {
                    let bytes = bytes.clone();
                    if let Some(block) = state.blocks.remove(place) {
                        state.blocks.push_back(block);
                    }
                    return Ok(bytes);
                }
                Some(Err(error)) => {
                    let error = error.clone();
                    state.blocks.remove(place);
                    return Err(error);
                }
                None => {
                    let waited = self.shared.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Requests a block, unless it is there or on its way. Makes room for it.
    fn request(&self, state: &mut State, number: u64) -> Result<()> {
        if state.place_of(number).is_some() {
            return Ok(());
        }
        while state.blocks.len() >= KEPT {
            let Some(oldest) = state.blocks.iter().position(|it| it.bytes.is_some()) else {
                break;
            };
            state.blocks.remove(oldest);
        }
        state.blocks.push_back(Block {
            number,
            bytes: None,
            _counted: Counted::new(),
        });
        let from = number * BLOCK;
        let request = self.file.fetch(from..(from + BLOCK).min(self.size));
        let shared = self.shared.clone();
        runtime()?.spawn(async move {
            let bytes = request.await;
            let mut state = shared.lock();
            if let Some(place) = state.place_of(number) {
                state.blocks[place].bytes = Some(bytes);
            }
            drop(state);
            shared.changed.notify_all();
        });
        Ok(())
    }
}

impl ReadAt for Blocks {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() && at + (filled as u64) < self.size {
            let at = at + filled as u64;
            let block = self.block(at / BLOCK).map_err(io::Error::other)?;
            let rest = block.get((at % BLOCK) as usize..).unwrap_or_default();
            if rest.is_empty() {
                // The file became shorter.
                break;
            }
            let bytes = rest.len().min(into.len() - filled);
            into[filled..filled + bytes].copy_from_slice(&rest[..bytes]);
            filled += bytes;
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use keymill::{Error, ErrorKind};

    use super::*;

    /// A byte is a function of its position. The first request of some blocks fails.
    struct Bytewise {
        requests: Arc<AtomicU64>,
        fails: bool,
    }

    fn byte(at: u64) -> u8 {
        (at ^ (at >> 11) ^ (at >> 22)) as u8
    }

    impl Fetch for Bytewise {
        fn fetch(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = Result<Bytes>> + Send>> {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            let fails = self.fails && number == 2;
            Box::pin(async move {
                tokio::time::sleep(std::time::Duration::from_millis(number % 3)).await;
                match fails {
                    true => Err(Error::new(ErrorKind::Unavailable, "away")),
                    false => Ok(range.map(byte).collect()),
                }
            })
        }
    }

    #[test]
    fn threads_read_the_bytes_of_a_file_in_any_order_with_bounded_memory() {
        let size = 9 * BLOCK + 1234;
        let requests = Arc::new(AtomicU64::new(0));
        let file = Bytewise {
            requests: requests.clone(),
            fails: false,
        };
        let blocks = Blocks::new(size, file);
        std::thread::scope(|threads| {
            for thread in 0..3 {
                let blocks = &blocks;
                threads.spawn(move || {
                    let mut buffer = vec![0; 700_001];
                    let mut at = thread * 1_000_003;
                    while at < size {
                        let read = blocks.read_at(&mut buffer, at).unwrap();
                        assert_eq!(read as u64, (size - at).min(buffer.len() as u64));
                        assert!((0..read).all(|i| buffer[i] == byte(at + i as u64)));
                        at += 2_000_000;
                    }
                });
            }
        });
        assert!(blocks.shared.lock().blocks.len() <= KEPT);
        assert!(requests.load(Ordering::Relaxed) >= 10);
        assert_eq!(blocks.read_at(&mut [0; 9], size).unwrap(), 0);
    }

    #[test]
    fn a_failed_request_is_an_error_once() {
        let file = Bytewise {
            requests: Arc::default(),
            fails: true,
        };
        let blocks = Blocks::new(3 * BLOCK, file);
        let mut buffer = vec![0; 3 * BLOCK as usize];
        let error = blocks.read_at(&mut buffer, 0).unwrap_err();
        let error = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(blocks.read_at(&mut buffer, 0).unwrap(), buffer.len());
        assert!((0..buffer.len()).all(|i| buffer[i] == byte(i as u64)));
    }
}
