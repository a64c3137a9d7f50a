//! Compares every order, type and budget with a sort by the standard library.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt8Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray,
    Float64Array, Int64Array, LargeBinaryArray, RecordBatch, StringArray, StringViewArray,
    UInt64Array,
};
use arrow_schema::{Field, Schema, SchemaRef};
use proptest::prelude::*;

use super::*;
use crate::runtime::{BatchLimits, MemoryBudget, Resources};
use crate::spill::SpillSpace;
use crate::{Cancel, ErrorKind};

/// A row. Its last value is unique.
#[derive(Clone, Debug)]
struct Row {
    number: Option<i64>,
    text: Option<String>,
    float: Option<f64>,
    unique: u64,
}

const UNBOUNDED: usize = 1 << 40;

fn schema() -> SchemaRef {
    batch_of(&[]).schema()
}

fn batch_of(rows: &[Row]) -> RecordBatch {
    let number: Int64Array = rows.iter().map(|row| row.number).collect();
    let text: StringArray = rows.iter().map(|row| row.text.as_deref()).collect();
    let view: StringViewArray = rows.iter().map(|row| row.text.as_deref()).collect();
    let float: Float64Array = rows.iter().map(|row| row.float).collect();
    let unique = UInt64Array::from_iter_values(rows.iter().map(|row| row.unique));
    batch(vec![
        Arc::new(number),
        Arc::new(text),
        Arc::new(view),
        Arc::new(float),
        Arc::new(unique),
    ])
}

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let fields: Vec<Field> = (0..)
        .zip(&columns)
        .map(|(n, column)| Field::new(format!("c{n}"), column.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn compare_values<T>(
    a: &Option<T>,
    b: &Option<T>,
    key: &SortKey,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) if key.nulls_first => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) if key.nulls_first => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) if key.descending => compare(b, a),
        (Some(a), Some(b)) => compare(a, b),
    }
}

fn compare(a: &Row, b: &Row, keys: &[SortKey]) -> Ordering {
    let by_key = keys.iter().map(|key| match key.column {
        0 => compare_values(&a.number, &b.number, key, i64::cmp),
        1 | 2 => compare_values(&a.text, &b.text, key, |a, b| a.as_bytes().cmp(b.as_bytes())),
        3 => compare_values(&a.float, &b.float, key, f64::total_cmp),
        _ => compare_values(&Some(a.unique), &Some(b.unique), key, u64::cmp),
    });
    by_key.fold(Ordering::Equal, Ordering::then)
}

/// Returns the unique values of the rows in order.
fn expected(mut rows: Vec<Row>, keys: &[SortKey], top: Option<usize>) -> Vec<u64> {
    rows.sort_by(|a, b| compare(a, b, keys));
    rows.truncate(top.unwrap_or(usize::MAX));
    rows.iter().map(|row| row.unique).collect()
}

struct Setting {
    memory: usize,
    buffers: usize,
    batch_rows: usize,
    limits: BatchLimits,
}

struct Outcome {
    batches: Vec<RecordBatch>,
    spilled_runs: usize,
    runs: usize,
}

fn resources(memory: usize, threads: usize) -> Resources {
    Resources {
        memory: MemoryBudget::new(memory),
        threads,
        ..Resources::default()
    }
}

/// Sorts `input`. The batches are distributed over the buffers in turn.
fn sort(input: &[RecordBatch], keys: &[SortKey], setting: &Setting) -> Outcome {
    let schema = input[0].schema();
    let resources = resources(setting.memory, setting.buffers);
    let space = SpillSpace::new(None);
    let top = setting.limits.top;
    let mut buffers: Vec<SortBuffer> = (0..setting.buffers)
        .map(|_| SortBuffer::new(&schema, keys, top, &resources, &space).unwrap())
        .collect();
    for (n, batch) in input.iter().enumerate() {
        buffers[n % setting.buffers].push(batch.clone()).unwrap();
    }
    let runs: Vec<Run> = buffers
        .into_iter()
        .flat_map(|buffer| buffer.finish().unwrap())
        .collect();
    let outcome = (
        runs.iter().filter(|run| run.is_spilled()).count(),
        runs.len(),
    );
    let sorted = SortedBatches::new(&schema, keys, runs, setting.limits, &resources, &space);
    let batches = sorted.unwrap().collect::<crate::Result<Vec<_>>>().unwrap();
    assert_eq!(resources.memory.taken(), 0);
    Outcome {
        batches,
        spilled_runs: outcome.0,
        runs: outcome.1,
    }
}

fn sort_rows(rows: &[Row], keys: &[SortKey], setting: &Setting) -> (Vec<u64>, Outcome) {
    let mut input: Vec<RecordBatch> = rows.chunks(setting.batch_rows).map(batch_of).collect();
    input.push(batch_of(&[]));
    let outcome = sort(&input, keys, setting);
    let mut found = Vec::new();
    for batch in &outcome.batches {
        assert_eq!(batch.schema(), schema());
        assert!((1..=setting.limits.rows).contains(&batch.num_rows()));
        let unique = batch.column(4).as_primitive::<UInt64Type>();
        found.extend(unique.values());
        let original: Vec<Row> = unique
            .values()
            .iter()
            .map(|&n| rows[n as usize].clone())
            .collect();
        assert_eq!(batch, &batch_of(&original), "a row keeps its values");
    }
    (found, outcome)
}

fn any_row() -> impl Strategy<Value = Row> {
    let number = prop_oneof![
        Just(None),
        (-3..3i64).prop_map(Some),
        any::<i64>().prop_map(Some)
    ];
    let text = prop_oneof![
        Just(None),
        "[ab]{0,3}".prop_map(Some),
        "same beginning, then [a-c]{0,40}".prop_map(Some),
    ];
    let special = [
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let float = prop_oneof![
        Just(None),
        proptest::sample::select(special.to_vec()).prop_map(Some),
        any::<f64>().prop_map(Some),
    ];
    (number, text, float).prop_map(|(number, text, float)| Row {
        number,
        text,
        float,
        unique: 0,
    })
}

fn any_rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(any_row(), 0..most).prop_map(|mut rows| {
        for (unique, row) in (0..).zip(&mut rows) {
            row.unique = unique;
        }
        rows
    })
}

/// Returns up to three columns and the unique one after them.
fn any_keys() -> impl Strategy<Value = Vec<SortKey>> {
    let key = (0..4usize, any::<bool>(), any::<bool>());
    let key = key.prop_map(|(column, descending, nulls_first)| SortKey {
        column,
        descending,
        nulls_first,
    });
    (proptest::collection::vec(key, 0..4), any::<bool>()).prop_map(|(mut keys, descending)| {
        keys.push(match descending {
            true => SortKey::descending(4),
            false => SortKey::ascending(4),
        });
        keys
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

    #[test]
    fn the_order_is_that_of_a_plain_sort(
        rows in any_rows(400),
        keys in any_keys(),
        memory in proptest::sample::select(vec![1 << 10, 30 << 10, UNBOUNDED]),
        buffers in 1..4usize,
        batch_rows in 1..70usize,
        most_rows in proptest::sample::select(vec![1, 7, 1 << 14]),
        most_bytes in proptest::sample::select(vec![1, 300, 1 << 20]),
        top in prop_oneof![Just(None), (0..20usize).prop_map(Some), (0..500usize).prop_map(Some)],
    ) {
        let limits = BatchLimits { rows: most_rows, bytes: most_bytes, top };
        let setting = Setting { memory, buffers, batch_rows, limits };
        let (found, _) = sort_rows(&rows, &keys, &setting);
        prop_assert_eq!(found, expected(rows, &keys, top));
    }
}

fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 30) % below
    }
}

fn many_rows(count: u64) -> Vec<Row> {
    let mut next = numbers(3);
    let row = |unique| Row {
        number: Some(next(50) as i64),
        text: Some(format!("the text of key {}", next(1 << 40))),
        float: None,
        unique,
    };
    (0..count).map(row).collect()
}

const SMALL: u64 = if cfg!(miri) { 300 } else { 60_000 };

#[test]
fn more_than_the_budget_is_spilled_and_sorted() {
    let rows = many_rows(SMALL);
    let keys = [
        SortKey::descending(0),
        SortKey::ascending(2),
        SortKey::ascending(4),
    ];
    for (memory, buffers) in [(1 << 20, 1), (3 << 20, 3), (UNBOUNDED, 2)] {
        let setting = Setting {
            memory,
            buffers,
            batch_rows: 500,
            limits: BatchLimits::default(),
        };
        let (found, outcome) = sort_rows(&rows, &keys, &setting);
        assert_eq!(found, expected(rows.clone(), &keys, None));
        match memory {
            UNBOUNDED => assert_eq!((outcome.spilled_runs, outcome.runs), (0, buffers)),
            _ => assert!(outcome.spilled_runs > 1, "{} runs", outcome.spilled_runs),
        }
    }
}

#[test]
fn large_groups_of_equal_prefixes_are_sorted_by_the_bytes_after() {
    let mut next = numbers(11);
    let row = |unique| Row {
        number: None,
        text: Some(
            (0..60)
                .map(|_| if next(9) == 0 { 'b' } else { 'a' })
                .collect(),
        ),
        float: None,
        unique,
    };
    let rows: Vec<Row> = (0..SMALL / 10).map(row).collect();
    for key in [SortKey::ascending(1), SortKey::descending(2)] {
        let keys = [key, SortKey::ascending(4)];
        let setting = Setting {
            memory: UNBOUNDED,
            buffers: 1,
            batch_rows: 500,
            limits: BatchLimits::default(),
        };
        let (found, _) = sort_rows(&rows, &keys, &setting);
        assert_eq!(found, expected(rows.clone(), &keys, None));
    }
}

/// Sorts rows. Returns the maximum memory taken, the bytes spilled, and the unique values in order.
fn most_taken(rows: &[Row], top: Option<usize>, memory: usize) -> (usize, u64, Vec<u64>) {
    let keys = [SortKey::ascending(1), SortKey::ascending(4)];
    let resources = resources(memory, 1);
    let space = SpillSpace::new(None);
    let mut buffer = SortBuffer::new(&schema(), &keys, top, &resources, &space).unwrap();
    let mut most = 0;
    for rows in rows.chunks(500) {
        buffer.push(batch_of(rows)).unwrap();
        assert_eq!(buffer.size(), resources.memory.taken());
        most = most.max(buffer.size());
    }
    let runs = buffer.finish().unwrap();
    let limits = BatchLimits {
        top,
        ..BatchLimits::default()
    };
    let sorted = SortedBatches::new(&schema(), &keys, runs, limits, &resources, &space);
    let mut found = Vec::new();
    for batch in sorted.unwrap() {
        most = most.max(resources.memory.taken());
        found.extend(
            batch
                .unwrap()
                .column(4)
                .as_primitive::<UInt64Type>()
                .values(),
        );
    }
    (most, space.written(), found)
}

#[test]
fn the_budget_is_kept() {
    let rows = many_rows(SMALL);
    let keys = [SortKey::ascending(1), SortKey::ascending(4)];
    let (most, written, found) = most_taken(&rows, None, 4 << 20);
    assert_eq!(found, expected(rows, &keys, None));
    assert!(most < 4 << 20, "{most} bytes");
    assert!(written > 4 << 20, "{written} bytes");
}

#[test]
fn few_of_many_runs_are_merged_at_a_time() {
    let rows = many_rows(SMALL);
    let keys = [SortKey::ascending(1), SortKey::ascending(4)];
    let (most, _, found) = most_taken(&rows, None, 1 << 20);
    assert_eq!(found, expected(rows, &keys, None));
    // A batch of each run would take almost twice as much.
    assert!(most < 3 << 20, "{most} bytes");
}

#[test]
fn few_first_rows_need_little_memory_and_no_disk() {
    let rows = many_rows(SMALL);
    let keys = [SortKey::ascending(1), SortKey::ascending(4)];
    let (most, written, found) = most_taken(&rows, Some(10), 4 << 20);
    assert_eq!(found, expected(rows, &keys, Some(10)));
    assert!(most < 1 << 20, "{most} bytes");
    assert_eq!(written, 0);
}

#[test]
fn first_rows_beyond_the_budget_are_spilled_once_or_twice() {
    let rows = many_rows(SMALL);
    let keys = [SortKey::ascending(1), SortKey::ascending(4)];
    let top = Some(SMALL as usize / 20);
    let (_, written, found) = most_taken(&rows, top, 1 << 20);
    assert_eq!(found, expected(rows.clone(), &keys, top));
    let (_, all, _) = most_taken(&rows, None, 1 << 20);
    assert!(written < all / 3, "{written} of {all} bytes");
}

#[test]
fn rows_of_a_megabyte_are_sorted_in_little_memory() {
    let mut next = numbers(5);
    let rows: Vec<Row> = (0..30)
        .map(|unique| Row {
            number: None,
            text: Some(format!("{}{}", "x".repeat(1 << 20), next(1000))),
            float: None,
            unique,
        })
        .collect();
    let keys = [SortKey::descending(1), SortKey::ascending(4)];
    for memory in [8 << 20, UNBOUNDED] {
        let setting = Setting {
            memory,
            buffers: 2,
            batch_rows: 1,
            limits: BatchLimits::default(),
        };
        let (found, outcome) = sort_rows(&rows, &keys, &setting);
        assert_eq!(found, expected(rows.clone(), &keys, None));
        assert_eq!(outcome.spilled_runs > 0, memory < UNBOUNDED);
        // Each row has the text twice, so one row is larger than a batch may be.
        assert!(outcome.batches.iter().all(|batch| batch.num_rows() == 1));
    }
}

/// Columns of many types whose order is that of `numbers`.
fn columns_of_many_types(numbers: &[Option<i64>]) -> Vec<ArrayRef> {
    let text = |n: i64| format!("{:020}", i128::from(n) - i128::from(i64::MIN));
    let texts: Vec<Option<String>> = numbers.iter().map(|n| n.map(text)).collect();
    let strings = || texts.iter().map(|text| text.as_deref());
    let bytes = || strings().map(|text| text.map(str::as_bytes));
    let mut dictionary = StringDictionaryBuilder::<UInt8Type>::new();
    strings().for_each(|text| dictionary.append_option(text));
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes(), 20);
    let decimals = numbers.iter().map(|n| n.map(i128::from));
    vec![
        Arc::new(numbers.iter().copied().collect::<Int64Array>()),
        Arc::new(strings().collect::<StringViewArray>()),
        Arc::new(bytes().collect::<BinaryViewArray>()),
        Arc::new(bytes().collect::<LargeBinaryArray>()),
        Arc::new(dictionary.finish()),
        Arc::new(fixed.unwrap()),
        Arc::new(decimals.collect::<Decimal128Array>()),
        Arc::new(
            numbers
                .iter()
                .map(|n| n.map(|n| n as f64))
                .collect::<Float64Array>(),
        ),
        Arc::new(
            numbers
                .iter()
                .map(|n| n.map(|n| n >= 0))
                .collect::<BooleanArray>(),
        ),
    ]
}

/// Compares one row at a time, because dictionaries may hold the same values in another order.
fn assert_same_rows(found: &RecordBatch, numbers: &[Option<i64>]) {
    for (row, number) in numbers.iter().enumerate().step_by(7) {
        let expected = columns_of_many_types(&[*number]);
        for (found, expected) in found.columns().iter().zip(expected) {
            let found = found.slice(row, 1);
            assert_eq!(found.data_type(), expected.data_type());
            assert_eq!(&found, &expected);
        }
    }
}

#[test]
fn columns_of_every_type_are_sorted() {
    let mut next = numbers(9);
    // More distinct values than the dictionary's key type can count, but not in one batch.
    let numbers: Vec<Option<i64>> = (0..3000)
        .map(|_| (next(20) > 0).then(|| next(1000) as i64 - 500))
        .collect();
    let input: Vec<RecordBatch> = numbers
        .chunks(100)
        .map(|numbers| batch(columns_of_many_types(numbers)))
        .collect();
    let mut expected = numbers;
    expected.sort_by_key(|number| (number.is_none(), *number));
    for column in 0..input[0].num_columns() {
        let keys = [SortKey::ascending(column), SortKey::ascending(0)];
        for memory in [100 << 10, UNBOUNDED] {
            let setting = Setting {
                memory,
                buffers: 2,
                batch_rows: 0,
                limits: BatchLimits::default(),
            };
            let outcome = sort(&input, &keys, &setting);
            assert_eq!(outcome.spilled_runs > 0, memory < UNBOUNDED);
            let mut found = Vec::new();
            for batch in &outcome.batches {
                let numbers: Vec<_> = batch.column(0).as_primitive::<Int64Type>().iter().collect();
                assert_same_rows(batch, &numbers);
                found.extend(numbers);
            }
            assert_eq!(found, expected, "column {column}");
        }
    }
}

#[test]
fn the_total_order_of_floats() {
    let floats = [
        f64::NAN,
        1.0,
        0.0,
        -0.0,
        f64::NEG_INFINITY,
        -f64::NAN,
        f64::INFINITY,
    ];
    let input = batch(vec![Arc::new(Float64Array::from(floats.to_vec()))]);
    let setting = Setting {
        memory: UNBOUNDED,
        buffers: 1,
        batch_rows: 0,
        limits: BatchLimits::default(),
    };
    let outcome = sort(&[input], &[SortKey::ascending(0)], &setting);
    let found = outcome.batches[0]
        .column(0)
        .as_primitive::<Float64Type>()
        .values()
        .to_vec();
    let bits = |floats: &[f64]| {
        floats
            .iter()
            .map(|float| float.to_bits())
            .collect::<Vec<_>>()
    };
    let expected = [
        -f64::NAN,
        f64::NEG_INFINITY,
        -0.0,
        0.0,
        1.0,
        f64::INFINITY,
        f64::NAN,
    ];
    assert_eq!(bits(&found), bits(&expected));
}

#[test]
fn a_slice_does_not_keep_the_whole_batch() {
    let rows = many_rows(SMALL);
    let whole = batch_of(&rows);
    let keys = [SortKey::ascending(4)];
    let resources = resources(UNBOUNDED, 1);
    let space = SpillSpace::new(None);
    let mut buffer = SortBuffer::new(&schema(), &keys, None, &resources, &space).unwrap();
    buffer.push(whole.slice(7, 20)).unwrap();
    assert!(buffer.size() < 16 << 10, "{} bytes", buffer.size());
    let runs = buffer.finish().unwrap();
    let limits = BatchLimits::default();
    let mut sorted =
        SortedBatches::new(&schema(), &keys, runs, limits, &resources, &space).unwrap();
    assert_eq!(sorted.next().unwrap().unwrap(), whole.slice(7, 20));
}

#[test]
fn the_memory_of_a_batch_from_disk_is_counted_once() {
    let space = SpillSpace::new(None);
    let whole = batch_of(&many_rows(1000));
    let segment = space
        .store(&schema(), |writer| writer.write(&whole))
        .unwrap();
    let read = segment.batches().unwrap().next().unwrap().unwrap();
    assert_eq!(read, whole);
    let (own, read) = (
        held_bytes::held_bytes(&whole),
        held_bytes::held_bytes(&read),
    );
    assert!(read < 2 * own, "{read} and {own} bytes");
}

#[test]
fn an_output_batch_holds_only_its_own_bytes() {
    let rows = many_rows(SMALL);
    let setting = Setting {
        memory: UNBOUNDED,
        buffers: 2,
        batch_rows: 1000,
        limits: BatchLimits {
            rows: 100,
            ..BatchLimits::default()
        },
    };
    let (_, outcome) = sort_rows(&rows, &[SortKey::ascending(2)], &setting);
    for batch in &outcome.batches {
        let memory = batch.get_array_memory_size();
        assert!(memory < 100 * 200, "{memory} bytes");
    }
}

#[test]
fn a_cancelled_sort_stops() {
    let cancel = Cancel::default();
    let resources = Resources {
        cancel: cancel.clone(),
        ..resources(UNBOUNDED, 1)
    };
    let space = SpillSpace::new(None);
    let keys = [SortKey::ascending(4)];
    let mut buffer = SortBuffer::new(&schema(), &keys, None, &resources, &space).unwrap();
    buffer.push(batch_of(&many_rows(100))).unwrap();
    let runs = buffer.finish().unwrap();
    let limits = BatchLimits {
        rows: 10,
        ..BatchLimits::default()
    };
    let mut sorted =
        SortedBatches::new(&schema(), &keys, runs, limits, &resources, &space).unwrap();
    assert!(sorted.next().unwrap().is_ok());
    cancel.cancel();
    let error = sorted.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(sorted.next().is_none());
    let mut buffer = SortBuffer::new(&schema(), &keys, None, &resources, &space).unwrap();
    let error = buffer.push(batch_of(&many_rows(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn keys_and_batches_that_do_not_fit_are_errors() {
    let resources = resources(UNBOUNDED, 1);
    let space = SpillSpace::new(None);
    let open = |keys: &[SortKey]| SortBuffer::new(&schema(), keys, None, &resources, &space);
    for keys in [&[][..], &[SortKey::ascending(5)]] {
        let error = open(keys).err().expect("it has no such key");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    let mut buffer = open(&[SortKey::ascending(0)]).unwrap();
    let other = batch(vec![Arc::new(BooleanArray::from(vec![true]))]);
    assert_eq!(buffer.push(other).unwrap_err().kind(), ErrorKind::Internal);
}
