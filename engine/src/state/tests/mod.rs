//! Tables of groups against a map from the standard library, and the stable hash of keys.

mod hashes;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::DataType;
use keymill_kernels::{HashKey, Level, Tuning};
use proptest::prelude::*;

use super::fixtures::{
    Cell, Data, Form, INTEGERS, column, every_aggregate, expected, rows, sorted,
};
use super::{GroupShape, GroupTable};
use crate::ErrorKind;
use crate::expr::{Expr, col};

/// Types of values, integers and floats.
fn value_types() -> Vec<DataType> {
    let floats = [DataType::Float32, DataType::Float64];
    INTEGERS.into_iter().chain(floats).collect()
}

fn shape(data: &Data) -> Arc<GroupShape> {
    let keys: Vec<Expr> = data.key_names().into_iter().map(Expr::from).collect();
    Arc::new(GroupShape::new(&data.schema(), &keys, &every_aggregate()).unwrap())
}

fn stamps() -> [Tuning; 4] {
    let [default, tiny] = [Tuning::DEFAULT, Tuning::TINY];
    [default, default.all_colliding(), tiny, tiny.all_colliding()]
}

fn table(shape: &Arc<GroupShape>, tuning: &Tuning, level: Level) -> GroupTable {
    GroupTable::new(shape, level, tuning, HashKey::from_seed(3)).unwrap()
}

fn update(table: &mut GroupTable, shape: &GroupShape, batch: &RecordBatch) {
    let (keys, arguments) = (shape.keys_of(batch), shape.arguments_of(batch, 0));
    table.update(&keys.unwrap(), &arguments.unwrap()).unwrap();
}

fn all_groups(table: &GroupTable) -> Vec<u32> {
    (0..table.len() as u32).collect()
}

/// Compares the answers of a table with the obvious ones; totals that do not fit are errors.
fn check(table: &GroupTable, data: &Data) {
    let mut left: BTreeMap<Vec<Cell>, Vec<Cell>> = data.by_key();
    let keys = table.key_columns(&all_groups(table)).unwrap();
    let names: Vec<String> = data.key_names();
    let keys = RecordBatch::try_from_iter_with_nullable(
        names
            .iter()
            .zip(keys)
            .map(|(name, column)| (name, column, true)),
    );
    for (group, key) in (0..).zip(rows([&keys.unwrap()])) {
        let values = left.remove(&key).expect("each key of the input once");
        let wanted = expected(&values);
        let total = wanted[2].as_int();
        let range = match data.value_type.is_signed_integer() {
            true => (i64::MIN.into(), i64::MAX.into()),
            false => (0, u64::MAX.into()),
        };
        match (table.answers(&[group]), total) {
            (Err(error), Some(total)) if total < range.0 || total > range.1 => {
                assert_eq!(error.kind(), ErrorKind::Capacity);
                let message = error.to_string();
                assert!(message.contains("`sum(v)` of the key `"), "{message}");
                assert!(message.contains(&format!("is {total}, which")), "{message}");
            }
            (answers, _) => {
                let answers = rows([&answers.unwrap()]).remove(0);
                assert_eq!(answers, [key, wanted].concat(), "{values:?}");
            }
        }
    }
    assert!(left.is_empty(), "{left:?} is missing");
}

/// Writes a batch as Arrow IPC and reads it back.
fn through_ipc(batch: &RecordBatch) -> RecordBatch {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    StreamReader::try_new(Cursor::new(bytes), None)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn groups_are_those_of_a_map(data in Data::strategy(value_types())) {
        let shape = shape(&data);
        for tuning in stamps() {
            let mut table = table(&shape, &tuning, Level::best());
            for round in 0..2 {
                for rows in &data.batches {
                    update(&mut table, &shape, &data.batch(rows));
                }
                check(&table, &data);
                if round == 0 {
                    table.clear();
                    prop_assert_eq!(table.len(), 0);
                }
            }
        }
    }

    #[test]
    fn ids_are_in_the_order_of_first_coming(data in Data::strategy(vec![DataType::Int8])) {
        let shape = shape(&data);
        let mut table = table(&shape, &Tuning::TINY, Level::best());
        let mut order: Vec<Vec<Cell>> = Vec::new();
        for rows in &data.batches {
            update(&mut table, &shape, &data.batch(rows));
            for row in rows {
                let key = row[..row.len() - 1].to_vec();
                if !order.contains(&key) {
                    order.push(key);
                }
            }
        }
        let found = rows([&table.states(&all_groups(&table)).unwrap()]);
        let found: Vec<_> = found.iter().map(|row| &row[..data.key_types.len()]).collect();
        prop_assert_eq!(found, order.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn every_split_and_order_of_merges_gives_the_same_states(
        data in Data::strategy(value_types()),
        homes in proptest::collection::vec(0..3usize, 160),
        order in Just((0..9usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let shape = shape(&data);
        let levels = Level::available();
        let mut whole = table(&shape, &Tuning::DEFAULT, Level::Scalar);
        let mut parts: Vec<GroupTable> = (0..9)
            .map(|part| table(&shape, &stamps()[part % 4], levels[part % levels.len()]))
            .collect();
        let mut homes = homes.iter().cycle();
        for (number, rows) in data.batches.iter().enumerate() {
            update(&mut whole, &shape, &data.batch(rows));
            let mut split = vec![Vec::new(); 3];
            rows.iter().for_each(|row| split[*homes.next().unwrap()].push(row.clone()));
            for (part, rows) in split.iter().enumerate() {
                let part = 3 * part + number % 3;
                update(&mut parts[part], &shape, &data.batch(rows));
            }
        }
        let mut merged = table(&shape, &Tuning::TINY, Level::best());
        for part in order {
            let part = &parts[part];
            for groups in all_groups(part).chunks(3) {
                let states = through_ipc(&part.states(groups).unwrap());
                prop_assert_eq!(&states.schema(), shape.state_schema());
                merged.merge(&states).unwrap();
            }
        }
        let states = |table: &GroupTable| sorted([&table.states(&all_groups(table)).unwrap()]);
        prop_assert_eq!(states(&merged), states(&whole));
        check(&merged, &data);
    }

    #[test]
    fn a_key_is_found_where_it_is_and_nowhere_else(data in Data::strategy(vec![DataType::Int8])) {
        let shape = shape(&data);
        for tuning in stamps() {
            let mut table = table(&shape, &tuning, Level::best());
            for known in 0..data.batches.len() {
                let mut groups = Vec::new();
                for rows in &data.batches {
                    table.find(&shape.keys_of(&data.batch(rows)).unwrap(), &mut groups).unwrap();
                }
                let known_rows = || data.batches[..known].iter().flatten();
                for (row, group) in data.batches.iter().flatten().zip(groups) {
                    let key = &row[..row.len() - 1];
                    let is_known = known_rows().any(|known| known.starts_with(key));
                    prop_assert_eq!(group.is_some(), is_known, "{:?}", key);
                    if let Some(group) = group {
                        let states = table.states(&[group]).unwrap();
                        prop_assert_eq!(&rows([&states])[0][..key.len()], key);
                    }
                }
                update(&mut table, &shape, &data.batch(&data.batches[known]));
            }
        }
    }

    #[test]
    fn replaced_states_are_those_that_came_last(data in Data::strategy(value_types())) {
        let shape = shape(&data);
        let table = || table(&shape, &Tuning::TINY, Level::best());
        let (mut first, mut last) = (table(), table());
        let (batches, replacing) = data.batches.split_at(data.batches.len() / 2);
        batches.iter().for_each(|rows| update(&mut first, &shape, &data.batch(rows)));
        replacing.iter().for_each(|rows| update(&mut last, &shape, &data.batch(rows)));
        let keys = data.key_types.len();
        let states_of = |table: &GroupTable| -> BTreeMap<Vec<Cell>, Vec<Cell>> {
            let states = rows([&table.states(&all_groups(table)).unwrap()]);
            states.into_iter().map(|row| (row[..keys].to_vec(), row[keys..].to_vec())).collect()
        };
        let mut wanted = states_of(&first);
        wanted.extend(states_of(&last));
        first.replace(&last.states(&all_groups(&last)).unwrap()).unwrap();
        prop_assert_eq!(states_of(&first), wanted);
    }
}

#[test]
fn a_total_that_does_not_fit_names_the_key_and_the_column() {
    let sites: ArrayRef = Arc::new(StringArray::from(vec![Some("a\n"), None, Some("b")]));
    let years: ArrayRef = Arc::new(Int32Array::from(vec![2025, 2026, 2027]));
    let visits: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN, i64::MAX]));
    let batch =
        RecordBatch::try_from_iter([("site", sites), ("year", years), ("visits", visits)]).unwrap();
    let calls = [crate::aggregate::sum("visits").alias("all")];
    let shape = GroupShape::new(&batch.schema(), &[col("site"), col("year")], &calls);
    let shape = Arc::new(shape.unwrap());
    let mut table = table(&shape, &Tuning::DEFAULT, Level::best());
    update(&mut table, &shape, &batch);
    assert_eq!(table.answers(&[0, 1, 2]).unwrap().column(2).null_count(), 0);
    update(&mut table, &shape, &batch.slice(0, 2));
    for (group, key, total) in [
        (0, r"a\n, 2025", 2 * i128::from(i64::MAX)),
        (1, "null, 2026", 2 * i128::from(i64::MIN)),
    ] {
        let message = table.answers(&[2, group]).unwrap_err().to_string();
        let start =
            format!("`sum(visits)` of the key `{key}` is {total}, which does not fit Int64");
        assert!(message.starts_with(&start), "{message}");
    }
    assert!(table.answers(&[2]).is_ok());
}

#[test]
fn many_keys_stay_what_they_are_when_the_first_null_comes() {
    let all = 20_000i64;
    let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); 2];
    for number in 0..all {
        cells[0].push(Cell::Int(number.into()));
        cells[1].push(Cell::Bytes(number.to_string().into_bytes()));
    }
    for (of, mut cells) in [DataType::Int64, DataType::Utf8].into_iter().zip(cells) {
        let data = Data {
            key_types: vec![of.clone()],
            value_type: DataType::Int64,
            forms: Vec::new(),
            batches: Vec::new(),
        };
        let shape = shape(&data);
        let mut table = table(&shape, &Tuning::DEFAULT, Level::best());
        let mut update = |cells: &[Cell]| {
            let values: ArrayRef = Arc::new(Int64Array::from(vec![1; cells.len()]));
            table
                .update(&[column(&of, cells, Form::Plain)], &[values])
                .unwrap();
        };
        update(&cells);
        update(&[Cell::Null]);
        update(&cells);
        cells.push(Cell::Null);
        let groups: Vec<u32> = (0..=all as u32).collect();
        assert_eq!(table.len(), groups.len());
        assert_eq!(
            super::fixtures::cells(&table.key_columns(&groups).unwrap()[0]),
            cells
        );
        let counts = rows([&table.answers(&groups).unwrap()]);
        let count = |row: &Vec<Cell>| row[1].as_int().unwrap();
        assert!(counts[..all as usize].iter().all(|row| count(row) == 2));
        assert_eq!(count(&counts[all as usize]), 1);
    }
}

#[test]
fn shapes_refuse_what_cannot_be() {
    let data = Data {
        key_types: vec![DataType::Int32, DataType::Float16],
        value_type: DataType::Utf8,
        forms: Vec::new(),
        batches: Vec::new(),
    };
    let shape = |keys: &[&str], calls: &[&str]| {
        let keys: Vec<Expr> = keys.iter().map(|&key| col(key)).collect();
        let calls: Vec<_> = calls.iter().map(|call| call.parse().unwrap()).collect();
        GroupShape::new(&data.schema(), &keys, &calls)
    };
    assert!(shape(&["k0"], &["count", "count(v)"]).is_ok());
    for (keys, calls, message) in [
        (&[][..], &["count"][..], "group by at least one column"),
        (
            &["k9"],
            &["count"],
            "there is no column `k9`; the columns are: k0, k1, v",
        ),
        (
            &["k1"],
            &["count"],
            "column `k1` cannot be a key: it is Float16",
        ),
        (
            &["k0"],
            &["sum(v)"],
            "`sum` takes integers, floats and decimals, and not Utf8",
        ),
        (
            &["k0"],
            &["count", "count(*)"],
            "two columns of the answer are called `count(*)`",
        ),
        (
            &["k0", "k0"],
            &["count"],
            "two columns of the answer are called `k0`",
        ),
    ] {
        let error = shape(keys, calls).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn states_of_another_shape_are_refused() {
    let data = Data {
        key_types: vec![DataType::Int32],
        value_type: DataType::Int64,
        forms: vec![Form::Plain; 2],
        batches: Vec::new(),
    };
    let shape = shape(&data);
    let table = table(&shape, &Tuning::DEFAULT, Level::best());
    let states = table.states(&[]).unwrap();
    let check = |states: &RecordBatch| super::schema::check_columns(states, shape.state_schema());
    assert!(check(&states).is_ok());
    let fewer: Vec<usize> = (1..states.num_columns()).collect();
    let counts = GroupShape::counts().unwrap();
    assert_eq!(counts.schema(), &crate::count_schema());
    assert_eq!(counts.state_schema(), &crate::count_schema());
    for other in [
        states.project(&fewer).unwrap(),
        data.batch(&[]),
        RecordBatch::new_empty(crate::count_schema()),
    ] {
        assert_eq!(check(&other).unwrap_err().kind(), ErrorKind::State);
    }
}
