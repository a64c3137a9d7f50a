//! Writes keys of every length and kind to columns, and reads them again.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use keymill_kernels::KeyCounts;

use super::*;
use crate::ErrorKind;

fn keys() -> Vec<Vec<u8>> {
    let mut keys = vec![
        vec![],
        vec![0],
        vec![0, 0],
        b"a\0".to_vec(),
        b"\0a".to_vec(),
    ];
    for length in [1, 2, 7, 8, 9, 11, 12, 13, 15, 16, 17, 31, 300] {
        keys.push(vec![b'x'; length]);
        keys.push(vec![0xff; length]);
        keys.push((0..length).map(|i| i as u8).collect());
    }
    keys.dedup();
    keys
}

#[test]
fn groups_are_read_as_they_were_written() {
    let mut groups = KeyCounts::default();
    let mut expected = BTreeMap::new();
    for (i, key) in keys().iter().enumerate() {
        groups.push(key, i as u64 + 1);
        *expected.entry(key.clone()).or_insert(0) += i as u64 + 1;
    }
    for (rows, bytes) in [(1, 1), (7, 1000), (1000, 100), (1000, usize::MAX)] {
        let mut batcher = Batcher::new(rows, bytes, Vec::new());
        batcher.push_groups(&groups).unwrap();
        let mut found = BTreeMap::new();
        for batch in batcher.finish().unwrap() {
            assert!((1..=rows).contains(&batch.num_rows()));
            for_each_group(&batch, |key, count| {
                *found.entry(key.to_vec()).or_insert(0) += count;
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(found, expected);
    }
}

#[test]
fn both_ways_into_a_column_give_the_same_views() {
    for key in keys()
        .iter()
        .filter(|key| key.len() <= 16 && !key.contains(&0))
    {
        let (mut one, mut other) = (ColumnBuilder::default(), ColumnBuilder::default());
        one.push_inline(big_endian_prefix(key), 1);
        other.push(key, 1).unwrap();
        assert_eq!(one.finish().unwrap(), other.finish().unwrap(), "{key:?}");
    }
}

#[test]
fn another_version_is_refused() {
    let mut columns = ColumnBuilder::default();
    columns.push(b"key", 1).unwrap();
    let batch = columns.finish().unwrap();
    let read = |version: &str| {
        let metadata = [("keymill.version".to_owned(), version.to_owned())];
        let schema = Schema::clone(&batch.schema()).with_metadata(metadata.into());
        let batch = RecordBatch::try_new(schema.into(), batch.columns().to_vec()).unwrap();
        for_each_group(&batch, |_, _| Ok(()))
    };
    assert!(read("1").is_ok());
    assert_eq!(read("2").unwrap_err().kind(), ErrorKind::State);
}
