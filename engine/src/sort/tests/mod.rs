//! Compares every order, type and budget with a sort by the standard library.

mod memory;
mod types;

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    UInt64Array,
};
use arrow_schema::{Field, Schema, SchemaRef};
use proptest::prelude::*;

use super::*;
use crate::ErrorKind;
use crate::runtime::{BatchLimits, MemoryBudget, Resources};
use crate::spill::SpillSpace;

/// A row. Its last value is unique.
#[derive(Clone, Debug)]
struct Row {
    number: Option<i64>,
    text: Option<String>,
    float: Option<f64>,
    unique: u64,
}

const UNBOUNDED: usize = 1 << 40;

/// −0.0 is 0.0, all NaNs are one.
fn compare_floats(a: &f64, b: &f64) -> Ordering {
    let of_nan = a.is_nan().cmp(&b.is_nan());
    a.partial_cmp(b).unwrap_or(of_nan)
}

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
        3 => compare_values(&a.float, &b.float, key, compare_floats),
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
