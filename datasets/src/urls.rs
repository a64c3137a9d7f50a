//! URLs of web pages: long keys with common prefixes.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::decimal::Decimal;
use crate::ranks::{Ranks, Skew};
use crate::registry::Generator;
use crate::rng::Rng;
use crate::words::{Lengths, Words};

const HOSTS: u32 = 2000;
const FOLDERS: u32 = 20_000;
/// Maximum number of folders in a URL.
const MAX_FOLDERS: u64 = 4;

const LENGTHS: Lengths = Lengths {
    min: 3,
    mean: 8,
    max: 16,
};

/// One URL per line, 50 bytes on average: a host, one to four folders, a number.
///
/// ```text
/// https://kzwhyo.example/dfgd/ajwhbqkp/178301\n
/// ```
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Urls};
///
/// let mut out = Vec::new();
/// Urls { urls: 50, ..Urls::DEFAULT }.write_to(1000, &mut out)?;
/// for line in String::from_utf8_lossy(&out).lines() {
///     let (_, number) = line.rsplit_once('/').ok_or(std::io::ErrorKind::InvalidData)?;
///     assert!(line.starts_with("https://") && number.parse::<u32>().is_ok_and(|n| n < 50));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urls {
    /// Seed of the URLs and visits.
    pub seed: u64,
    /// Number of different URLs; 0 is treated as 1.
    pub urls: u32,
    /// How much more frequent the first URLs are than the last.
    pub skew: Skew,
}

impl Urls {
    /// 200,000 URLs, uniformly distributed.
    pub const DEFAULT: Self = Self {
        seed: 1,
        urls: 200_000,
        skew: Skew::EVEN,
    };
}

impl Default for Urls {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Generator for Urls {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let pages = Pages::new(self.seed)?;
        let ranks = Ranks::zipf(self.urls, self.skew);
        let mut rng = Rng::new(self.seed ^ 0x7572_6c73);
        let mut blocks = Blocks::new(bytes, out);
        let mut address = Vec::new();
        loop {
            pages.write(ranks.draw(&mut rng) as u64, &mut address);
            if !blocks.push(&address)? {
                return blocks.finish();
            }
        }
    }
}

/// The parts of URLs.
struct Pages {
    seed: u64,
    hosts: Words,
    folders: Words,
}

impl Pages {
    fn new(seed: u64) -> io::Result<Self> {
        Ok(Self {
            seed,
            hosts: Words::new(seed, HOSTS, LENGTHS, 0, b".example/")?,
            folders: Words::new(seed ^ 0x666f_6c64, FOLDERS, LENGTHS, 0, b"/")?,
        })
    }

    /// Writes the URL with this number. The number at its end makes it unique.
    fn write(&self, number: u64, address: &mut Vec<u8>) {
        let mut rng = Rng::new(self.seed ^ number << 8);
        address.clear();
        address.extend_from_slice(b"https://");
        address.extend_from_slice(self.hosts.get(rng.below(HOSTS.into()) as usize));
        for _ in 0..=rng.below(MAX_FOLDERS) {
            address.extend_from_slice(self.folders.get(rng.below(FOLDERS.into()) as usize));
        }
        address.extend_from_slice(Decimal::new(number, b'\n').as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn urls_are_long_and_all_of_them_occur() {
        let mut out = Vec::new();
        let urls = Urls {
            urls: 500,
            ..Urls::DEFAULT
        };
        urls.write_to(1 << 20, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let addresses: HashSet<&str> = text.lines().collect();
        assert_eq!(addresses.len(), 500);
        let mean = text.len() / text.lines().count();
        assert!((45..60).contains(&mean), "{mean}");
    }
}
