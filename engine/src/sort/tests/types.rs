//! Sorting columns of every type.

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::{Float64Type, Int64Type, UInt8Type};
use arrow_array::{
    Array, BinaryViewArray, Decimal128Array, FixedSizeBinaryArray, LargeBinaryArray,
};

use super::*;

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
fn floats_are_ordered_with_one_zero_and_one_nan() {
    let floats = [
        f64::NAN,
        1.0,
        0.0,
        -0.0,
        f64::NEG_INFINITY,
        -f64::NAN,
        f64::INFINITY,
    ];
    let ties: Vec<u64> = (0..floats.len() as u64).rev().collect();
    let input = batch(vec![
        Arc::new(Float64Array::from(floats.to_vec())),
        Arc::new(UInt64Array::from(ties)),
    ]);
    let setting = Setting {
        memory: UNBOUNDED,
        buffers: 1,
        batch_rows: 0,
        limits: BatchLimits::default(),
    };
    let keys = [SortKey::ascending(0), SortKey::ascending(1)];
    let outcome = sort(&[input], &keys, &setting);
    let found = outcome.batches[0].column(0).as_primitive::<Float64Type>();
    let bits: Vec<u64> = found.values().iter().map(|it| it.to_bits()).collect();
    let infinity = f64::INFINITY;
    // Ties are in the order of the second column, and keep their bits.
    let expected = [-infinity, -0.0, 0.0, 1.0, infinity, -f64::NAN, f64::NAN];
    assert_eq!(bits, expected.map(f64::to_bits));
}
