//! Rows by partition.
#![forbid(unsafe_code)]

use crate::stable_hash::partition_of;

/// Lists the rows of each partition, given each row's stable hash.
///
/// # Examples
///
/// ```
/// use keymill_kernels::oracle::hash_partition;
///
/// assert_eq!(hash_partition(&[u64::MAX, 0, 1], 2), [vec![1, 2], vec![0]]);
/// ```
pub fn hash_partition(hashes: &[u64], partitions: usize) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); partitions];
    for (row, &hash) in hashes.iter().enumerate() {
        rows[partition_of(hash, partitions as u32) as usize].push(row as u32);
    }
    rows
}
