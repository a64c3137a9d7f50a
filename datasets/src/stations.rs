//! The measurements of the One Billion Row challenge.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::registry::Generator;
use crate::rng::Rng;

/// Lines `station;temperature`. Names of stations have 1 to 100 bytes of any Unicode but control characters,
/// quotes and the semicolon; temperatures are from −99.9 to 99.9.
///
/// ```text
/// Ωж町🙂;-7.3\n
/// ```
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Stations};
///
/// let mut out = Vec::new();
/// Stations { seed: 1, stations: 413, rows: 3 }.write_to(1 << 20, &mut out)?;
/// assert_eq!(String::from_utf8_lossy(&out).lines().count(), 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stations {
    /// Seed of the names and temperatures.
    pub seed: u64,
    /// Number of different stations; 0 is treated as 1.
    pub stations: u64,
    /// Number of rows.
    pub rows: u64,
}

/// Ranges of code points that names are made of, of one to four bytes.
const RANGES: [(u32, u32); 6] = [
    (0x41, 0x7a),
    (0xc0, 0x17f),
    (0x3b1, 0x3c9),
    (0x430, 0x44f),
    (0x4e00, 0x9fa5),
    (0x1f600, 0x1f64f),
];

/// The longest name, in bytes.
const LONGEST: u64 = 100;

impl Stations {
    /// Returns the name of a station.
    #[must_use]
    pub fn name(&self, station: u64) -> String {
        let mut rng = Rng::new(self.seed ^ station.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // The number makes it unique.
        let mut name = station.to_string();
        let bytes = name.len() as u64 + rng.below(LONGEST - name.len() as u64 + 1);
        while (name.len() as u64) < bytes {
            let (first, last) = RANGES[rng.below(RANGES.len() as u64) as usize];
            let code = first + rng.below(u64::from(last - first) + 1) as u32;
            let next = char::from_u32(code).unwrap_or('x');
            if name.len() + next.len_utf8() > bytes as usize {
                break;
            }
            name.insert(0, next);
        }
        name
    }

    /// Returns the rows: the number of a station, and tenths of a degree.
    pub fn iter(&self) -> impl Iterator<Item = (u64, i64)> {
        let mut rng = Rng::new(self.seed ^ 0x3162_7263);
        let stations = self.stations.max(1);
        (0..self.rows).map(move |_| (rng.below(stations), rng.below(1999) as i64 - 999))
    }
}

impl Generator for Stations {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let names: Vec<_> = (0..self.stations.max(1)).map(|it| self.name(it)).collect();
        let mut blocks = Blocks::new(bytes, out);
        for (station, tenths) in self.iter() {
            let (name, sign) = (&names[station as usize], if tenths < 0 { "-" } else { "" });
            let (whole, part) = (tenths.abs() / 10, tenths.abs() % 10);
            if !blocks.push(format!("{name};{sign}{whole}.{part}\n").as_bytes())? {
                break;
            }
        }
        blocks.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_different_and_short() {
        let set = Stations {
            seed: 3,
            stations: 10_000,
            rows: 0,
        };
        let names: HashSet<_> = (0..10_000).map(|it| set.name(it)).collect();
        assert_eq!(names.len(), 10_000);
        assert!(
            names
                .iter()
                .all(|name| (1..=100).contains(&name.len()) && !name.contains([';', '"']))
        );
        assert!(names.iter().any(|name| name.len() == 100));
    }
}
