//! Decodes the result of a device, adds the rows that it spilled, and checks the totals.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::hash::RandomState;

use keymill_shaders::{ReduceByKeySummary, ReducedGroup};

use super::group::Group;
use super::rows::KeyedRows;
use crate::device::Fault;

/// Totals that must be equal for the groups and for the input rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Totals {
    rows: u64,
    /// The sum of the key checksums of all rows, modulo 2⁶⁴.
    keys: u64,
    values: i128,
    /// The sum of value × key checksum, modulo 2⁶⁴. It detects values that were added to another
    /// key, which no other total detects.
    products: u64,
    min: i64,
    max: i64,
}

impl Totals {
    const EMPTY: Self = Self {
        rows: 0,
        keys: 0,
        values: 0,
        products: 0,
        min: i64::MAX,
        max: i64::MIN,
    };

    fn of_rows<R: KeyedRows>(rows: R, hash_key: &RandomState) -> Self {
        let mut totals = Self::EMPTY;
        for (row, &value) in rows.values().iter().enumerate() {
            totals.add(1, R::checksum(rows.key(row), hash_key), value.into());
            totals.min = totals.min.min(value);
            totals.max = totals.max.max(value);
        }
        totals
    }

    fn of_groups<R: KeyedRows>(groups: &[Group<R::Key>], hash_key: &RandomState) -> Self {
        let mut totals = Self::EMPTY;
        for group in groups {
            totals.add(group.count, R::checksum(group.key, hash_key), group.sum);
            totals.min = totals.min.min(group.min);
            totals.max = totals.max.max(group.max);
        }
        totals
    }

    /// Adds rows of one key.
    fn add(&mut self, rows: u64, checksum: u64, values: i128) {
        self.rows += rows;
        self.keys = self.keys.wrapping_add(checksum.wrapping_mul(rows));
        self.values += values;
        let products = checksum.wrapping_mul(values as u64);
        self.products = self.products.wrapping_add(products);
    }
}

fn wrong(what: String) -> Fault {
    Fault::NotConserved(format!("reduce_by_key, {what}"))
}

/// Checks the downloads against values that are known without the device.
pub(super) fn read<R: KeyedRows>(
    run: u32,
    rows: R,
    longest: u32,
    downloads: &[Vec<u8>],
) -> Result<Vec<Group<R::Key>>, Fault> {
    let summary: ReduceByKeySummary = bytemuck::pod_read_unaligned(&downloads[0]);
    if summary.run != run {
        let other = summary.run;
        return Err(wrong(format!(
            "the result is of run {other}, not of run {run}"
        )));
    }
    let records: Vec<ReducedGroup> = bytemuck::pod_collect_to_vec(&downloads[1]);
    let spill: Vec<u32> = bytemuck::pod_collect_to_vec(&downloads[2]);
    let listed = (records.len(), spill.len());
    if listed != (summary.groups as usize, summary.spilled as usize) {
        return Err(wrong(format!(
            "{listed:?} records and spilled rows, not {summary:?}"
        )));
    }
    let mut groups = decode(rows, longest, &records)?;
    groups.sort_unstable_by_key(|group| group.key);
    check_groups(&groups)?;
    merge(&mut groups, reduce_spilled(rows, spill)?);
    let hash_key = RandomState::new();
    let found = Totals::of_groups::<R>(&groups, &hash_key);
    let expected = Totals::of_rows(rows, &hash_key);
    if found != expected {
        return Err(wrong(format!(
            "{found:?} in the groups, {expected:?} in the rows"
        )));
    }
    Ok(groups)
}

fn decode<R: KeyedRows>(
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

/// Checks that every key has one record, and that values exist for each record.
fn check_groups<K: Ord + Debug>(groups: &[Group<K>]) -> Result<(), Fault> {
    if let Some(twice) = groups.windows(2).find(|two| two[0].key == two[1].key) {
        let key = &twice[0].key;
        return Err(wrong(format!("key {key:?} has two records")));
    }
    match groups.iter().find(|group| !group.is_possible()) {
        Some(group) => Err(wrong(format!("no values can give {group:?}"))),
        None => Ok(()),
    }
}

/// Reduces on the CPU the rows that found no slot or whose key is too long.
fn reduce_spilled<R: KeyedRows>(rows: R, mut spill: Vec<u32>) -> Result<Vec<Group<R::Key>>, Fault> {
    spill.sort_unstable();
    let is_in_range = |row: &u32| (*row as usize) < rows.keys();
    if !spill.is_sorted_by(|one, next| one < next) || !spill.last().is_none_or(is_in_range) {
        return Err(wrong(
            "spilled rows occur twice or are out of range".to_owned(),
        ));
    }
    Ok(rows.reduce(&spill))
}

/// Merges groups. Their keys may already have a group.
fn merge<K: Copy + Ord>(groups: &mut Vec<Group<K>>, others: Vec<Group<K>>) {
    if others.is_empty() {
        return;
    }
    groups.extend(others);
    groups.sort_by_key(|group| group.key);
    groups.dedup_by(|later, kept| {
        let is_same = later.key == kept.key;
        if is_same {
            kept.merge(later);
        }
        is_same
    });
}

#[cfg(test)]
mod tests;
