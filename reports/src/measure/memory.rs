//! The rate of reading memory, which is an upper bound for the rate of counting.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::machine;
use crate::model::{MemoryRead, Spread};

/// Number of measured runs. One run before them is not measured.
const TIMES: usize = 7;

/// Reads a buffer with one thread and with all threads in turn.
pub(crate) fn read(buffer_bytes: usize) -> MemoryRead {
    // Not zeros, because a system may map all zero pages to one page.
    let buffer = vec![1u8; buffer_bytes];
    let threads = machine::threads();
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..=TIMES {
        one.push(rate(&buffer, 1));
        all.push(rate(&buffer, threads));
    }
    MemoryRead {
        buffer_bytes: buffer_bytes as u64,
        one_core: Spread::of(one.split_off(1)).unwrap_or_default(),
        all_cores: Spread::of(all.split_off(1)).unwrap_or_default(),
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
    }
}

/// Returns bytes per second, from the first start to the last end of a thread.
fn rate(buffer: &[u8], threads: usize) -> u64 {
    let part = buffer.len().div_ceil(threads).max(1);
    let ready = Barrier::new(buffer.chunks(part).len());
    let (starts, ends): (Vec<Instant>, Vec<Instant>) = thread::scope(|scope| {
        let readers: Vec<_> = buffer
            .chunks(part)
            .map(|part| {
                scope.spawn(|| {
                    ready.wait();
                    let start = Instant::now();
                    black_box(sum(part));
                    (start, Instant::now())
                })
            })
            .collect();
        let join = |reader: thread::ScopedJoinHandle<'_, _>| {
            reader.join().expect("adding up bytes does not panic")
        };
        readers.into_iter().map(join).unzip()
    });
    let started = starts.into_iter().min();
    let ended = ends.into_iter().max();
    let time = ended.zip(started).map(|(end, start)| end - start);
    let seconds = time.map_or(1.0, |time| time.as_secs_f64()).max(1e-9);
    (buffer.len() as f64 / seconds) as u64
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read() {
        assert_eq!(sum(&[1; 16]), 2 * 0x0101_0101_0101_0101);
    }

    #[test]
    fn the_first_run_is_not_measured() {
        let read = read(1 << 20);
        assert_eq!((read.one_core.runs, read.all_cores.runs), (7, 7));
        assert!(read.one_core.min > 0 && read.one_core.median <= read.one_core.max);
    }
}
