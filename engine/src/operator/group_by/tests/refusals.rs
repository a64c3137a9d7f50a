//! What a group-by refuses, and that it stays as it was.

use super::*;

#[test]
fn batches_of_another_schema_are_refused_and_change_nothing() {
    let rows = batch_of(&[Some("a"), None], &[1, 2]);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let others = [
        RecordBatch::try_from_iter([("k", keys.clone()), ("v", floats.clone())]).unwrap(),
        RecordBatch::try_from_iter([("k", floats.clone()), ("v", floats.clone())]).unwrap(),
        RecordBatch::try_from_iter([("k", keys.clone())]).unwrap(),
        RecordBatch::try_from_iter([("v", floats)]).unwrap(),
    ];
    let resources = resources(Tuning::TINY, UNBOUNDED);
    let mut one = sums(&resources);
    for other in &others {
        one.push(&rows).unwrap();
        let error = one.push(other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert_eq!(one.push("a text").unwrap_err().kind(), ErrorKind::Config);
    }
    // Columns may lie elsewhere, and others may be there.
    let more = RecordBatch::try_from_iter([
        ("more", keys),
        ("v", rows.column(1).slice(0, 1)),
        ("k", rows.column(0).slice(0, 1)),
    ]);
    one.push(&more.unwrap()).unwrap();
    assert_eq!(one.metrics().rows, 9);
    let found = rows_of(&mut one);
    let a = Cell::Bytes(b"a".to_vec());
    assert_eq!(
        found,
        [vec![Cell::Null, Cell::Int(8)], vec![a, Cell::Int(5)]]
    );
}

#[test]
fn state_columns_of_others_are_refused_and_change_nothing() {
    let resources = resources(Tuning::DEFAULT, UNBOUNDED);
    let rows = batch_of(&[Some("a")], &[1]);
    let make =
        |key: &str, call| GroupBy::new(&rows.schema(), &[col(key)], &[call], &resources).unwrap();
    let mut one = make("k", min("v"));
    one.push(&rows).unwrap();
    for (key, call) in [("k", max("v")), ("k", sum("v")), ("v", min("v"))] {
        let mut other = make(key, call);
        other.push(&rows).unwrap();
        for states in drained(&mut other, Drain::State).unwrap() {
            let error = one.push_state(&states).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        }
    }
    assert_eq!(one.push_state(&rows).unwrap_err().kind(), ErrorKind::Format);
    assert_eq!(rows_of(&mut one).len(), 1);
}

#[test]
fn operators_of_other_jobs_are_not_merged() {
    let seeds = resources(Tuning::DEFAULT, UNBOUNDED);
    let rows = batch_of(&[Some("a")], &[1]);
    let make = |key: &str, call: crate::aggregate::AggregateExpr, resources: &Resources| {
        let keys = [col(key)];
        let calls = [call.alias("x")];
        let mut one = GroupBy::new(&rows.schema(), &keys, &calls, resources).unwrap();
        one.push(&rows).unwrap();
        one
    };
    let other_seed = Resources {
        seed: 12,
        ..seeds.clone()
    };
    let mut one = make("k", min("v"), &seeds);
    for mut other in [
        make("k", max("v"), &seeds),
        make("k", count("v"), &seeds),
        make("v", min("v"), &seeds),
        make("k", min("v"), &other_seed),
    ] {
        let error = one.merge(&mut other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert_eq!(rows_of(&mut other).len(), 1);
    }
    one.merge(&mut make("k", min("v"), &seeds)).unwrap();
    assert_eq!(one.metrics().rows, 2);
    assert_eq!(rows_of(&mut one).len(), 1);
    let none = GroupBy::merge_all(Vec::new()).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);
}

#[test]
fn an_order_that_cannot_be_changes_nothing() {
    let resources = resources(Tuning::TINY, 1);
    let mut one = sums(&resources);
    one.push(&many_rows(100)).unwrap();
    for order in [
        Order::Count,
        Order::Columns(vec![OrderBy::new("no such column")]),
    ] {
        let limits = BatchLimits::default();
        let error = one.drain(Drain::Values, &order, limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    assert_eq!(rows_of(&mut one).len(), 100);
    assert!(rows_of(&mut one).is_empty());
}
