//! What a device answers: decoded, completed by what it spilled, and checked.
#![forbid(unsafe_code)]

use keymill_kernels::stage::reduce_by_key::{Count, Max, Min, Order, ReduceByKey, Sum};
use keymill_kernels::{Level, Limits, Secret};
use keymill_shaders::{ReduceByKeySummary, ReducedGroup};

use super::Rows;
use crate::device::Fault;

/// All that is known of the values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) key: u64,
    pub(crate) count: u64,
    /// Exact.
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl Group {
    fn decode(record: &ReducedGroup) -> Self {
        let wide = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let raised = u128::from(record.sum_2) << 64 | u128::from(wide(record.sum_1, record.sum_0));
        Self {
            key: wide(record.key_high, record.key_low),
            count: record.count.into(),
            // 2^63 was added to each value.
            sum: raised as i128 - (i128::from(record.count) << 63),
            min: wide(record.min_high, record.min_low) as i64,
            max: wide(record.max_high, record.max_low) as i64,
        }
    }

    fn take_in(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Whether there are such values at all.
    fn is_possible(&self) -> bool {
        let least = i128::from(self.count) * i128::from(self.min);
        let most = i128::from(self.count) * i128::from(self.max);
        let ends = i128::from(self.min) + i128::from(self.max);
        // One value is both ends, and two are the ends.
        let is_of_its_ends = match self.count {
            0 => false,
            1 => self.min == self.max,
            2 => self.sum == ends,
            _ => true,
        };
        is_of_its_ends && self.min <= self.max && (least..=most).contains(&self.sum)
    }
}

/// What groups have together, and so have the rows that they were made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    rows: u64,
    /// The sum of the keys of all rows, as far as 64 bits go.
    keys: u64,
    values: i128,
    min: i64,
    max: i64,
}

impl Tally {
    const NOTHING: Self = Self {
        rows: 0,
        keys: 0,
        values: 0,
        min: i64::MAX,
        max: i64::MIN,
    };

    fn of_rows(rows: Rows<'_>) -> Self {
        let mut tally = Self::NOTHING;
        for (&key, &value) in rows.keys.iter().zip(rows.values) {
            tally.rows += 1;
            tally.keys = tally.keys.wrapping_add(key);
            tally.values += i128::from(value);
            tally.min = tally.min.min(value);
            tally.max = tally.max.max(value);
        }
        tally
    }

    fn of_groups(groups: &[Group]) -> Self {
        let mut tally = Self::NOTHING;
        for group in groups {
            tally.rows += group.count;
            let keys = group.key.wrapping_mul(group.count);
            tally.keys = tally.keys.wrapping_add(keys);
            tally.values += group.sum;
            tally.min = tally.min.min(group.min);
            tally.max = tally.max.max(group.max);
        }
        tally
    }
}

fn wrong(what: String) -> Fault {
    Fault::NotConserved(format!("reduce_by_key, {what}"))
}

/// Checks what came back against what is known without the device.
pub(super) fn read(run: u32, rows: Rows<'_>, downloads: &[Vec<u8>]) -> Result<Vec<Group>, Fault> {
    let summary: ReduceByKeySummary = bytemuck::pod_read_unaligned(&downloads[0]);
    if summary.run != run {
        let other = summary.run;
        return Err(wrong(format!("run {other} answered, not {run}")));
    }
    let records: Vec<ReducedGroup> = bytemuck::pod_collect_to_vec(&downloads[1]);
    let spill: Vec<u32> = bytemuck::pod_collect_to_vec(&downloads[2]);
    let listed = (records.len(), spill.len());
    if listed != (summary.groups as usize, summary.spilled as usize) {
        return Err(wrong(format!("{listed:?} records and rows of {summary:?}")));
    }
    let mut groups: Vec<Group> = records.iter().map(Group::decode).collect();
    groups.sort_unstable_by_key(|group| group.key);
    check_groups(&groups)?;
    merge(&mut groups, reduce_spilled(rows, spill)?);
    let (found, expected) = (Tally::of_groups(&groups), Tally::of_rows(rows));
    if found != expected {
        return Err(wrong(format!("{found:?} in groups of {expected:?}")));
    }
    Ok(groups)
}

/// Every key has one record, and each is one that values can make.
fn check_groups(groups: &[Group]) -> Result<(), Fault> {
    if let Some(twice) = groups.windows(2).find(|two| two[0].key == two[1].key) {
        let key = twice[0].key;
        return Err(wrong(format!("key {key} has two records")));
    }
    match groups.iter().find(|group| !group.is_possible()) {
        Some(group) => Err(wrong(format!("no values make {group:?}"))),
        None => Ok(()),
    }
}

/// Reduces on the CPU the rows that found no slot; the groups ascend by key.
fn reduce_spilled(rows: Rows<'_>, mut spill: Vec<u32>) -> Result<Vec<Group>, Fault> {
    spill.sort_unstable();
    let is_there = |row: &u32| (*row as usize) < rows.keys.len();
    if !spill.is_sorted_by(|one, next| one < next) || !spill.last().is_none_or(is_there) {
        return Err(wrong(
            "rows were spilled twice, or are not there".to_owned(),
        ));
    }
    let keys: Vec<u64> = spill.iter().map(|&row| rows.keys[row as usize]).collect();
    let values: Vec<i64> = spill.iter().map(|&row| rows.values[row as usize]).collect();
    let mut reducer: ReduceByKey<u64, (Count, Sum, Min, Max)> =
        ReduceByKey::new(Level::best(), Limits::DEFAULT, Secret::random());
    reducer.update(&keys, &values);
    let mut groups = Vec::new();
    reducer.drain(Order::ByKey, |keys, outputs| {
        let both = keys.iter().zip(outputs);
        groups.extend(both.map(|(&key, &(count, sum, min, max))| Group {
            key,
            count,
            sum,
            min,
            max,
        }));
    });
    Ok(groups)
}

/// Takes in groups, of which keys may be there already.
fn merge(groups: &mut Vec<Group>, others: Vec<Group>) {
    if others.is_empty() {
        return;
    }
    groups.extend(others);
    groups.sort_by_key(|group| group.key);
    groups.dedup_by(|later, kept| {
        let is_same = later.key == kept.key;
        if is_same {
            kept.take_in(later);
        }
        is_same
    });
}

#[cfg(test)]
mod tests {
    use bytemuck::{Zeroable, bytes_of, cast_slice};

    use super::*;

    const ROWS: Rows<'static> = Rows {
        keys: &[7, 3, 7, 1 << 40],
        values: &[-1, 5, i64::MAX, 2],
    };

    fn record(key: u64, count: u32, sum: i128, min: i64, max: i64) -> ReducedGroup {
        let raised = (sum + (i128::from(count) << 63)) as u128;
        ReducedGroup {
            key_low: key as u32,
            key_high: (key >> 32) as u32,
            count,
            sum_0: raised as u32,
            sum_1: (raised >> 32) as u32,
            sum_2: (raised >> 64) as u32,
            min_low: min as u32,
            min_high: (min as u64 >> 32) as u32,
            max_low: max as u32,
            max_high: (max as u64 >> 32) as u32,
        }
    }

    /// Keys 7 and 3 as records; the last row is spilled.
    fn records() -> [ReducedGroup; 2] {
        let large = i128::from(i64::MAX) - 1;
        [record(7, 2, large, -1, i64::MAX), record(3, 1, 5, 5, 5)]
    }

    fn answer(run: u32, records: &[ReducedGroup], spill: &[u32]) -> Vec<Vec<u8>> {
        let summary = ReduceByKeySummary {
            groups: records.len() as u32,
            spilled: spill.len() as u32,
            run,
        };
        vec![
            bytes_of(&summary).to_vec(),
            cast_slice(records).to_vec(),
            cast_slice(spill).to_vec(),
        ]
    }

    #[test]
    fn records_and_spilled_rows_become_groups() {
        let groups = read(9, ROWS, &answer(9, &records(), &[3])).unwrap();
        let keys: Vec<u64> = groups.iter().map(|group| group.key).collect();
        assert_eq!(keys, [3, 7, 1 << 40]);
        assert_eq!(groups[1].sum, i128::from(i64::MAX) - 1);
        // A key may have a record and spilled rows too.
        let records = [record(7, 1, -1, -1, -1), records()[1]];
        assert_eq!(read(9, ROWS, &answer(9, &records, &[3, 2])), Ok(groups));
    }

    #[test]
    fn a_damaged_answer_is_caught() {
        let right = records();
        let changed = |change: fn(&mut ReducedGroup)| {
            let mut records = right;
            change(&mut records[0]);
            answer(9, &records, &[3])
        };
        let zeros = vec![vec![0; 12], vec![0; 80], vec![0; 4]];
        let mut shorter = answer(9, &right, &[3]);
        shorter[1].truncate(40);
        for damaged in [
            zeros,
            shorter,
            answer(9, &[ReducedGroup::zeroed(); 2], &[3]),
            answer(8, &right, &[3]),
            answer(9, &right[..1], &[3]),
            answer(9, &right, &[]),
            answer(9, &right, &[2]),
            answer(9, &right, &[4]),
            answer(9, &right, &[3, 3]),
            answer(9, &[right[0], right[0]], &[3]),
            changed(|group| group.key_low = 8),
            changed(|group| group.count = 1),
            changed(|group| group.sum_0 ^= 1),
            changed(|group| group.sum_2 += 1),
            changed(|group| group.min_low = 0),
            changed(|group| group.max_high = 0),
        ] {
            let fault = read(9, ROWS, &damaged).unwrap_err();
            assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
        }
    }
}
