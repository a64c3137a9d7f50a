//! A fixed loop, by which the reports of two runs can be compared.
//!
//! A processor that changes its clock, or shares its cores with other programs, changes the time of this
//! loop as it changes all other times. So the loop must never change.

use std::hint::black_box;
use std::time::Instant;

/// Bytes that the loop hashes. They stay in the caches.
const BYTES: usize = 256 << 10;

/// Number of measured runs. One run before them is not measured.
const TIMES: usize = 15;

/// Returns the times of the loop in nanoseconds.
pub(crate) fn times() -> Vec<u64> {
    let bytes: Vec<u8> = (0..BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let mut times: Vec<u64> = (0..=TIMES).map(|_| time(&bytes)).collect();
    times.split_off(1)
}

fn time(bytes: &[u8]) -> u64 {
    let start = Instant::now();
    black_box(hash(black_box(bytes)));
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The FNV-1a hash. Each step waits for the one before it, so compilers cannot make it faster.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of all versions are compared by this loop, so its work must stay the same.
    #[test]
    fn the_loop_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(times().len(), TIMES);
    }
}
