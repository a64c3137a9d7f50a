//! The table of the H2O group-by benchmark.

use std::io::{self, Write};

use crate::block::{Blocks, Written};
use crate::registry::Generator;
use crate::rng::Rng;

/// Lines `id1,id2,id3,id4,id5,id6,v1,v2,v3` after a header: three keys as texts, three as integers, two small
/// integers and a number with six digits after the point. Keys are uniform.
///
/// ```text
/// id1,id2,id3,id4,id5,id6,v1,v2,v3\n
/// id016,id046,id0000000007,5,45,2,2,11,55.103211\n
/// ```
///
/// # Examples
///
/// ```
/// use keymill_datasets::{Generator, H2o};
///
/// let mut out = Vec::new();
/// H2o { seed: 1, rows: 3, groups: 100 }.write_to(1 << 20, &mut out)?;
/// assert_eq!(String::from_utf8_lossy(&out).lines().count(), 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2o {
    /// Seed of the rows.
    pub seed: u64,
    /// Number of rows.
    pub rows: u64,
    /// Number of different small keys; there are `rows / groups` different large ones.
    pub groups: u64,
}

/// A row of [`H2o`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct H2oRow {
    /// The keys: two small and a large one as texts, two small and a large one as integers, all from 1.
    pub ids: [u64; 6],
    /// From 1 to 5.
    pub v1: u64,
    /// From 1 to 15.
    pub v2: u64,
    /// Millionths, below 100.
    pub v3: u64,
}

impl H2oRow {
    /// The text keys.
    #[must_use]
    pub fn texts(&self) -> [String; 3] {
        let [id1, id2, id3, ..] = self.ids;
        [
            format!("id{id1:03}"),
            format!("id{id2:03}"),
            format!("id{id3:010}"),
        ]
    }
}

impl H2o {
    /// Returns the rows.
    pub fn iter(&self) -> impl Iterator<Item = H2oRow> {
        let mut rng = Rng::new(self.seed ^ 0x6832_6f00);
        let small = self.groups.max(1);
        let large = (self.rows / small).max(1);
        (0..self.rows).map(move |_| {
            let mut key = |most: u64| 1 + rng.below(most);
            let ids = [small, small, large, small, small, large].map(&mut key);
            let (v1, v2) = (key(5), key(15));
            let v3 = rng.below(100_000_000);
            H2oRow { ids, v1, v2, v3 }
        })
    }
}

impl Generator for H2o {
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
        let mut blocks = Blocks::new(bytes, out);
        if !blocks.push(b"id1,id2,id3,id4,id5,id6,v1,v2,v3\n")? {
            return blocks.finish();
        }
        for row in self.iter() {
            let ([id1, id2, id3], [_, _, _, id4, id5, id6]) = (row.texts(), row.ids);
            let (v1, v2, whole, part) = (row.v1, row.v2, row.v3 / 1_000_000, row.v3 % 1_000_000);
            let line = format!("{id1},{id2},{id3},{id4},{id5},{id6},{v1},{v2},{whole}.{part:06}\n");
            if !blocks.push(line.as_bytes())? {
                break;
            }
        }
        blocks.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_depend_on_the_seed_only() {
        let set = |seed| H2o {
            seed,
            rows: 1000,
            groups: 10,
        };
        let rows: Vec<_> = set(1).iter().collect();
        assert_eq!(rows, set(1).iter().collect::<Vec<_>>());
        assert_ne!(rows, set(2).iter().collect::<Vec<_>>());
        for row in &rows {
            assert!(
                row.ids
                    .iter()
                    .zip([10, 10, 100, 10, 10, 100])
                    .all(|(id, most)| (1..=most).contains(id))
            );
            assert!(
                (1..=5).contains(&row.v1) && (1..=15).contains(&row.v2) && row.v3 < 100_000_000
            );
        }
    }
}
