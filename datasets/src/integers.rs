//! Uniformly distributed numbers in decimal.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::decimal::Decimal;
use crate::registry::Generator;
use crate::rng::Rng;

const TOKENS_PER_LINE: u64 = 10;

/// Uniformly distributed numbers in decimal, from 0 up. They resemble identifiers. A cache of
/// frequent keys has no use for them, because no key is more frequent than another.
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Integers};
///
/// let mut out = Vec::new();
/// Integers { seed: 1, values: 1000 }.write_to(10_000, &mut out)?;
/// for number in String::from_utf8_lossy(&out).split_whitespace() {
///     assert!(number.parse::<u32>().is_ok_and(|number| number < 1000));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integers {
    /// Seed of the numbers.
    pub seed: u64,
    /// Number of different values; 0 is treated as 1.
    pub values: u64,
}

impl Generator for Integers {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let mut rng = Rng::new(self.seed ^ 0x696e_7465);
        let mut blocks = Blocks::new(bytes, out);
        for token in 1.. {
            let ends_line = token % TOKENS_PER_LINE == 0;
            let separator = if ends_line { b'\n' } else { b' ' };
            let number = Decimal::new(rng.below(self.values), separator);
            if !blocks.push(number.as_bytes())? {
                break;
            }
        }
        blocks.finish()
    }
}
