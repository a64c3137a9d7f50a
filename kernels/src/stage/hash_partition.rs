//! `hash_partition`: which partition each row belongs to, and the rows in partition order.
//!
//! ```text
//! key         c  a  b  a  c        partition   0       1
//! partition   1  0  0  0  1   ──▶  rows        1 2 3 | 0 4      starts 0 3 5
//! ```
#![forbid(unsafe_code)]

use crate::key_counts::{KeyClass, class_of};
use crate::stable_hash::{hash_bytes, hash_mid, hash_short, hash_u32s, hash_u64s, partition_of};
use crate::{HashSeed, Level};

/// Rows that are hashed before their partitions are taken: a few arrays of these stay in L1.
const TILE: usize = 512;

/// The most partitions there can be.
pub const MOST_PARTITIONS: usize = 1 << 16;

/// Deals rows out to partitions by the stable hash of their keys.
///
/// # Examples
///
/// ```
/// use keymill_kernels::stage::hash_partition::{HashPartition, Partitioned};
/// use keymill_kernels::{HashSeed, Level};
///
/// let mut partition = HashPartition::new(Level::best(), HashSeed(7), 3);
/// let mut rows = Partitioned::default();
/// partition.bytes(b"toBeornotto", &[0u32, 2, 4, 6, 9, 11], &mut rows);
/// assert_eq!(rows.partitions()[0], rows.partitions()[4]);
/// assert_eq!(rows.starts().last(), Some(&5));
///
/// let (mut numbers, mut at) = (Vec::new(), rows.partitions()[0] as usize);
/// rows.gather(&[10, 11, 12, 13, 14], &mut numbers);
/// let first = &numbers[rows.starts()[at]..rows.starts()[at + 1]];
/// assert!(first.contains(&10) && first.contains(&14));
/// ```
#[derive(Debug)]
pub struct HashPartition {
    level: Level,
    seed: HashSeed,
    partitions: u32,
    hashes: Vec<u64>,
    short: Class<u64>,
    mid: Class<[u64; 2]>,
}

/// Keys of one class of length, the rows that they are of, and their hashes.
#[derive(Debug, Default)]
struct Class<K> {
    keys: Vec<K>,
    rows: Vec<u16>,
    hashes: Vec<u64>,
}

/// Rows by partition: the buffers belong to the caller, who uses them again for the next batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitioned {
    partitions: Vec<u16>,
    starts: Vec<usize>,
    rows: Vec<u32>,
    next: Vec<usize>,
}

impl HashPartition {
    /// Makes a stage that deals out to `partitions`, any number from 1 to 65,536.
    ///
    /// # Panics
    ///
    /// When there are no partitions or more than [`MOST_PARTITIONS`].
    #[must_use]
    pub fn new(level: Level, seed: HashSeed, partitions: usize) -> Self {
        assert!(
            (1..=MOST_PARTITIONS).contains(&partitions),
            "{partitions} partitions; there are 1 to {MOST_PARTITIONS}"
        );
        Self {
            level,
            seed,
            partitions: partitions as u32,
            hashes: vec![0; TILE],
            short: Class::default(),
            mid: Class::default(),
        }
    }

    /// Deals out rows with a 64-bit key each.
    ///
    /// # Panics
    ///
    /// When there are more than 2³² rows.
    pub fn u64s(&mut self, keys: &[u64], out: &mut Partitioned) {
        out.begin(keys.len());
        for keys in keys.chunks(TILE) {
            let hashes = &mut self.hashes[..keys.len()];
            hash_u64s(self.level, self.seed, keys, hashes);
            out.extend(self.partitions, hashes);
        }
        out.finish(self.partitions);
    }

    /// Deals out rows with a 32-bit key each.
    ///
    /// # Panics
    ///
    /// When there are more than 2³² rows.
    pub fn u32s(&mut self, keys: &[u32], out: &mut Partitioned) {
        out.begin(keys.len());
        for keys in keys.chunks(TILE) {
            let hashes = &mut self.hashes[..keys.len()];
            hash_u32s(self.level, self.seed, keys, hashes);
            out.extend(self.partitions, hashes);
        }
        out.finish(self.partitions);
    }

    /// Deals out rows whose keys were hashed by the caller, with the stable hash and the stage's seed.
    ///
    /// # Panics
    ///
    /// When there are more than 2³² rows.
    pub fn hashed(&mut self, hashes: &[u64], out: &mut Partitioned) {
        out.begin(hashes.len());
        out.extend(self.partitions, hashes);
        out.finish(self.partitions);
    }

    /// Deals out rows with a key of bytes each: row `i` has `bytes[offsets[i]..offsets[i + 1]]`.
    ///
    /// # Panics
    ///
    /// When offsets descend or reach beyond the bytes, or there are more than 2³² rows.
    pub fn bytes<O: Copy + Into<u64>>(
        &mut self,
        bytes: &[u8],
        offsets: &[O],
        out: &mut Partitioned,
    ) {
        let rows = offsets.len().saturating_sub(1);
        out.begin(rows);
        for first in (0..rows).step_by(TILE) {
            let last = rows.min(first + TILE);
            self.hash_spans(bytes, &offsets[first..=last]);
            out.extend(self.partitions, &self.hashes[..last - first]);
        }
        out.finish(self.partitions);
    }

    /// Hashes a tile of spans: short keys side by side, the others one by one.
    fn hash_spans<O: Copy + Into<u64>>(&mut self, bytes: &[u8], offsets: &[O]) {
        for (row, ends) in offsets.windows(2).enumerate() {
            let [start, end] = [ends[0], ends[1]].map(|end| end.into() as usize);
            let key = &bytes[start..end];
            match class_of(key) {
                KeyClass::Short(word) => self.short.push(word, row),
                KeyClass::Mid(words) => self.mid.push(words, row),
                KeyClass::Empty | KeyClass::Long => {
                    self.hashes[row] = hash_bytes(self.seed, key);
                }
            }
        }
        let (level, seed) = (self.level, self.seed);
        self.short.hash(&mut self.hashes, |keys, out| {
            hash_short(level, seed, keys, out)
        });
        self.mid.hash(&mut self.hashes, |keys, out| {
            hash_mid(level, seed, keys, out)
        });
    }
}

impl<K> Class<K> {
    fn push(&mut self, key: K, row: usize) {
        self.keys.push(key);
        self.rows.push(row as u16);
    }

    /// Hashes the keys, puts each hash in its row's place and forgets the keys.
    fn hash(&mut self, hashes: &mut [u64], hash: impl FnOnce(&[K], &mut [u64])) {
        self.hashes.resize(self.keys.len(), 0);
        hash(&self.keys, &mut self.hashes);
        for (&row, &hash) in self.rows.iter().zip(&self.hashes) {
            hashes[usize::from(row)] = hash;
        }
        self.keys.clear();
        self.rows.clear();
    }
}

impl Partitioned {
    /// The partition of each row.
    #[must_use]
    pub fn partitions(&self) -> &[u16] {
        &self.partitions
    }

    /// Where each partition begins in [`Partitioned::rows`], and where the last one ends.
    #[must_use]
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// The rows' numbers by partition, ascending within each.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The numbers of one partition's rows, ascending.
    ///
    /// # Panics
    ///
    /// When there is no such partition.
    #[must_use]
    pub fn rows_of(&self, partition: usize) -> &[u32] {
        &self.rows[self.starts[partition]..self.starts[partition + 1]]
    }

    /// How many rows each partition has.
    pub fn histogram(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.windows(2).map(|ends| ends[1] - ends[0])
    }

    /// Puts a column of the rows into partition order.
    ///
    /// # Panics
    ///
    /// When the column has not as many values as there are rows.
    pub fn gather<T: Copy>(&self, column: &[T], out: &mut Vec<T>) {
        assert_eq!(column.len(), self.rows.len(), "one value for each row");
        out.clear();
        out.extend(self.rows.iter().map(|&row| column[row as usize]));
    }

    /// Appends a column of the rows to those of their partitions, each in the order they came.
    ///
    /// ```text
    /// column       c a b A C      columns[0]  … a b A
    /// partitions   1 0 0 0 1      columns[1]  … c C
    /// ```
    ///
    /// # Panics
    ///
    /// When the column has not as many values as there are rows, or there is not one column for each
    /// partition.
    pub fn append_to<T: Copy>(&self, column: &[T], columns: &mut [Vec<T>]) {
        assert_eq!(column.len(), self.rows.len(), "one value for each row");
        assert_eq!(
            columns.len() + 1,
            self.starts.len(),
            "one column for each partition"
        );
        for (ends, out) in self.starts.windows(2).zip(columns) {
            let rows = &self.rows[ends[0]..ends[1]];
            out.extend(rows.iter().map(|&row| column[row as usize]));
        }
    }

    fn begin(&mut self, rows: usize) {
        assert!(
            u32::try_from(rows).is_ok(),
            "{rows} rows; a batch has less than 2^32"
        );
        self.partitions.clear();
        self.partitions.reserve(rows);
    }

    fn extend(&mut self, partitions: u32, hashes: &[u64]) {
        let partitions = hashes
            .iter()
            .map(|&hash| partition_of(hash, partitions) as u16);
        self.partitions.extend(partitions);
    }

    /// Counts the rows of each partition and sorts them, each partition's in the order they came.
    fn finish(&mut self, partitions: u32) {
        self.next.clear();
        self.next.resize(partitions as usize, 0);
        for &partition in &self.partitions {
            self.next[usize::from(partition)] += 1;
        }
        self.starts.clear();
        self.starts.push(0);
        let mut start = 0;
        for next in &mut self.next {
            (*next, start) = (start, start + *next);
            self.starts.push(start);
        }
        self.rows.resize(self.partitions.len(), 0);
        for (row, &partition) in self.partitions.iter().enumerate() {
            let next = &mut self.next[usize::from(partition)];
            self.rows[*next] = row as u32;
            *next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oracle;

    fn check(stage: &mut HashPartition, rows: &Partitioned, hashes: &[u64]) {
        let partitions = stage.partitions as usize;
        let expected = oracle::hash_partition(hashes, partitions);
        assert_eq!(rows.histogram().sum::<usize>(), hashes.len());
        assert_eq!(rows.histogram().count(), partitions);
        for (partition, expected) in expected.iter().enumerate() {
            assert_eq!(rows.rows_of(partition), expected, "{stage:?}");
        }
        let mut columns = vec![vec![7]; partitions];
        rows.append_to(hashes, &mut columns);
        // Every value after what was there.
        for (column, expected) in columns.iter().zip(&expected) {
            let values = expected.iter().map(|&row| hashes[row as usize]);
            assert!(column.iter().copied().eq([7].into_iter().chain(values)));
        }
        let mut gathered = vec![1];
        rows.gather(hashes, &mut gathered);
        for (partition, ends) in rows.starts().windows(2).enumerate() {
            for &hash in &gathered[ends[0]..ends[1]] {
                assert_eq!(partition_of(hash, partitions as u32), partition as u32);
            }
        }
    }

    fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(0u8), any::<u8>()];
        let key = prop_oneof![
            proptest::collection::vec(byte.clone(), 0..20),
            proptest::collection::vec(byte, 0..400),
        ];
        proptest::collection::vec(key, 0..if cfg!(miri) { 20 } else { 1200 })
    }

    fn partitions() -> impl Strategy<Value = usize> {
        prop_oneof![
            1usize..20,
            Just(256),
            Just(MOST_PARTITIONS),
            1..=MOST_PARTITIONS
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 24 }))]

        #[test]
        fn rows_go_where_the_oracle_says(keys in keys(), p in partitions(), seed in any::<u64>()) {
            let seed = HashSeed(seed);
            let mut offsets = vec![0u32];
            offsets.extend(keys.iter().scan(0, |end, key| {
                *end += key.len() as u32;
                Some(*end)
            }));
            let wide: Vec<u64> = offsets.iter().map(|&offset| offset.into()).collect();
            let hash = |bytes: &[u8]| hash_bytes(seed, bytes);
            let mut rows = Partitioned::default();
            for level in Level::available() {
                let mut stage = HashPartition::new(level, seed, p);
                let hashes: Vec<u64> = keys.iter().map(|key| hash(key)).collect();
                stage.bytes(&keys.concat(), &offsets, &mut rows);
                check(&mut stage, &rows, &hashes);
                stage.hashed(&hashes, &mut rows);
                check(&mut stage, &rows, &hashes);
                let hashes: Vec<u64> = wide.iter().map(|key| hash(&key.to_le_bytes())).collect();
                stage.u64s(&wide, &mut rows);
                check(&mut stage, &rows, &hashes);
                let hashes: Vec<u64> = offsets.iter().map(|key| hash(&key.to_le_bytes())).collect();
                stage.u32s(&offsets, &mut rows);
                check(&mut stage, &rows, &hashes);
            }
        }
    }

    /// Different keys that all belong to one partition, found by looking: the stable hash is the
    /// same everywhere, so that it has no mask which would make them collide.
    fn sharing(seed: HashSeed, partitions: u32, home: u32, wanted: usize) -> Vec<u64> {
        let mut hashes = [0; TILE];
        let tiles = (0u64..).map(|tile| {
            let keys: Vec<u64> = (0..TILE as u64)
                .map(|key| tile * TILE as u64 + key)
                .collect();
            hash_u64s(Level::best(), seed, &keys, &mut hashes);
            let both = keys.into_iter().zip(hashes);
            let at_home = both.filter(|(_, hash)| partition_of(*hash, partitions) == home);
            at_home.map(|(key, _)| key).collect::<Vec<u64>>()
        });
        tiles.flatten().take(wanted).collect()
    }

    #[test]
    fn keys_that_all_share_a_partition_stay_in_order() {
        let seed = HashSeed(7);
        let most = MOST_PARTITIONS as u32;
        let wanted = if cfg!(miri) { 4 } else { 3000 };
        let cases = [
            (256, 0),
            (256, 255),
            (1000, 517),
            (most, 0),
            (most, most - 1),
        ];
        for (p, home) in cases.into_iter().take(if cfg!(miri) { 2 } else { 5 }) {
            // Rarer homes are looked for longer.
            let keys = sharing(seed, p, home, wanted.min(100_000_000 / p as usize));
            let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
            let offsets: Vec<u32> = (0..=keys.len() as u32).map(|row| row * 8).collect();
            let hash = |key: &u64| hash_bytes(seed, &key.to_le_bytes());
            let hashes: Vec<u64> = keys.iter().map(hash).collect();
            let in_order: Vec<u32> = (0..keys.len() as u32).collect();
            let mut rows = Partitioned::default();
            for level in Level::available() {
                let mut stage = HashPartition::new(level, seed, p as usize);
                stage.u64s(&keys, &mut rows);
                assert_eq!(rows.rows_of(home as usize), in_order, "{level} {p} {home}");
                check(&mut stage, &rows, &hashes);
                stage.bytes(&bytes, &offsets, &mut rows);
                assert_eq!(rows.rows_of(home as usize), in_order, "{level} {p} {home}");
                check(&mut stage, &rows, &hashes);
            }
        }
    }

    #[test]
    fn no_rows_leave_empty_partitions() {
        let mut rows = Partitioned::default();
        let mut stage = HashPartition::new(Level::best(), HashSeed(0), 5);
        stage.u64s(&[1, 2, 3], &mut rows);
        stage.bytes::<u32>(b"", &[], &mut rows);
        assert_eq!(rows.starts(), [0; 6]);
        assert!(rows.rows().is_empty() && rows.partitions().is_empty());
    }

    #[test]
    #[should_panic(expected = "65537 partitions")]
    fn too_many_partitions_are_refused() {
        let _ = HashPartition::new(Level::Scalar, HashSeed(0), MOST_PARTITIONS + 1);
    }
}
