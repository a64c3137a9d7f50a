//! Aggregates against plain code over all values of a group: for random splits, workers, spills, merges of
//! states, budgets and stores, the answer is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use keymill_kernels::Tuning;
use proptest::prelude::*;
use proptest::sample::select;

use crate::aggregate::AggregateExpr;
use crate::operator::{Drain, GroupBy, Merged, Operator, Order};
use crate::state::fixtures::{Cell, Form, cells, column};
use crate::{BatchLimits, ErrorKind, MemoryBudget, Resources, Result, StateStore};

/// A row: the key and the arguments `x` and `y`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: i64,
    pub(super) x: Cell,
    pub(super) y: Cell,
}

/// The answer of a group; `None` if it does not fit its type.
pub(super) type Expected = Option<Cell>;

/// An aggregate, and plain code that computes it from the rows of a group, in their order.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) call: &'static str,
    pub(super) x: DataType,
    pub(super) y: DataType,
    pub(super) oracle: fn(&[Row]) -> Expected,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} and {}", self.call, self.x, self.y)
    }
}

/// How rows reach the answer.
#[derive(Clone, Debug)]
struct Run {
    tuning: Tuning,
    memory: usize,
    workers: usize,
    batch_rows: usize,
    form: Form,
    /// By batch: the worker, and what happens after it was pushed.
    steps: Vec<(usize, Step)>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    PushAsState,
    Spill,
    Merge,
}

fn any_run() -> impl Strategy<Value = Run> {
    let tunings = vec![Tuning::DEFAULT, Tuning::TINY, Tuning::TINY.all_colliding()];
    let step = prop_oneof![
        4 => Just(Step::Push),
        2 => Just(Step::PushAsState),
        1 => Just(Step::Spill),
        1 => Just(Step::Merge),
    ];
    let form = select(vec![Form::Plain, Form::Sliced, Form::Dictionary]);
    (
        select(tunings),
        select(vec![0, 4 << 10, 1 << 40]),
        1..4usize,
        1..30usize,
        form,
        proptest::collection::vec((0..4usize, step), 1..8),
    )
        .prop_map(|(tuning, memory, workers, batch_rows, form, steps)| Run {
            tuning,
            memory,
            workers,
            batch_rows,
            form,
            steps,
        })
}

fn batch(case: &Case, rows: &[Row], form: Form) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|it| it.key)));
    let of = |of: &DataType, cell: fn(&Row) -> &Cell| {
        let cells: Vec<Cell> = rows.iter().map(|row| cell(row).clone()).collect();
        column(of, &cells, form)
    };
    let (x, y) = (of(&case.x, |row| &row.x), of(&case.y, |row| &row.y));
    RecordBatch::try_from_iter([("k", keys), ("x", x), ("y", y)]).unwrap()
}

fn operator(case: &Case, schema: &SchemaRef, resources: &Resources) -> GroupBy {
    let call: AggregateExpr = case.call.parse().unwrap();
    GroupBy::new(schema, &["k".into()], &[call], resources).unwrap()
}

fn drained(operator: &mut GroupBy, drain: Drain) -> Result<Vec<RecordBatch>> {
    let batches = operator.drain(drain, &Order::None, BatchLimits::default())?;
    batches.collect()
}

/// Pushes rows through several operators, and returns the operator with all of them.
fn pushed(
    case: &Case,
    (rows, first): (&[Row], usize),
    run: &Run,
    resources: &Resources,
) -> Result<Vec<GroupBy>> {
    let mut position = first as i128;
    let schema = batch(case, &[], Form::Plain).schema();
    let make = || operator(case, &schema, resources);
    let mut workers: Vec<GroupBy> = (0..run.workers).map(|_| make()).collect();
    let steps = run.steps.iter().cycle();
    for (rows, &(worker, step)) in rows.chunks(run.batch_rows).zip(steps) {
        let worker = worker % run.workers;
        let rows = batch(case, rows, run.form);
        let row = position;
        position += rows.num_rows() as i128;
        match step {
            Step::PushAsState => {
                let mut other = make();
                other.at_row(row);
                other.push(&rows)?;
                for states in drained(&mut other, Drain::State)? {
                    workers[worker].push_state(&states)?;
                }
            }
            _ => {
                workers[worker].at_row(row);
                workers[worker].push(&rows)?;
            }
        }
        match step {
            Step::Spill => drop(workers[worker].spill()?),
            Step::Merge if run.workers > 1 => {
                let next = (worker + 1) % run.workers;
                let mut other = std::mem::replace(&mut workers[next], make());
                workers[worker].merge(&mut other)?;
            }
            _ => {}
        }
    }
    Ok(workers)
}

fn answers_in(batches: &[RecordBatch]) -> BTreeMap<i128, Cell> {
    let rows = batches.iter().flat_map(|batch| {
        let keys = cells(batch.column(0));
        let answers = cells(batch.column(1));
        keys.into_iter().zip(answers)
    });
    rows.map(|(key, answer)| (key.as_int().unwrap(), answer))
        .collect()
}

fn by_operator(case: &Case, rows: &[Row], run: &Run) -> Result<BTreeMap<i128, Cell>> {
    let resources = resources(run);
    let workers = pushed(case, (rows, 0), run, &resources)?;
    let mut merged = GroupBy::merge_all(workers)?;
    let batches = merged.drain(Drain::Values, &Order::None, BatchLimits::default())?;
    Ok(answers_in(&batches.collect::<Result<Vec<_>>>()?))
}

/// The same by a state store, and by one that only gets its deltas.
fn by_stores(case: &Case, rows: &[Row], run: &Run) -> Result<[BTreeMap<i128, Cell>; 2]> {
    let resources = resources(run);
    let schema = batch(case, &[], Form::Plain).schema();
    let call: AggregateExpr = case.call.parse().unwrap();
    let new_store = || {
        let store = StateStore::for_group_by(&schema, ["k"], [call.clone()]);
        store.unwrap().partitions(2).build().unwrap()
    };
    let (store, follower) = (new_store(), new_store());
    let (first, second) = rows.split_at(rows.len() / 2);
    for rows in [(first, 0), (second, first.len())] {
        for mut worker in pushed(case, rows, run, &resources)? {
            for states in drained(&mut worker, Drain::State)? {
                store.merge(&states, 0)?;
            }
        }
        follower.apply(&store.delta()?)?;
        store.commit()?;
    }
    let values = |store: &StateStore| store.values()?.collect::<Result<Vec<_>>>();
    Ok([
        answers_in(&values(&store)?),
        answers_in(&values(&follower)?),
    ])
}

fn resources(run: &Run) -> Resources {
    Resources {
        tuning: run.tuning,
        memory: MemoryBudget::new(run.memory),
        seed: 7,
        ..Resources::default()
    }
}

fn check(case: &Case, rows: &[Row], run: &Run) -> std::result::Result<(), TestCaseError> {
    let mut groups: BTreeMap<i128, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.key.into()).or_default().push(row.clone());
    }
    let expected: Option<BTreeMap<i128, Cell>> = groups
        .iter()
        .map(|(key, rows)| Some((*key, (case.oracle)(rows)?)))
        .collect();
    let (found, of_stores) = (by_operator(case, rows, run), by_stores(case, rows, run));
    let Some(expected) = expected else {
        for error in [found.unwrap_err(), of_stores.unwrap_err()] {
            prop_assert_eq!(error.kind(), ErrorKind::Capacity);
        }
        return Ok(());
    };
    prop_assert_eq!(&found.unwrap(), &expected);
    for found in of_stores.unwrap() {
        prop_assert_eq!(&found, &expected);
    }
    Ok(())
}

/// Runs a case on random rows. `value` gives values of `x` and `y`.
pub(super) fn test(case: &Case, x: &BoxedStrategy<Cell>, y: &BoxedStrategy<Cell>, runs: u32) {
    let or_null =
        |value: &BoxedStrategy<Cell>| prop_oneof![1 => Just(Cell::Null), 5 => value.clone()];
    let row = (0..4i64, or_null(x), or_null(y)).prop_map(|(key, x, y)| Row { key, x, y });
    let rows = proptest::collection::vec(row, 0..60);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: runs,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let tested = runner.run(&(rows, any_run()), |(rows, run)| check(case, &rows, &run));
    tested.unwrap_or_else(|error| panic!("{case:?}: {error}"));
}
