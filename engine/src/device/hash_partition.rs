//! `hash_partition` on a device: row numbers by partition, in ascending order within each.
#![forbid(unsafe_code)]

use arrow_buffer::Buffer;
use bytemuck::{bytes_of, cast_slice};
use keymill_kernels::HashSeed;
use keymill_kernels::stable_hash::{hash_bytes, partition_of};
use keymill_kernels::stage::hash_partition::MOST_PARTITIONS;
use keymill_shaders::{HashPartitionParams, PARTITION_DIGITS, PARTITION_TILE_ROWS, Stage};

use super::bindings::run_bound;
use super::recording::{BufferId, Extent, Recording};
use super::tokenize::next_run;
use super::{Device, Fault};

/// The maximum length of a key in bytes. The CPU handles longer keys.
pub(crate) const MAX_KEY_BYTES: usize = 4096;

/// The maximum number of rows, so that every position fits in 32 bits.
const MAX_ROWS: usize = 1 << 31;

/// Bytes of a word and of a row number.
const WORD_BYTES: u64 = 4;

/// The keys of the input rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a> {
    U32(&'a [u32]),
    U64(&'a [u64]),
    /// The key of row `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    Bytes {
        bytes: &'a [u8],
        offsets: &'a [u32],
    },
}

impl Keys<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::U32(keys) => keys.len(),
            Self::U64(keys) => keys.len(),
            Self::Bytes { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Returns the number of words of an integer key, and 0 for byte keys.
    fn words(&self) -> u32 {
        match self {
            Self::U32(_) => 1,
            Self::U64(_) => 2,
            Self::Bytes { .. } => 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::U32(keys) => cast_slice(keys),
            Self::U64(keys) => cast_slice(keys),
            Self::Bytes { bytes, .. } => bytes,
        }
    }

    fn offsets(&self) -> &[u32] {
        match self {
            Self::Bytes { offsets, .. } => offsets,
            Self::U32(_) | Self::U64(_) => &[],
        }
    }

    fn hash(&self, row: usize, seed: HashSeed) -> u64 {
        match self {
            Self::U32(keys) => hash_bytes(seed, &keys[row].to_le_bytes()),
            Self::U64(keys) => hash_bytes(seed, &keys[row].to_le_bytes()),
            Self::Bytes { bytes, offsets } => hash_bytes(
                seed,
                &bytes[offsets[row] as usize..offsets[row + 1] as usize],
            ),
        }
    }

    /// Returns the reason why no device can hash these keys, or `None` if one can.
    fn refusal(&self) -> Option<String> {
        if self.rows() > MAX_ROWS {
            return Some(format!(
                "{} rows at once; the limit is {MAX_ROWS}",
                self.rows()
            ));
        }
        let Self::Bytes { bytes, offsets } = self else {
            return None;
        };
        if offsets
            .last()
            .is_some_and(|last| *last as usize > bytes.len())
        {
            return Some("a key ends after the end of the bytes".to_owned());
        }
        for ends in offsets.windows(2) {
            match ends[1].checked_sub(ends[0]) {
                None => return Some("a key ends before it starts".to_owned()),
                Some(length) if length as usize > MAX_KEY_BYTES => {
                    return Some(format!(
                        "a key of {length} bytes; the limit is {MAX_KEY_BYTES}"
                    ));
                }
                Some(_) => {}
            }
        }
        None
    }
}

/// Row numbers grouped by partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionedRows {
    /// The start of each partition in `rows`, and the end of the last one.
    pub(crate) starts: Vec<usize>,
    /// Row numbers by partition, in ascending order within each.
    pub(crate) rows: Vec<u32>,
}

/// The input of one run.
#[derive(Clone, Copy, Debug)]
struct Input<'a> {
    run: u32,
    keys: Keys<'a>,
    seed: HashSeed,
    partitions: usize,
}

impl Input<'_> {
    fn params(&self, shift: u32) -> HashPartitionParams {
        let rows = self.keys.rows();
        HashPartitionParams {
            rows: rows as u32,
            key_words: self.keys.words(),
            partitions: self.partitions as u32,
            tiles: rows.div_ceil(PARTITION_TILE_ROWS) as u32,
            shift,
            seed_low: self.seed.0 as u32,
            seed_high: (self.seed.0 >> 32) as u32,
            run: self.run,
        }
    }

    /// Returns for each pass the position of its digit in the partition number.
    fn shifts(&self) -> &'static [u32] {
        if self.partitions > PARTITION_DIGITS {
            const { &[0, PARTITION_DIGITS.ilog2()] }
        } else {
            &[0]
        }
    }
}

/// Assigns rows to 1 to 65,536 partitions by the stable hash of their keys.
///
/// Refuses input that is larger than the device can bind, and keys longer than [`MAX_KEY_BYTES`].
pub(crate) fn run(
    device: &dyn Device,
    keys: Keys<'_>,
    seed: HashSeed,
    partitions: usize,
) -> Result<PartitionedRows, Fault> {
    if !(1..=MOST_PARTITIONS).contains(&partitions) {
        let message =
            format!("{partitions} partitions; the number must be from 1 to {MOST_PARTITIONS}");
        return Err(Fault::Refused(message));
    }
    if let Some(why) = keys.refusal() {
        return Err(Fault::Refused(why));
    }
    if keys.rows() == 0 {
        let (starts, rows) = (vec![0; partitions + 1], Vec::new());
        return Ok(PartitionedRows { starts, rows });
    }
    let input = Input {
        run: next_run(),
        keys,
        seed,
        partitions,
    };
    let downloads = run_bound(device, &record(&input))?;
    read(&input, &downloads)
}

/// Returns the hash of each key. Only the self-test uses it, to check all 64 bits.
pub(crate) fn hashes(
    device: &dyn Device,
    keys: Keys<'_>,
    seed: HashSeed,
) -> Result<Vec<u64>, Fault> {
    if let Some(why) = keys.refusal() {
        return Err(Fault::Refused(why));
    }
    let input = Input {
        run: next_run(),
        keys,
        seed,
        partitions: 1,
    };
    let mut recording = Recording::default();
    let params = recording.upload("params", bytes_of(&input.params(0)).to_vec());
    let staged = stage(&mut recording, &input);
    let bytes = keys.rows() as u64 * 2 * WORD_BYTES;
    let hashes = recording.buffer("hashes", bytes);
    let buffers = staged.bound(params, staged.no_order, hashes);
    let tiles = keys.rows().div_ceil(PARTITION_TILE_ROWS).max(1) as u32;
    recording.run(Stage::HashPartition, "hash_rows", &buffers, tiles);
    recording.download(staged.summary, Extent::Bytes(WORD_BYTES));
    recording.download(hashes, Extent::Bytes(bytes));
    let downloads = run_bound(device, &recording)?;
    check_run(&input, bytemuck::pod_read_unaligned(&downloads[0]))?;
    Ok(bytemuck::pod_collect_to_vec(&downloads[1]))
}

/// The buffers that every pass binds.
struct Staged {
    keys: BufferId,
    offsets: BufferId,
    /// The input order of the first pass, which reads none.
    no_order: BufferId,
    counts: BufferId,
    summary: BufferId,
}

impl Staged {
    fn bound(&self, params: BufferId, before: BufferId, rows: BufferId) -> [BufferId; 7] {
        let Self {
            keys,
            offsets,
            counts,
            summary,
            ..
        } = *self;
        [params, keys, offsets, before, counts, rows, summary]
    }
}

fn stage(recording: &mut Recording, input: &Input<'_>) -> Staged {
    let tiles = input.keys.rows().div_ceil(PARTITION_TILE_ROWS);
    let digits = input.partitions.min(PARTITION_DIGITS);
    let counts = (PARTITION_DIGITS + digits * tiles) as u64;
    Staged {
        keys: recording.upload("keys", Buffer::from(input.keys.bytes())),
        offsets: recording.upload(
            "offsets",
            Buffer::from(cast_slice::<_, u8>(input.keys.offsets())),
        ),
        no_order: recording.buffer("no order", 0),
        counts: recording.buffer("counts", counts * WORD_BYTES),
        summary: recording.buffer("summary", summary_bytes(input)),
    }
}

/// Returns the size of the run number and the histogram.
fn summary_bytes(input: &Input<'_>) -> u64 {
    (1 + input.partitions as u64) * WORD_BYTES
}

fn record(input: &Input<'_>) -> Recording {
    let mut recording = Recording::default();
    let params = |shift: &u32| bytes_of(&input.params(*shift)).to_vec();
    let shifts = input.shifts();
    let passes: Vec<BufferId> = shifts
        .iter()
        .map(|shift| recording.upload("params", params(shift)))
        .collect();
    let staged = stage(&mut recording, input);
    let bytes = input.keys.rows() as u64 * WORD_BYTES;
    let tiles = input.keys.rows().div_ceil(PARTITION_TILE_ROWS) as u32;
    let digits = input.partitions.min(PARTITION_DIGITS) as u32;
    let mut order = staged.no_order;
    for params in passes {
        let rows = recording.buffer("rows", bytes);
        let buffers = staged.bound(params, order, rows);
        recording.run(Stage::HashPartition, "count_digits", &buffers, tiles);
        recording.run(Stage::HashPartition, "scan_tiles", &buffers, digits);
        recording.run(Stage::HashPartition, "place_rows", &buffers, tiles);
        order = rows;
    }
    recording.download(staged.summary, Extent::Bytes(summary_bytes(input)));
    recording.download(order, Extent::Bytes(bytes));
    recording
}

fn wrong(what: String) -> Fault {
    Fault::NotConserved(format!("hash_partition, {what}"))
}

fn check_run(input: &Input<'_>, run: u32) -> Result<(), Fault> {
    if run == input.run {
        return Ok(());
    }
    let expected = input.run;
    Err(wrong(format!(
        "the result is of run {run}, not of run {expected}"
    )))
}

/// Checks the downloads against values that are known without the device.
fn read(input: &Input<'_>, downloads: &[Vec<u8>]) -> Result<PartitionedRows, Fault> {
    let summary: Vec<u32> = bytemuck::pod_collect_to_vec(&downloads[0]);
    let rows: Vec<u32> = bytemuck::pod_collect_to_vec(&downloads[1]);
    check_run(input, summary[0])?;
    let mut starts = vec![0];
    let mut start = 0;
    for &count in &summary[1..] {
        start += count as usize;
        starts.push(start);
    }
    let expected = input.keys.rows();
    if (start, rows.len()) != (expected, expected) {
        let listed = rows.len();
        return Err(wrong(format!(
            "{start} rows counted and {listed} listed of {expected}"
        )));
    }
    check_rows(input, &starts, &rows)?;
    Ok(PartitionedRows { starts, rows })
}

/// One row in this number is hashed again on the CPU.
const SAMPLE_STEP: usize = 64;

/// Checks that every row occurs once, that the rows of a partition ascend, and that sampled rows
/// belong to their partition: the first, the last, and one row in [`SAMPLE_STEP`].
fn check_rows(input: &Input<'_>, starts: &[usize], rows: &[u32]) -> Result<(), Fault> {
    let mut seen = vec![0u64; rows.len().div_ceil(64)];
    for (partition, ends) in starts.windows(2).enumerate() {
        let rows_of = &rows[ends[0]..ends[1]];
        if !rows_of.is_sorted_by(|one, next| one < next) {
            return Err(wrong(format!(
                "the rows of partition {partition} are not in ascending order"
            )));
        }
        for &row in rows_of {
            let bit = 1 << (row % 64);
            match seen.get_mut(row as usize / 64) {
                Some(word) if (row as usize) < rows.len() && *word & bit == 0 => *word |= bit,
                _ => {
                    return Err(wrong(format!(
                        "row {row} of {} is out of range or occurs twice",
                        rows.len()
                    )));
                }
            }
        }
        let between = (ends[0] + input.run as usize % SAMPLE_STEP..ends[1]).step_by(SAMPLE_STEP);
        let sampled = between.map(|place| rows[place]);
        for row in rows_of
            .first()
            .into_iter()
            .chain(rows_of.last())
            .copied()
            .chain(sampled)
        {
            let hash = input.keys.hash(row as usize, input.seed);
            let home = partition_of(hash, input.partitions as u32) as usize;
            if home != partition {
                return Err(wrong(format!(
                    "row {row} is in partition {partition}, but belongs to partition {home}"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::device::stub::Stub;

    const KEYS: [u64; 6] = [7, 3, 9, 7, 1 << 40, 3];

    fn input() -> Input<'static> {
        Input {
            run: 7,
            keys: Keys::U64(&KEYS),
            seed: HashSeed(5),
            partitions: 2,
        }
    }

    fn answer(run: u32, histogram: [u32; 2], rows: &[u32]) -> Vec<Vec<u8>> {
        let summary = [run, histogram[0], histogram[1]];
        vec![cast_slice(&summary).to_vec(), cast_slice(rows).to_vec()]
    }

    /// Returns the expected histogram and rows.
    fn right() -> ([u32; 2], Vec<u32>) {
        let hashes: Vec<u64> = (0..6)
            .map(|row| input().keys.hash(row, input().seed))
            .collect();
        let parts = keymill_kernels::oracle::hash_partition(&hashes, 2);
        let histogram = [parts[0].len() as u32, parts[1].len() as u32];
        assert!(histogram[0] > 1 && histogram[1] > 1, "{histogram:?}");
        (histogram, parts.concat())
    }

    #[test]
    fn damaged_results_are_detected() {
        let (histogram, rows) = right();
        let partitioned = read(&input(), &answer(7, histogram, &rows)).unwrap();
        assert_eq!((partitioned.starts[2], &partitioned.rows), (6, &rows));
        let changed = |change: fn(&mut Vec<u32>)| {
            let mut rows = rows.clone();
            change(&mut rows);
            rows
        };
        let [few, many] = histogram;
        for damaged in [
            answer(0, [0; 2], &[0; 6]),
            answer(7, histogram, &[0; 6]),
            answer(6, histogram, &rows),
            answer(7, [few, many - 1], &rows),
            answer(7, [few - 1, many + 1], &rows),
            answer(7, [many + few, 0], &[0, 1, 2, 3, 4, 5]),
            answer(7, histogram, &rows[..5]),
            answer(7, histogram, &changed(|rows| rows.swap(0, 1))),
            answer(7, histogram, &changed(|rows| rows.reverse())),
            answer(7, histogram, &changed(|rows| rows[5] = 6)),
            answer(7, histogram, &changed(|rows| rows[5] = 64)),
            answer(7, histogram, &changed(|rows| rows[1] = rows[0])),
        ] {
            let fault = read(&input(), &damaged).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
        }
    }

    #[test]
    fn input_beyond_the_limits_is_refused_with_the_reason() {
        let refused = |keys: Keys<'_>, partitions: usize| {
            let fault = run(
                &Stub::that_never_runs(1 << 16),
                keys,
                HashSeed(0),
                partitions,
            )
            .unwrap_err();
            assert!(matches!(fault, Fault::Refused(_)), "{fault}");
            fault.to_string()
        };
        assert!(refused(Keys::U32(&[1]), 0).contains("0 partitions"));
        assert!(refused(Keys::U32(&[1]), 65_537).contains("65537 partitions"));
        assert!(refused(Keys::U64(&[1; 8193]), 9).contains("bytes of keys at once"));
        let bytes = [b'x'; 5000];
        let of = |offsets| Keys::Bytes {
            bytes: &bytes,
            offsets,
        };
        assert!(refused(of(&[0, 4097]), 9).contains("a key of 4097 bytes"));
        assert!(refused(of(&[3, 2]), 9).contains("before it starts"));
        assert!(refused(of(&[3, 5001]), 9).contains("after the end of the bytes"));
    }
}
