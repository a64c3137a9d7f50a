//! Aggregates by key.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

/// All aggregates of the values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// Their number.
    pub count: u64,
    /// Their exact sum.
    pub sum: i128,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

/// Reduces the values of each key.
///
/// # Examples
///
/// ```
/// use keymill_kernels::oracle::{Reduced, reduce_by_key};
///
/// let groups = reduce_by_key(&[7, 3, 7], &[1, 5, 2]);
/// assert_eq!(groups[&7], Reduced { count: 2, sum: 3, min: 1, max: 2 });
/// ```
pub fn reduce_by_key<K: Ord + Copy>(keys: &[K], values: &[i64]) -> BTreeMap<K, Reduced> {
    let mut groups = BTreeMap::new();
    for (&key, &value) in keys.iter().zip(values) {
        let group = groups.entry(key).or_insert(Reduced {
            count: 0,
            sum: 0,
            min: i64::MAX,
            max: i64::MIN,
        });
        group.count += 1;
        group.sum += i128::from(value);
        group.min = group.min.min(value);
        group.max = group.max.max(value);
    }
    groups
}
