//! A log of web visits: `site,count`.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::decimal::Decimal;
use crate::ranks::{Ranks, Skew};
use crate::registry::Generator;
use crate::rng::Rng;
use crate::words::{Lengths, Words};

const LENGTHS: Lengths = Lengths {
    min: 2,
    mean: 8,
    max: 20,
};

/// Lines `site,count`. Sites are Zipf-distributed. Counts are from 1 to 65,536, and small counts
/// are much more frequent.
///
/// ```text
/// kzwhyo.example,3\n
/// ab.example,1\n
/// kzwhyo.example,118\n
/// ```
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Visits};
///
/// let mut out = Vec::new();
/// Visits { sites: 50, ..Visits::DEFAULT }.write_to(1000, &mut out)?;
/// for line in String::from_utf8_lossy(&out).lines() {
///     let (site, count) = line.split_once(',').ok_or(std::io::ErrorKind::InvalidData)?;
///     assert!(site.ends_with(".example") && count.parse::<u32>().is_ok_and(|n| n >= 1));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visits {
    /// Seed of the sites and visits.
    pub seed: u64,
    /// Number of different sites; 0 is treated as 1.
    pub sites: u32,
    /// How much more frequent the first sites are than the last.
    pub skew: Skew,
}

impl Visits {
    /// 100,000 sites with the exponent 1.
    pub const DEFAULT: Self = Self {
        seed: 1,
        sites: 100_000,
        skew: Skew::ONE,
    };
}

impl Default for Visits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Generator for Visits {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let sites = Words::new(self.seed, self.sites.max(1), LENGTHS, 0, b".example,")?;
        let ranks = Ranks::zipf(self.sites, self.skew);
        let mut rng = Rng::new(self.seed ^ 0x7669_7369);
        let mut blocks = Blocks::new(bytes, out);
        loop {
            let site = sites.get(ranks.draw(&mut rng));
            let count = Decimal::new(draw_count(&mut rng).into(), b'\n');
            if !blocks.push_parts(site, count.as_bytes())? {
                return blocks.finish();
            }
        }
    }
}

/// Draws a number from 1 to 2^16. Each width in bits is half as likely as the width below it.
fn draw_count(rng: &mut Rng) -> u32 {
    let random = rng.next_u64();
    let width = (random as u32 | 1 << 15).trailing_zeros() + 1;
    let below = (random >> 32) as u32 & ((1 << width) - 1);
    below + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_their_bounds() {
        let mut rng = Rng::new(1);
        let counts: Vec<u32> = (0..1_000_000).map(|_| draw_count(&mut rng)).collect();
        assert_eq!(counts.iter().min(), Some(&1));
        assert!(counts.iter().all(|&n| n <= 65_536) && counts.iter().any(|&n| n > 32_768));
    }
}
