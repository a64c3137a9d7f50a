//! What a device answers: decoded, completed by what it spilled, and checked.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::hash::RandomState;

use keymill_shaders::{ReduceByKeySummary, ReducedGroup};

use super::group::Group;
use super::rows::Keyed;
use crate::device::Fault;

/// What groups have together, and so have the rows that they were made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    rows: u64,
    /// The sum of the marks of all rows' keys, as far as 64 bits go.
    keys: u64,
    values: i128,
    /// The sum of each value times its key's mark, as far as 64 bits go: values that went to
    /// another key are missed here, where nothing else would miss them.
    products: u64,
    min: i64,
    max: i64,
}

impl Tally {
    const NOTHING: Self = Self {
        rows: 0,
        keys: 0,
        values: 0,
        products: 0,
        min: i64::MAX,
        max: i64::MIN,
    };

    fn of_rows<R: Keyed>(rows: R, hash_key: &RandomState) -> Self {
        let mut tally = Self::NOTHING;
        for (row, &value) in rows.values().iter().enumerate() {
            tally.add(1, R::mark(rows.key(row), hash_key), value.into());
            tally.min = tally.min.min(value);
            tally.max = tally.max.max(value);
        }
        tally
    }

    fn of_groups<R: Keyed>(groups: &[Group<R::Key>], hash_key: &RandomState) -> Self {
        let mut tally = Self::NOTHING;
        for group in groups {
            tally.add(group.count, R::mark(group.key, hash_key), group.sum);
            tally.min = tally.min.min(group.min);
            tally.max = tally.max.max(group.max);
        }
        tally
    }

    /// Takes in rows of one key.
    fn add(&mut self, rows: u64, mark: u64, values: i128) {
        self.rows += rows;
        self.keys = self.keys.wrapping_add(mark.wrapping_mul(rows));
        self.values += values;
        let products = mark.wrapping_mul(values as u64);
        self.products = self.products.wrapping_add(products);
    }
}

fn wrong(what: String) -> Fault {
    Fault::NotConserved(format!("reduce_by_key, {what}"))
}

/// Checks what came back against what is known without the device.
pub(super) fn read<R: Keyed>(
    run: u32,
    rows: R,
    longest: u32,
    downloads: &[Vec<u8>],
) -> Result<Vec<Group<R::Key>>, Fault> {
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
    let mut groups = decode(rows, longest, &records)?;
    groups.sort_unstable_by_key(|group| group.key);
    check_groups(&groups)?;
    merge(&mut groups, reduce_spilled(rows, spill)?);
    let hash_key = RandomState::new();
    let found = Tally::of_groups::<R>(&groups, &hash_key);
    let expected = Tally::of_rows(rows, &hash_key);
    if found != expected {
        return Err(wrong(format!("{found:?} in groups of {expected:?}")));
    }
    Ok(groups)
}

fn decode<R: Keyed>(
    rows: R,
    longest: u32,
    records: &[ReducedGroup],
) -> Result<Vec<Group<R::Key>>, Fault> {
    let group = |record: &ReducedGroup| {
        let key = rows.key_of(record, longest);
        let key = key.ok_or_else(|| wrong(format!("no row has the key of {record:?}")))?;
        Ok(Group::decode(key, record))
    };
    records.iter().map(group).collect()
}

/// Every key has one record, and each is one that values can make.
fn check_groups<K: Ord + Debug>(groups: &[Group<K>]) -> Result<(), Fault> {
    if let Some(twice) = groups.windows(2).find(|two| two[0].key == two[1].key) {
        let key = &twice[0].key;
        return Err(wrong(format!("key {key:?} has two records")));
    }
    match groups.iter().find(|group| !group.is_possible()) {
        Some(group) => Err(wrong(format!("no values make {group:?}"))),
        None => Ok(()),
    }
}

/// Reduces on the CPU the rows that found no slot, or were not looked at.
fn reduce_spilled<R: Keyed>(rows: R, mut spill: Vec<u32>) -> Result<Vec<Group<R::Key>>, Fault> {
    spill.sort_unstable();
    let is_there = |row: &u32| (*row as usize) < rows.keys();
    if !spill.is_sorted_by(|one, next| one < next) || !spill.last().is_none_or(is_there) {
        return Err(wrong(
            "rows were spilled twice, or are not there".to_owned(),
        ));
    }
    Ok(rows.reduce(&spill))
}

/// Takes in groups, of which keys may be there already.
fn merge<K: Copy + Ord>(groups: &mut Vec<Group<K>>, others: Vec<Group<K>>) {
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
mod tests;
