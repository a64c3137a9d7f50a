//! Group-by against a map from the standard library, over every way of running it.

mod memory;
mod refusals;

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Schema};
use keymill_kernels::Tuning;
use proptest::prelude::*;
use proptest::sample::select;

use super::GroupBy;
use crate::aggregate::{count, count_rows, max, mean, min, sum};
use crate::expr::{Expr, col};
use crate::operator::{Drain, Merged, Operator, Order, OrderBy};
use crate::state::fixtures::{Cell, Data, Form, INTEGERS, every_aggregate, expected, rows};
use crate::{BatchLimits, Cancel, ErrorKind, MemoryBudget, Resources, Result};

/// More than any test takes.
const UNBOUNDED: usize = 1 << 40;

fn resources(tuning: Tuning, memory: usize) -> Resources {
    Resources {
        tuning,
        memory: MemoryBudget::new(memory),
        seed: 11,
        ..Resources::default()
    }
}

fn tunings() -> Vec<Tuning> {
    let [default, tiny] = [Tuning::DEFAULT, Tuning::TINY];
    vec![default, default.all_colliding(), tiny, tiny.all_colliding()]
}

fn operator(data: &Data, resources: &Resources) -> GroupBy {
    let keys: Vec<Expr> = data.key_names().into_iter().map(Expr::from).collect();
    GroupBy::new(&data.schema(), &keys, &every_aggregate(), resources).unwrap()
}

/// Runs in a pool of so many threads.
fn in_pool<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "parallel")]
    if threads > 1 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        return pool.unwrap().install(run);
    }
    let _ = threads;
    run()
}

/// The groups that the obvious code finds; `None` where the sum of one does not fit its type.
fn groups_of(data: &Data) -> Option<Vec<Vec<Cell>>> {
    let range = match data.value_type.is_signed_integer() {
        true => i64::MIN.into()..=i64::MAX.into(),
        false => 0..=u64::MAX.into(),
    };
    let groups = data.by_key().into_iter();
    groups
        .map(|(key, values)| {
            let answers = expected(&values);
            let fits = answers[2]
                .as_int()
                .is_none_or(|total: i128| range.contains(&total));
            fits.then(|| [key, answers].concat())
        })
        .collect()
}

/// Compares two values as an order does: nulls last; −0.0 is 0.0, and NaN the largest float.
fn compare(one: &Cell, other: &Cell, descending: bool) -> Ordering {
    let nulls = (*one == Cell::Null).cmp(&(*other == Cell::Null));
    let values = match (one.as_float(), other.as_float()) {
        (Some(one), Some(other)) => {
            let of_nan = one.is_nan().cmp(&other.is_nan());
            one.partial_cmp(&other).unwrap_or(of_nan)
        }
        _ => one.cmp(other),
    };
    nulls.then(match descending {
        true => values.reverse(),
        false => values,
    })
}

/// What an order says of two rows: the columns, then the keys.
fn compare_rows(one: &[Cell], other: &[Cell], by: &[(usize, bool)], keys: usize) -> Ordering {
    let keys = (0..keys).map(|key| (key, false));
    let mut columns = by.iter().copied().chain(keys);
    let differs = columns.find_map(|(column, descending)| {
        let order = compare(&one[column], &other[column], descending);
        (order != Ordering::Equal).then_some(order)
    });
    differs.unwrap_or(Ordering::Equal)
}

/// An order over the columns of a data set, and the numbers of its columns.
#[derive(Clone, Debug)]
enum Wanted {
    None,
    Key,
    Count,
    Columns(Vec<(usize, bool)>),
}

impl Wanted {
    fn strategy() -> impl Strategy<Value = Self> {
        let columns = proptest::collection::vec((0..64usize, any::<bool>()), 1..4);
        prop_oneof![
            Just(Self::None),
            Just(Self::Key),
            Just(Self::Count),
            columns.prop_map(Self::Columns),
        ]
    }

    fn of(&self, schema: &Schema, keys: usize) -> (Order, Option<Vec<(usize, bool)>>) {
        match self {
            Self::None => (Order::None, None),
            Self::Key => (Order::Key, Some(Vec::new())),
            Self::Count => (Order::Count, Some(vec![(keys, true)])),
            Self::Columns(columns) => {
                let number = |column: usize| column % schema.fields().len();
                let columns: Vec<_> = columns.iter().map(|&(c, d)| (number(c), d)).collect();
                let by = columns.iter().map(|&(column, descending)| {
                    let by = OrderBy::new(schema.field(column).name());
                    if descending { by.descending() } else { by }
                });
                (Order::Columns(by.collect()), Some(columns))
            }
        }
    }
}

/// What happens to a batch before and when it is pushed.
#[derive(Clone, Debug)]
struct Push {
    worker: usize,
    form: Form,
    spills: bool,
    merges: bool,
    /// Whether the rows come as the state columns of another operator, and of how many rows each.
    as_state: Option<usize>,
}

#[derive(Clone, Debug)]
struct Run {
    tuning: Tuning,
    memory: usize,
    threads: usize,
    workers: usize,
    pushes: Vec<Push>,
    by_merge_all: bool,
    order: Wanted,
    top: Option<usize>,
    batch_rows: usize,
    batch_bytes: usize,
}

prop_compose! {
    fn push()(
        worker in 0..5usize,
        form in select(vec![Form::Plain, Form::Sliced, Form::Dictionary]),
        spills in proptest::bool::weighted(0.2),
        merges in proptest::bool::weighted(0.2),
        as_state in proptest::option::weighted(0.3, select(vec![1, 3, 1000])),
    ) -> Push {
        Push { worker, form, spills, merges, as_state }
    }
}

prop_compose! {
    fn any_run()(
        tuning in select(tunings()),
        memory in select(vec![0, 1, 4 << 10, 20 << 10, 300 << 10, UNBOUNDED]),
        threads in 1..4usize,
        workers in 1..=5usize,
        pushes in proptest::collection::vec(push(), 1..8),
        by_merge_all in any::<bool>(),
        order in Wanted::strategy(),
        top in proptest::option::weighted(0.3, select(vec![0, 1, 3, 20])),
        batch_rows in select(vec![1, 7, 16 << 10]),
        batch_bytes in select(vec![0, 1, 200, 1 << 20]),
    ) -> Run {
        Run { tuning, memory, threads, workers, pushes, by_merge_all, order, top, batch_rows, batch_bytes }
    }
}

/// Pushes a data set by several operators, and drains them together.
fn run(data: &Data, run: &Run, resources: &Resources, drain: Drain) -> Result<Vec<RecordBatch>> {
    let make = || operator(data, resources);
    let mut workers: Vec<GroupBy> = (0..run.workers).map(|_| make()).collect();
    for (rows, push) in data.batches.iter().zip(run.pushes.iter().cycle()) {
        let forms = vec![push.form; data.forms.len()];
        let batch = Data {
            forms,
            ..data.clone()
        }
        .batch(rows);
        let number = push.worker % run.workers;
        if push.merges && run.workers > 1 {
            let mut other = std::mem::replace(&mut workers[(number + 1) % run.workers], make());
            workers[number].merge(&mut other)?;
            assert!(drained(&mut other, Drain::Values)?.is_empty());
        }
        match push.as_state {
            None => workers[number].push(&batch)?,
            Some(rows) => {
                let mut other = make();
                other.push(&batch)?;
                for states in drained(&mut other, Drain::State)? {
                    for first in (0..states.num_rows()).step_by(rows) {
                        let rows = rows.min(states.num_rows() - first);
                        workers[number].push_state(&states.slice(first, rows))?;
                    }
                }
            }
        }
        if push.spills {
            workers[number].spill()?;
        }
    }
    let limits = BatchLimits {
        rows: run.batch_rows,
        bytes: run.batch_bytes,
        top: run.top,
    };
    let schema = match drain {
        Drain::Values => workers[0].schema(),
        Drain::State => workers[0].state_schema(),
    };
    let (order, _) = run.order.of(&schema, data.key_types.len());
    let batches = match run.by_merge_all {
        true => GroupBy::merge_all(workers)?.drain(drain, &order, limits)?,
        false => {
            let mut whole = workers.remove(0);
            workers
                .iter_mut()
                .try_for_each(|other| whole.merge(other))?;
            whole.drain(drain, &order, limits)?
        }
    };
    batches.collect()
}

fn drained(operator: &mut GroupBy, drain: Drain) -> Result<Vec<RecordBatch>> {
    let batches = operator.drain(drain, &Order::None, BatchLimits::default())?;
    batches.collect()
}

/// Types whose sums fit, mostly.
fn value_types() -> Vec<DataType> {
    let floats = [DataType::Float32, DataType::Float64];
    INTEGERS.into_iter().chain(floats).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_way_of_running_gives_the_groups_of_a_map(
        data in Data::strategy(value_types()),
        plan in any_run(),
    ) {
        let resources = Resources {
            threads: plan.threads,
            ..resources(plan.tuning, plan.memory)
        };
        let found = in_pool(plan.threads, || run(&data, &plan, &resources, Drain::Values));
        let Some(mut wanted) = groups_of(&data) else {
            // Those that fit may be all that were asked for.
            if let Err(error) = found {
                prop_assert_eq!(error.kind(), ErrorKind::Capacity);
                prop_assert!(error.to_string().contains("`sum(v)` of the key `"), "{}", error);
            }
            return Ok(());
        };
        let found = found.unwrap();
        for batch in &found {
            prop_assert!(batch.num_rows() > 0 && batch.num_rows() <= plan.batch_rows);
        }
        prop_assert_eq!(resources.memory.taken(), 0);
        let mut found = rows(&found);
        let keys = data.key_types.len();
        let schema = operator(&data, &resources).schema();
        let top = plan.top.unwrap_or(usize::MAX);
        match plan.order.of(&schema, keys).1 {
            Some(by) => {
                wanted.sort_by(|one, other| compare_rows(one, other, &by, keys));
                wanted.truncate(top);
                prop_assert_eq!(found, wanted);
            }
            None if plan.top.is_some() => {
                prop_assert_eq!(found.len(), top.min(wanted.len()));
                prop_assert!(found.iter().all(|row| wanted.contains(row)));
            }
            None => {
                found.sort();
                wanted.sort();
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn every_way_of_running_gives_the_same_state(
        data in Data::strategy(value_types()),
        plan in any_run(),
    ) {
        let plan = Run { top: None, ..plan };
        let resources = resources(plan.tuning, plan.memory);
        let mut found = rows(&run(&data, &plan, &resources, Drain::State).unwrap());
        let keys = data.key_types.len();
        let mut whole = operator(&data, &resources_of_one_table());
        data.batches.iter().for_each(|rows| whole.push(&data.batch(rows)).unwrap());
        let schema = whole.state_schema();
        let mut wanted = rows(&drained(&mut whole, Drain::State).unwrap());
        match plan.order.of(&schema, keys).1 {
            // Sums of floats are kept as bytes, which have their own order.
            Some(by) => wanted.sort_by(|one, other| compare_rows(one, other, &by, keys)),
            None => {
                wanted.sort();
                found.sort();
            }
        }
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn a_full_disk_is_an_error_and_gives_the_memory_back(
        data in Data::strategy(vec![DataType::Int16]),
        limit in 0..5000u64,
        rows in 1..50usize,
    ) {
        let resources = resources(Tuning::TINY, 1);
        let mut one = operator(&data, &resources);
        one.limit_spill(limit);
        let mut failed = None;
        for batch in data.batches.iter().flat_map(|all| all.chunks(rows)) {
            failed = one.push(&data.batch(batch)).err();
            if failed.is_some() {
                break;
            }
        }
        let result = match failed {
            Some(error) => Err(error),
            None => drained(&mut one, Drain::Values),
        };
        match result {
            Ok(_) => prop_assert!(one.metrics().spilled_bytes <= limit),
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Capacity);
                let refused = one.push(&data.batch(&[])).map_or_else(|e| Some(e.kind()), |()| None);
                prop_assert!(matches!(refused, Some(ErrorKind::State) | None));
            }
        }
        drop(one);
        prop_assert_eq!(resources.memory.taken(), 0);
    }
}

fn resources_of_one_table() -> Resources {
    resources(Tuning::DEFAULT, UNBOUNDED)
}

fn batch_of(keys: &[Option<&str>], values: &[i64]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
    let values: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("k", keys), ("v", values)]).unwrap()
}

fn sums(resources: &Resources) -> GroupBy {
    let schema = batch_of(&[], &[]).schema();
    GroupBy::new(&schema, &[col("k")], &[sum("v")], resources).unwrap()
}

/// Rows of more groups than a small budget holds.
fn many_rows(groups: i64) -> RecordBatch {
    let names: Vec<String> = (0..groups).map(|n| format!("key {n}")).collect();
    let keys: Vec<_> = names.iter().map(|name| Some(name.as_str())).collect();
    batch_of(&keys, &(0..groups).collect::<Vec<_>>())
}

fn rows_of(operator: &mut GroupBy) -> Vec<Vec<Cell>> {
    let mut rows = rows(&drained(operator, Drain::Values).unwrap());
    rows.sort();
    rows
}

#[test]
fn the_order_by_count_is_that_of_the_first_count() {
    let rows = batch_of(&[Some("a"), Some("b"), Some("b")], &[9, 1, 1]);
    let resources = resources(Tuning::DEFAULT, UNBOUNDED);
    let first = |calls: &[crate::aggregate::AggregateExpr]| {
        let mut one = GroupBy::new(&rows.schema(), &[col("k")], calls, &resources).unwrap();
        one.push(&rows).unwrap();
        let limits = BatchLimits::default();
        let batches = one.drain(Drain::Values, &Order::Count, limits)?;
        let batches: Vec<RecordBatch> = batches.collect::<Result<_>>().unwrap();
        Ok::<_, crate::Error>(batches[0].column(0).as_string::<i32>().value(0).to_owned())
    };
    assert_eq!(first(&[count_rows()]).unwrap(), "b");
    assert_eq!(first(&[sum("v"), count_rows().alias("n")]).unwrap(), "b");
    assert_eq!(first(&[count("v").alias("rows")]).unwrap(), "b");
    let error = first(&[sum("v").alias("counted")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    // No count: the name alone does not make one.
    let unsigned: ArrayRef = Arc::new(arrow_array::UInt64Array::from(vec![9, 1, 1]));
    let rows = RecordBatch::try_from_iter([("k", rows.column(0).clone()), ("v", unsigned)]);
    let rows = rows.unwrap();
    let calls = [sum("v").alias("count of v"), count_rows()];
    let mut one = GroupBy::new(&rows.schema(), &[col("k")], &calls, &resources).unwrap();
    one.push(&rows).unwrap();
    let limits = BatchLimits::default();
    let mut batches = one.drain(Drain::Values, &Order::Count, limits).unwrap();
    let batch = batches.next().unwrap().unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "b");
}

#[test]
fn sums_of_floats_are_the_same_bits_however_they_are_split() {
    let values: Vec<f64> = (0..3000u64)
        .map(|n| {
            (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 * 1e-13 * (-1f64).powi(n as i32)
        })
        .map(|value| value * 10f64.powi((value * 1e3) as i32 % 40))
        .collect();
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..3000).map(|n| n % 7)));
    let values: ArrayRef = Arc::new(Float64Array::from(values));
    let batch = RecordBatch::try_from_iter([("k", keys), ("v", values)]).unwrap();
    let calls = [sum("v"), mean("v")];
    let bits = |tuning, memory, step: usize, workers: usize| -> Vec<u64> {
        let resources = resources(tuning, memory);
        let make = || GroupBy::new(&batch.schema(), &[col("k")], &calls, &resources).unwrap();
        let mut all: Vec<GroupBy> = (0..workers).map(|_| make()).collect();
        for (number, first) in (0..3000).step_by(step).enumerate() {
            let rows = batch.slice(first, step.min(3000 - first));
            all[number % workers].push(&rows).unwrap();
        }
        let mut merged = GroupBy::merge_all(all).unwrap();
        let limits = BatchLimits::default();
        let batches = merged.drain(Drain::Values, &Order::Key, limits).unwrap();
        let batches: Vec<RecordBatch> = batches.collect::<Result<_>>().unwrap();
        let columns = batches.iter().flat_map(|batch| &batch.columns()[1..]);
        columns
            .flat_map(|column| column.as_primitive::<Float64Type>().values().to_vec())
            .map(f64::to_bits)
            .collect()
    };
    let wanted = bits(Tuning::DEFAULT, UNBOUNDED, 3000, 1);
    assert_eq!(wanted.len(), 14);
    for tuning in tunings() {
        for (memory, step, workers) in [(UNBOUNDED, 7, 1), (1, 500, 3), (50 << 10, 1000, 2)] {
            assert_eq!(bits(tuning, memory, step, workers), wanted);
        }
    }
}
