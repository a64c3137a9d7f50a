//! Readings of weather stations, `station;temperature`, in the format of the one billion row
//! challenge.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::registry::Generator;
use crate::rng::Rng;
use crate::words::{Lengths, Words};

/// Names have up to 25 letters of up to 4 bytes, so at most 100 bytes.
const LENGTHS: Lengths = Lengths {
    min: 2,
    mean: 8,
    max: 25,
};
/// Absolute value of the highest and the lowest reading, in tenths of a degree.
const EXTREME: i32 = 999;

/// Lines `station;temperature` with one decimal from -99.9 to 99.9. All stations are equally
/// frequent.
///
/// The readings of a station have its own mean and a standard deviation of 10 degrees. One in a
/// thousand is uniform over the whole range.
///
/// ```text
/// hqmvv;-0.4\n
/// σιχτ;17.0\n
/// ```
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, Sensors};
///
/// let mut out = Vec::new();
/// Sensors { stations: 10, ..Sensors::DEFAULT }.write_to(1000, &mut out)?;
/// for line in String::from_utf8_lossy(&out).lines() {
///     let (_, reading) = line.split_once(';').ok_or(std::io::ErrorKind::InvalidData)?;
///     assert!(reading.parse::<f64>().is_ok_and(|t| t.abs() <= 99.9));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensors {
    /// Seed of the stations and readings.
    pub seed: u64,
    /// Number of stations; 0 is treated as 1.
    pub stations: u32,
    /// Number of station names with multi-byte letters, per thousand.
    pub multi_byte: u32,
}

impl Sensors {
    /// The number of stations of the challenge, 413, with other names. 10 % of the names are not
    /// ASCII.
    pub const DEFAULT: Self = Self {
        seed: 1,
        stations: 413,
        multi_byte: 100,
    };
}

impl Default for Sensors {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Generator for Sensors {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let stations = self.stations.max(1);
        let names = Words::new(self.seed, stations, LENGTHS, self.multi_byte, b";")?;
        let mut rng = Rng::new(self.seed ^ 0x7365_6E73);
        let means: Vec<i32> = (0..stations).map(|_| rng.below(601) as i32 - 200).collect();
        let endings: Vec<String> = (-EXTREME..=EXTREME).map(reading_and_newline).collect();
        let mut blocks = Blocks::new(bytes, out);
        loop {
            let station = rng.below(u64::from(stations)) as usize;
            let tenths = draw_tenths(means[station], &mut rng);
            let ending = endings[(tenths + EXTREME) as usize].as_bytes();
            if !blocks.push_parts(names.get(station), ending)? {
                return blocks.finish();
            }
        }
    }
}

/// Draws a reading. The sum of four random bytes is nearly normally distributed; 10 more bits
/// select the rare extremes.
fn draw_tenths(mean: i32, rng: &mut Rng) -> i32 {
    let random = rng.next_u64();
    if random >> 54 == 0 {
        return (((random & 0xFFFF_FFFF) * (2 * EXTREME as u64 + 1)) >> 32) as i32 - EXTREME;
    }
    let [a, b, c, d, ..] = random.to_le_bytes().map(i32::from);
    // The sum of the bytes has the mean 510 and the standard deviation 148.
    let noise = (a + b + c + d - 510) * 2 / 3;
    (mean + noise).clamp(-EXTREME, EXTREME)
}

fn reading_and_newline(tenths: i32) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}\n", tenths.abs() / 10, tenths.abs() % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn lines(sensors: Sensors, bytes: u64) -> Vec<(String, String)> {
        let mut out = Vec::new();
        sensors.write_to(bytes, &mut out).unwrap();
        let split = |line: &str| {
            line.split_once(';')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| split(line).unwrap())
            .collect()
    }

    #[test]
    fn readings_have_one_decimal() {
        let written = [-999, -10, -5, 0, 7, 123].map(reading_and_newline);
        assert_eq!(
            written,
            ["-99.9\n", "-1.0\n", "-0.5\n", "0.0\n", "0.7\n", "12.3\n"]
        );
    }

    #[test]
    fn all_stations_and_both_extremes_occur() {
        let mut rng = Rng::new(9);
        let drawn: BTreeSet<i32> = (0..8_000_000).map(|_| draw_tenths(100, &mut rng)).collect();
        assert_eq!((drawn.first(), drawn.last()), (Some(&-999), Some(&999)));
        let stations: BTreeSet<String> = lines(Sensors::DEFAULT, 200_000)
            .into_iter()
            .map(|(station, _)| station)
            .collect();
        assert_eq!(stations.len(), 413);
    }

    #[test]
    fn the_longest_of_ten_thousand_names_has_a_hundred_bytes() {
        let sensors = Sensors {
            stations: 10_000,
            multi_byte: 250,
            ..Sensors::DEFAULT
        };
        let longest = lines(sensors, 4_000_000)
            .iter()
            .map(|(station, _)| station.len())
            .max();
        assert_eq!(longest, Some(100));
    }
}
