//! Tests with correct and damaged results of a device.

use bytemuck::{Zeroable, bytes_of, cast_slice};
use keymill_kernels::stage::tokenize::Span;

use super::super::rows::{Rows, TextRows};
use super::*;

/// The maximum length of a key.
const LONGEST: u32 = 4;

const VALUES: [i64; 4] = [-1, 5, i64::MAX, 2];

const ROWS: Rows<'static> = Rows {
    keys: &[7, 3, 7, 1 << 40],
    values: &VALUES,
};

/// The same rows with byte keys: `be`, `to`, `be`, and one that is too long.
const TEXT_ROWS: TextRows<'static> = TextRows {
    text: b"to be or question",
    spans: &[span(3, 5), span(0, 2), span(3, 5), span(9, 17)],
    values: &VALUES,
};

const fn span(start: u32, end: u32) -> Span {
    Span { start, end }
}

fn record(key: [u32; 2], count: u32, sum: i128, min: i64, max: i64) -> ReducedGroup {
    let raised = (sum + (i128::from(count) << 63)) as u128;
    ReducedGroup {
        key_0: key[0],
        key_1: key[1],
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

/// Returns the records of the first two keys. The last row is spilled.
fn records(first: [u32; 2], second: [u32; 2]) -> [ReducedGroup; 2] {
    let large = i128::from(i64::MAX) - 1;
    [
        record(first, 2, large, -1, i64::MAX),
        record(second, 1, 5, 5, 5),
    ]
}

fn of_integers() -> [ReducedGroup; 2] {
    records([7, 0], [3, 0])
}

/// A record may name any row that has its key.
fn of_bytes() -> [ReducedGroup; 2] {
    records([2, 2], [1, 2])
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

fn read<R: KeyedRows>(rows: R, downloads: &[Vec<u8>]) -> Result<Vec<Group<R::Key>>, Fault> {
    super::read(9, rows, LONGEST, downloads)
}

#[test]
fn records_and_spilled_rows_become_groups() {
    let groups = read(ROWS, &answer(9, &of_integers(), &[3])).unwrap();
    let keys: Vec<u64> = groups.iter().map(|group| group.key).collect();
    assert_eq!(keys, [3, 7, 1 << 40]);
    assert_eq!(groups[1].sum, i128::from(i64::MAX) - 1);
    // A key may have both a record and spilled rows.
    let records = [record([7, 0], 1, -1, -1, -1), of_integers()[1]];
    assert_eq!(read(ROWS, &answer(9, &records, &[3, 2])), Ok(groups));
}

#[test]
fn byte_keys_are_read_from_the_named_rows() {
    let groups = read(TEXT_ROWS, &answer(9, &of_bytes(), &[3])).unwrap();
    let keys: Vec<&[u8]> = groups.iter().map(|group| group.key).collect();
    assert_eq!(keys, [&b"be"[..], b"question", b"to"]);
    assert_eq!(groups[0].sum, i128::from(i64::MAX) - 1);
    assert_eq!((groups[1].count, groups[1].min, groups[1].max), (1, 2, 2));
    let records = [record([0, 2], 1, -1, -1, -1), of_bytes()[1]];
    let read_again = read(TEXT_ROWS, &answer(9, &records, &[3, 2]));
    assert_eq!(read_again.as_ref(), Ok(&groups));
    let all_spilled = read(TEXT_ROWS, &answer(9, &[], &[2, 1, 0, 3]));
    assert_eq!(all_spilled, Ok(groups));
}

/// Returns results that are wrong for any kind of key.
fn damaged(right: [ReducedGroup; 2]) -> Vec<Vec<Vec<u8>>> {
    let changed = |change: fn(&mut [ReducedGroup; 2])| {
        let mut records = right;
        change(&mut records);
        answer(9, &records, &[3])
    };
    let zeros = vec![vec![0; 12], vec![0; 80], vec![0; 4]];
    let mut shorter = answer(9, &right, &[3]);
    shorter[1].truncate(40);
    vec![
        zeros,
        shorter,
        answer(9, &[ReducedGroup::zeroed(); 2], &[3]),
        answer(8, &right, &[3]),
        answer(9, &right[..1], &[3]),
        answer(9, &right, &[]),
        answer(9, &right, &[2]),
        answer(9, &right, &[4]),
        answer(9, &right, &[u32::MAX]),
        answer(9, &right, &[3, 3]),
        answer(9, &[right[0], right[0]], &[3]),
        changed(|groups| groups[0].key_0 = 8),
        changed(|groups| groups[0].key_1 ^= 1),
        changed(|groups| groups[0].count = 1),
        changed(|groups| groups[0].sum_0 ^= 1),
        changed(|groups| groups[0].sum_2 += 1),
        changed(|groups| groups[0].min_low = 0),
        changed(|groups| groups[0].max_high = 0),
        // Swaps the keys of the two records.
        changed(|groups| {
            let [one, other] = groups;
            std::mem::swap(&mut one.key_0, &mut other.key_0);
        }),
    ]
}

fn assert_detected<R: KeyedRows>(rows: R, damaged: &[Vec<u8>]) {
    let fault = read(rows, damaged).unwrap_err();
    assert!(matches!(fault, Fault::NotConserved(_)), "{fault}");
}

#[test]
fn damaged_results_are_detected() {
    for damaged in damaged(of_integers()) {
        assert_detected(ROWS, &damaged);
    }
}

#[test]
fn damaged_results_with_byte_keys_are_detected() {
    for damaged in damaged(of_bytes()) {
        assert_detected(TEXT_ROWS, &damaged);
    }
    let right = of_bytes();
    let with_key = |row: u32, bytes: u32| {
        let mut records = right;
        (records[1].key_0, records[1].key_1) = (row, bytes);
        answer(9, &records, &[3])
    };
    for damaged in [
        // A row with the other key, with either length, and rows that do not exist.
        with_key(0, 2),
        with_key(0, 3),
        with_key(4, 2),
        with_key(u32::MAX, 2),
        // A key that is too long for the device, although its row exists and is not spilled.
        answer(9, &[right[0], right[1], record([3, 8], 1, 2, 2, 2)], &[]),
    ] {
        assert_detected(TEXT_ROWS, &damaged);
    }
}

#[test]
fn values_added_to_another_key_are_detected() {
    // Both keys have the same count and extremes: only the sums differ.
    let values = [0, 0, 5, 9, 9, 4];
    let text_rows = TextRows {
        text: b"abababa",
        spans: &[
            span(0, 1),
            span(1, 2),
            span(2, 3),
            span(3, 4),
            span(4, 5),
            span(5, 6),
        ],
        values: &values,
    };
    let rows = Rows {
        keys: &[1, 2, 1, 2, 1, 2],
        values: &values,
    };
    let records = |keys: [[u32; 2]; 2], sums: [i128; 2]| {
        let [one, other] = keys;
        let records = [
            record(one, 3, sums[0], 0, 9),
            record(other, 3, sums[1], 0, 9),
        ];
        answer(9, &records, &[])
    };
    let (integers, bytes) = ([[1, 0], [2, 0]], [[0, 1], [1, 1]]);
    assert!(read(rows, &records(integers, [14, 13])).is_ok());
    assert!(read(text_rows, &records(bytes, [14, 13])).is_ok());
    assert_detected(rows, &records(integers, [13, 14]));
    assert_detected(text_rows, &records(bytes, [13, 14]));
}
