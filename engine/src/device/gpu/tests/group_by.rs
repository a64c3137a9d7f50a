//! Whole jobs that group columns: as the processor groups them, and so when the device fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch, StringArray,
    UInt64Array,
};

use proptest::prelude::*;

use super::reduce_by_key::mixed;
use super::software;
use crate::aggregate::{AggregateExpr, count, count_rows, max, mean, min, sum};
use crate::device::gpu::Gpu;
use crate::device::gpu::fault_injection::{FaultInjection, InjectedFault};
use crate::device::{Device, SharedDevice};
use crate::{Cancel, DeviceChoice, Engine, ErrorKind, Groups, JobMetrics, Tuning};

/// Chunks of some hundred rows.
const SMALL: Tuning = Tuning {
    device_chunk_bytes: 1 << 12,
    ..Tuning::DEFAULT
};

/// Creates an engine whose first device gets an injected fault. The next device works.
fn with_fault(choice: DeviceChoice, tuning: Tuning, injected: &InjectedFault) -> Option<Engine> {
    let found = software()?;
    let injected = injected.clone();
    let is_first = AtomicBool::new(true);
    let shared_device = SharedDevice::new(Box::new(move || {
        let device = Gpu::open(&found, found.offers)?;
        if is_first.swap(false, Ordering::Relaxed) {
            device.inject(injected.clone())?;
        }
        Ok(Arc::new(device) as Arc<dyn Device>)
    }));
    let builder = Engine::builder().threads(2).tuning(tuning).device(choice);
    Some(builder.build().unwrap().with_shared_device(shared_device))
}

fn engine(choice: DeviceChoice, tuning: Tuning) -> Option<Engine> {
    let none = InjectedFault::after(usize::MAX, FaultInjection::Destroyed);
    with_fault(choice, tuning, &none)
}

fn processor() -> Engine {
    let builder = Engine::builder().threads(2).device(DeviceChoice::Cpu);
    builder.build().unwrap()
}

/// All that a device computes, of two columns of values.
fn all() -> Vec<AggregateExpr> {
    vec![
        count_rows(),
        sum("x"),
        min("x"),
        max("x"),
        mean("x"),
        count("y"),
        min("y"),
        max("y"),
        mean("y"),
    ]
}

fn group(engine: &Engine, batches: &[RecordBatch], aggregates: Vec<AggregateExpr>) -> Groups {
    let job = engine.read_batches(batches.to_vec()).group_by(["key"]);
    job.agg(aggregates).collect().unwrap()
}

/// Compares with the processor, and gives what the job did.
fn compare(engine: &Engine, batches: &[RecordBatch], aggregates: &[AggregateExpr]) -> JobMetrics {
    let found = group(engine, batches, aggregates.to_vec());
    let expected = group(&processor(), batches, aggregates.to_vec());
    let choice = engine.device();
    assert_eq!(
        found.to_batch().unwrap(),
        expected.to_batch().unwrap(),
        "{choice}"
    );
    assert_eq!(found.metrics().tokens, expected.metrics().tokens);
    found.metrics().clone()
}

fn table(keys: ArrayRef, x: ArrayRef, y: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("key", keys), ("x", x), ("y", y)]).unwrap()
}

/// Values near zero, so that their sums fit.
fn small(rows: usize) -> ArrayRef {
    let values = mixed(rows).map(|word| word as i64 >> 24);
    Arc::new(values.collect::<Int64Array>())
}

/// Unsigned values up to the largest that a device takes.
fn unsigned(rows: usize) -> ArrayRef {
    let values = mixed(rows).map(|word| word.rotate_left(9) >> 1);
    Arc::new(
        values
            .chain([i64::MAX as u64])
            .take(rows)
            .collect::<UInt64Array>(),
    )
}

fn batches_of(keys: &ArrayRef, rows_each: usize) -> Vec<RecordBatch> {
    let rows = keys.len();
    let whole = table(Arc::clone(keys), small(rows), unsigned(rows));
    let firsts = (0..rows).step_by(rows_each);
    firsts
        .map(|first| whole.slice(first, rows_each.min(rows - first)))
        .collect()
}

/// Keys of each type of integers: these bits, as far as they go, and the ends of the type.
fn keys_of_every_type(bits: &[u64]) -> Vec<ArrayRef> {
    let ends = [
        0,
        u64::MAX,
        0x7f,
        0x80,
        0x7fff,
        0x8000,
        0x7fff_ffff,
        0x8000_0000,
    ];
    let ends = ends.into_iter().chain([i64::MAX as u64, i64::MIN as u64]);
    let all: Vec<u64> = ends.chain(bits.iter().copied()).collect();
    fn keys<T: ArrowPrimitiveType>(all: &[u64], narrow: fn(u64) -> T::Native) -> ArrayRef {
        let keys = all.iter().map(|&bits| narrow(bits));
        Arc::new(PrimitiveArray::<T>::from_iter_values(keys))
    }
    vec![
        keys::<Int8Type>(&all, |bits| bits as i8),
        keys::<Int16Type>(&all, |bits| bits as i16),
        keys::<Int32Type>(&all, |bits| bits as i32),
        keys::<Int64Type>(&all, |bits| bits as i64),
        keys::<UInt8Type>(&all, |bits| bits as u8),
        keys::<UInt16Type>(&all, |bits| bits as u16),
        keys::<UInt32Type>(&all, |bits| bits as u32),
        keys::<UInt64Type>(&all, |bits| bits),
    ]
}

#[test]
fn keys_of_every_type_of_integers() {
    let Some(engine) = engine(DeviceChoice::Gpu, SMALL) else {
        return;
    };
    let bits: Vec<u64> = mixed(1500).map(|word| word.rotate_left(7)).collect();
    for keys in keys_of_every_type(&bits) {
        let metrics = compare(&engine, &batches_of(&keys, 400), &all());
        let rows_of_chunk = SMALL.device_chunk_bytes / 24;
        let chunks = keys.len().div_ceil(rows_of_chunk) as u64;
        assert_eq!((metrics.gpu_chunks, metrics.cpu_chunks), (chunks, 0));
        assert!(metrics.adapter.is_some(), "{metrics}");
    }
}

#[test]
fn few_groups_and_as_many_as_rows() {
    let rows = 40_000;
    for choice in [DeviceChoice::Gpu, DeviceChoice::Hybrid] {
        let Some(engine) = engine(choice, Tuning::DEFAULT) else {
            return;
        };
        for distinct in [1, 2, 100, 5000, u64::MAX] {
            let keys = mixed(rows).map(|word| (word % distinct).wrapping_sub(distinct / 2) as i64);
            let keys: ArrayRef = Arc::new(keys.collect::<Int64Array>());
            compare(&engine, &batches_of(&keys, 7000), &all());
            compare(&engine, &batches_of(&keys, rows), &[count_rows()]);
        }
    }
}

/// Chunks with ever more groups than the one before: the table has no room for them.
#[test]
fn a_chunk_with_more_groups_than_the_last_one() {
    let Some(engine) = engine(DeviceChoice::Gpu, SMALL) else {
        return;
    };
    let keys = (0..4000i64).map(|row| if row < 1000 { 7 } else { row - 2000 });
    let keys: ArrayRef = Arc::new(keys.collect::<Int64Array>());
    let metrics = compare(&engine, &batches_of(&keys, 512), &all());
    assert_eq!(metrics.cpu_chunks, 0, "{metrics}");
}

#[test]
fn tiny_sizes_and_hashes_that_are_all_equal() {
    let bits: Vec<u64> = mixed(60).map(|word| word % 9).collect();
    for tuning in [Tuning::TINY, Tuning::TINY.all_colliding()] {
        for choice in [DeviceChoice::Gpu, DeviceChoice::Hybrid] {
            let Some(engine) = engine(choice, tuning) else {
                return;
            };
            for keys in keys_of_every_type(&bits).into_iter().skip(2).step_by(3) {
                compare(&engine, &batches_of(&keys, 11), &all());
            }
        }
    }
}

#[test]
fn a_device_whose_groups_are_spilled() {
    let rows = 60_000;
    let keys: ArrayRef = Arc::new(mixed(rows).collect::<UInt64Array>());
    for choice in [DeviceChoice::Gpu, DeviceChoice::Hybrid] {
        let Some(engine) = engine(choice, Tuning::DEFAULT) else {
            return;
        };
        let metrics = compare(
            &engine.with_memory(2 << 20),
            &batches_of(&keys, 9000),
            &all(),
        );
        assert!(metrics.spilled_bytes > 0, "{metrics}");
    }
}

#[test]
fn extremes_of_values_and_sums_beyond_64_bits() {
    let Some(engine) = engine(DeviceChoice::Gpu, SMALL) else {
        return;
    };
    let rows = 900;
    let ends = [i64::MIN, i64::MAX, -1, i64::MIN + 1, 0];
    let x: ArrayRef = Arc::new((0..rows).map(|row| ends[row % 5]).collect::<Int64Array>());
    let keys: ArrayRef = Arc::new((0..rows as i32).map(|row| row % 2).collect::<Int32Array>());
    let batch = table(keys, x, unsigned(rows));
    let fitting = [count_rows(), min("x"), max("x"), mean("x"), mean("y")];
    compare(&engine, std::slice::from_ref(&batch), &fitting);
    let job = |engine: &Engine| {
        let job = engine.read_batches([batch.clone()]).group_by(["key"]);
        job.agg([sum("y")]).collect().unwrap_err()
    };
    let (found, expected) = (job(&engine), job(&processor()));
    assert_eq!(found.kind(), ErrorKind::Capacity);
    assert_eq!(found.to_string(), expected.to_string());
}

#[test]
fn what_a_device_cannot_take_goes_to_the_processor_and_that_is_said() {
    let Some(engine) = engine(DeviceChoice::Gpu, SMALL) else {
        return;
    };
    let rows = 600;
    let keys: ArrayRef = Arc::new((0..rows as i32).map(|row| row % 7).collect::<Int32Array>());
    let with_nulls = (0..rows as i64).map(|row| (row % 5 > 0).then_some(row));
    let with_nulls: ArrayRef = Arc::new(with_nulls.collect::<Int64Array>());
    let beyond: ArrayRef = Arc::new(
        (0..rows as u64)
            .map(|row| row << 55)
            .collect::<UInt64Array>(),
    );
    let whole = table(Arc::clone(&keys), small(rows), unsigned(rows));
    for (other, why) in [
        (
            table(Arc::clone(&keys), Arc::clone(&with_nulls), unsigned(rows)),
            "nulls",
        ),
        (table(keys, small(rows), beyond), "2^63"),
    ] {
        let calls = [
            count_rows(),
            sum("x"),
            count("x"),
            min("x"),
            max("y"),
            mean("y"),
        ];
        let metrics = compare(&engine, &[whole.clone(), other, whole.clone()], &calls);
        assert!(
            metrics.gpu_chunks > 0 && metrics.cpu_chunks == 1,
            "{metrics}"
        );
        let remarks = metrics.remarks.concat();
        assert!(remarks.contains(why), "{remarks}");
    }
    let null_keys = with_nulls;
    let batch = table(null_keys, small(rows), unsigned(rows));
    assert_eq!(compare(&engine, &[batch], &all()).gpu_chunks, 0);
}

#[test]
fn what_no_device_can_run_is_refused_before_anything_runs() {
    let rows = 50;
    let x: ArrayRef = Arc::new((0..rows).map(|row| row as f64).collect::<Float64Array>());
    let names: ArrayRef = Arc::new(
        (0..rows)
            .map(|row| Some(row.to_string()))
            .collect::<StringArray>(),
    );
    let floats = table(unsigned(rows), x, small(rows));
    let strings = table(names, small(rows), small(rows));
    for choice in [DeviceChoice::Gpu, DeviceChoice::Hybrid] {
        let Some(engine) = engine(choice.clone(), SMALL) else {
            return;
        };
        for (batch, why) in [
            (&floats, "`sum(x)` of integers"),
            (&strings, "`key` is Utf8"),
        ] {
            let metrics = compare(&engine, std::slice::from_ref(batch), &[sum("x")]);
            assert_eq!((metrics.gpu_chunks, &metrics.adapter), (0, &None));
            for said in [metrics.remarks.concat(), metrics.decisions.concat()] {
                assert!(said.contains(why), "{said}");
            }
            let job = engine.read_batches([batch.clone()]).group_by(["key"]);
            let plan = job.agg([sum("x")]).explain();
            assert!(
                plan.contains(why) && plan.contains(&format!("cpu, not {choice}")),
                "{plan}"
            );
        }
    }
}

#[test]
fn a_plan_names_the_device() {
    let Some(engine) = engine(DeviceChoice::Gpu, SMALL) else {
        return;
    };
    let keys: ArrayRef = Arc::new((0..9).collect::<Int32Array>());
    let batch = table(keys, small(9), small(9));
    let mut job = engine
        .read_batches([batch])
        .group_by(["key"])
        .agg([sum("x")]);
    let plan = job.explain();
    let found = software().unwrap();
    let device = plan.lines().find_map(|line| line.strip_prefix("device"));
    let device = device.unwrap_or_default();
    assert!(device.contains(&found.name), "{plan}");
    assert!(
        device.ends_with("as requested; chunks up to 4096 bytes"),
        "{plan}"
    );
    let metrics = job.collect().unwrap().metrics().clone();
    let decisions = metrics.decisions.concat();
    assert!(decisions.contains("9 rows measured in"), "{decisions}");
}

/// A fault after so many commands of a job; `None` where the job has fewer.
fn run_with_fault(
    after: usize,
    fault: FaultInjection,
    batches: &[RecordBatch],
) -> Option<JobMetrics> {
    let injected = InjectedFault::after(after, fault);
    let engine = with_fault(DeviceChoice::Gpu, SMALL, &injected)?;
    let metrics = compare(&engine, batches, &all());
    (injected.commands() > after).then_some(metrics)
}

#[test]
fn a_device_may_fail_at_any_command() {
    let bits: Vec<u64> = mixed(800).map(|word| word % 90).collect();
    let batches = batches_of(&keys_of_every_type(&bits)[3], 300);
    for (fault, step) in [
        (FaultInjection::Destroyed, 2),
        (FaultInjection::Zeros, 1),
        (FaultInjection::Panic, 5),
        (FaultInjection::Refusal, 7),
        (FaultInjection::OutOfMemory, 11),
    ] {
        let mut commands = 0;
        while let Some(metrics) = run_with_fault(commands, fault, &batches) {
            let remarks = metrics.remarks.concat();
            let said = remarks.matches("again on the processor").count();
            assert_eq!(said, 1, "{fault:?} after {commands} commands: {remarks}");
            assert!(metrics.cpu_chunks > 0, "nothing was redone: {metrics}");
            commands += step;
        }
        assert!(commands > 20 || software().is_none(), "{commands} commands");
    }
}

#[test]
fn an_interrupt_does_not_wait_for_a_device() {
    let injected = InjectedFault::after(20, FaultInjection::Hang);
    let Some(engine) = with_fault(DeviceChoice::Gpu, SMALL, &injected) else {
        return;
    };
    let keys = keys_of_every_type(&mixed(800).collect::<Vec<_>>())[3].clone();
    let cancel = Cancel::default();
    let job = engine.read_batches(batches_of(&keys, 300)).cancel(&cancel);
    let began = std::time::Instant::now();
    let interrupt = std::thread::spawn(move || {
        while injected.commands() <= 20 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        cancel.cancel();
    });
    let error = job.group_by(["key"]).agg(all()).collect().unwrap_err();
    interrupt.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert!(began.elapsed() < super::HANG, "{:?}", began.elapsed());
}

/// A row of a random table: a key, and two values of which one may be null or beyond what a device takes.
type Row = (i16, Option<i32>, u64);

fn random_batch(rows: &[Row]) -> RecordBatch {
    let keys = rows.iter().map(|row| row.0);
    let x = rows.iter().map(|row| row.1);
    let y = rows.iter().map(|row| row.2);
    table(
        Arc::new(keys.collect::<PrimitiveArray<Int16Type>>()),
        Arc::new(x.collect::<Int32Array>()),
        Arc::new(y.collect::<UInt64Array>()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn random_tables_are_grouped_as_the_processor_groups_them(
        batches in prop::collection::vec(
            (
                prop::collection::vec((any::<i16>(), any::<Option<i32>>(), any::<u64>()), 1..300),
                any::<bool>(),
                any::<bool>(),
            ),
            1..5,
        ),
        distinct in prop_oneof![Just(3i16), Just(100), Just(i16::MAX)],
        is_tiny in prop::bool::weighted(0.2),
    ) {
        let tuning = if is_tiny { Tuning::TINY } else { SMALL };
        for choice in [DeviceChoice::Gpu, DeviceChoice::Hybrid] {
            let Some(engine) = engine(choice, tuning) else { break };
            let batches: Vec<RecordBatch> = batches.iter().map(|(rows, has_nulls, is_large)| {
                let row = |row: &Row| (
                    row.0 % distinct,
                    row.1.or((!has_nulls).then_some(0)),
                    if *is_large { row.2 } else { row.2 >> 1 },
                );
                random_batch(&rows.iter().map(row).collect::<Vec<_>>())
            }).collect();
            compare(&engine, &batches, &all());
        }
    }
}
