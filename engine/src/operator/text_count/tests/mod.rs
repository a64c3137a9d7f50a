//! Every order, drain, budget, thread count and limit against a plain map.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{
    ArrayRef, BinaryArray, BinaryViewArray, Int32Array, LargeBinaryArray, LargeStringArray,
    StringArray, StringViewArray,
};

mod compact;
mod merge;
mod multi_table;

use super::columns::ColumnBuilder;
use super::*;
use crate::{Cancel, MemoryBudget, Tuning};

type Rows = Vec<(Vec<u8>, u64)>;
type Oracle = BTreeMap<Vec<u8>, u64>;

const UNBOUNDED: usize = 1 << 40;

fn resources(limits: Tuning, memory: usize, threads: usize) -> Resources {
    Resources {
        tuning: limits,
        threads,
        memory: MemoryBudget::new(memory),
        seed: 0x5eed,
        ..Resources::default()
    }
}

fn operator(resources: &Resources) -> TextCount {
    TextCount::new(&TokenRule::Whitespace, resources).unwrap()
}

fn every_setting(mut check: impl FnMut(&Resources)) {
    let all = [Tuning::DEFAULT, Tuning::TINY];
    for limits in all.into_iter().chain(all.map(Tuning::all_colliding)) {
        for memory in [1 << 10, 64 << 10, UNBOUNDED] {
            for threads in [1, 2, 7] {
                check(&resources(limits, memory, threads));
            }
        }
    }
}

#[cfg(feature = "parallel")]
fn in_pool<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(run)
}

#[cfg(not(feature = "parallel"))]
fn in_pool<R: Send>(_threads: usize, run: impl FnOnce() -> R + Send) -> R {
    run()
}

/// Words of all classes and lengths, some of them often, some with NULs and high bytes.
fn words(seed: u64, number: usize) -> Vec<Vec<u8>> {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) % below
    };
    let mut word = move || -> Vec<u8> {
        let number = match next(4) {
            0 => next(5),
            1 => next(50),
            _ => next(4000),
        };
        match number % 8 {
            0 => format!("{number}").into_bytes(),
            1 => format!("shared-prefix-{number}").into_bytes(),
            2 => format!("a-prefix-beyond-sixteen-bytes-{number}").into_bytes(),
            3 => format!("a\0{number}").into_bytes(),
            4 => vec![b'x'; number as usize % 40 + 1],
            5 => [vec![0xff; 16], vec![0; number as usize % 3]].concat(),
            6 => format!("{number:09}").into_bytes(),
            _ => vec![b'a' + (number % 26) as u8, b'b'],
        }
    };
    (0..number).map(|_| word()).collect()
}

fn count(words: &[Vec<u8>]) -> Oracle {
    let mut oracle = Oracle::new();
    for word in words {
        *oracle.entry(word.clone()).or_default() += 1;
    }
    oracle
}

fn in_order(oracle: &Oracle, order: &Order) -> Rows {
    let mut rows: Rows = oracle
        .iter()
        .map(|(key, &count)| (key.clone(), count))
        .collect();
    match order {
        Order::None | Order::Key => rows.sort(),
        _ => rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0))),
    }
    rows
}

fn rows_of(batches: impl Iterator<Item = Result<RecordBatch>>) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let batch = batch.unwrap();
        assert_eq!(batch.schema(), count_schema());
        let counts = batch.column(1).as_primitive::<UInt64Type>();
        let keys = batch.column(0).as_binary_view();
        rows.extend(
            keys.iter()
                .flatten()
                .map(<[u8]>::to_vec)
                .zip(counts.values().iter().copied()),
        );
    }
    rows
}

fn drained(operator: &mut TextCount, drain: Drain, order: &Order, limits: BatchLimits) -> Rows {
    let mut rows = rows_of(operator.drain(drain, order, limits).unwrap());
    if *order == Order::None {
        rows.sort();
    }
    rows
}

fn text_of(words: &[Vec<u8>]) -> Vec<u8> {
    words.join(&b' ')
}

#[test]
fn every_order_and_setting_counts_as_a_map_does() {
    let words = words(1, 3000);
    let oracle = count(&words);
    every_setting(|resources| {
        for order in [Order::None, Order::Key, Order::Count] {
            let rows = in_pool(resources.threads, || {
                let workers = words.chunks(words.len() / resources.threads + 1);
                let workers = workers.map(|words| {
                    let mut worker = operator(resources);
                    words
                        .chunks(200)
                        .for_each(|words| worker.push(&text_of(words)).unwrap());
                    worker
                });
                let mut whole = TextCount::merge_tables(workers.collect()).unwrap();
                assert_eq!(whole.tokens(), words.len() as u64);
                let rows = drained(&mut whole, Drain::Values, &order, BatchLimits::default());
                assert_eq!(
                    whole
                        .drain(Drain::Values, &order, BatchLimits::default())
                        .unwrap()
                        .count(),
                    0
                );
                rows
            });
            assert!(rows == in_order(&oracle, &order), "{order:?} {resources:?}");
        }
    });
}

#[test]
fn partial_results_are_counts_like_any_other() {
    let words = words(4, 1000);
    every_setting(|resources| {
        let (mut one, mut other) = (operator(resources), operator(resources));
        one.push(&text_of(&words[..500])).unwrap();
        other.push(&text_of(&words[500..])).unwrap();
        for batch in one
            .drain(Drain::Values, &Order::None, BatchLimits::default())
            .unwrap()
        {
            other.push_state(&batch.unwrap()).unwrap();
        }
        assert_eq!(
            (other.tokens(), other.metrics().state_rows > 0),
            (500, true)
        );
        let rows = drained(
            &mut other,
            Drain::Values,
            &Order::Count,
            BatchLimits::default(),
        );
        assert!(rows == in_order(&count(&words), &Order::Count));
    });
}

#[test]
fn the_top_groups_are_the_first_of_the_order() {
    let words = words(5, 2000);
    let oracle = count(&words);
    every_setting(|resources| {
        for order in [Order::Key, Order::Count] {
            let all = in_order(&oracle, &order);
            for top in [0, 1, 10, all.len() - 1, all.len() + 5] {
                let mut whole = operator(resources);
                whole.push(&text_of(&words)).unwrap();
                let rows = in_pool(resources.threads, || {
                    drained(
                        &mut whole,
                        Drain::Values,
                        &order,
                        BatchLimits::default().top(top),
                    )
                });
                assert!(rows == all[..top.min(all.len())], "{top} {resources:?}");
            }
        }
    });
}

#[test]
fn batches_are_bounded_in_rows_and_bytes() {
    let mut whole = operator(&resources(Tuning::DEFAULT, UNBOUNDED, 1));
    whole.push(&text_of(&words(6, 5000))).unwrap();
    let giant = vec![b'g'; 100_000];
    whole.push(&giant).unwrap();
    let limits = BatchLimits {
        rows: 100,
        bytes: 4000,
        top: None,
    };
    let mut rows = 0;
    for batch in whole.drain(Drain::Values, &Order::Key, limits).unwrap() {
        let batch = batch.unwrap();
        rows += batch.num_rows();
        assert!((1..=100).contains(&batch.num_rows()));
        let bytes: usize = batch
            .column(0)
            .as_binary_view()
            .iter()
            .flatten()
            .map(<[u8]>::len)
            .sum();
        assert!(
            bytes < 4100
                || batch
                    .column(0)
                    .as_binary_view()
                    .iter()
                    .flatten()
                    .any(|key| key == giant)
        );
    }
    assert_eq!(rows, count(&words(6, 5000)).len() + 1);
}

#[test]
fn a_tiny_budget_spills_and_an_ample_one_does_not() {
    let words = words(7, 3000);
    let spilled = |memory| {
        let mut one = operator(&resources(Tuning::TINY, memory, 1));
        words
            .chunks(50)
            .for_each(|words| one.push(&text_of(words)).unwrap());
        let pushed = one.metrics().spilled_bytes;
        let rows = drained(
            &mut one,
            Drain::Values,
            &Order::Count,
            BatchLimits::default(),
        );
        assert!(rows == in_order(&count(&words), &Order::Count));
        (pushed, one.metrics().spilled_bytes)
    };
    let (pushed, drained) = spilled(1 << 10);
    assert!(pushed > 10_000, "{pushed} bytes were spilled");
    assert!(drained > pushed, "the ordered output went to disk as well");
    assert_eq!(spilled(UNBOUNDED), (0, 0));
}

#[test]
fn a_partition_beyond_its_share_is_cut_again() {
    // One partition alone, and a budget of a sixtieth of it.
    let limits = Tuning {
        partitions: 1,
        ..Tuning::TINY
    };
    let words = words(8, 20_000);
    let mut one = operator(&resources(limits, 8 << 10, 1));
    one.push(&text_of(&words)).unwrap();
    let rows = drained(&mut one, Drain::Values, &Order::Key, BatchLimits::default());
    assert!(rows == in_order(&count(&words), &Order::Key));
    one.push(&text_of(&words)).unwrap();
    let rows = drained(&mut one, Drain::State, &Order::None, BatchLimits::default());
    assert!(rows == in_order(&count(&words), &Order::Key));
}

#[test]
fn all_memory_is_given_back() {
    let resources = resources(Tuning::TINY, 64 << 10, 2);
    let mut one = operator(&resources);
    one.push(&text_of(&words(9, 3000))).unwrap();
    one.push(b"more").unwrap();
    let batches = one
        .drain(Drain::Values, &Order::Count, BatchLimits::default())
        .unwrap();
    drop(one);
    assert!(batches.count() > 0);
    assert_eq!(resources.memory.taken(), 0);
}

#[test]
fn a_full_spill_disk_is_said_and_leaves_no_half_answer() {
    let mut one = operator(&resources(Tuning::TINY, 1 << 10, 1));
    one.limit_spill(20_000);
    let text = text_of(&words(10, 5000));
    let error = one.push(&text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    assert!(error.to_string().contains("spill folder"), "{error}");
    let error = one
        .drain(Drain::Values, &Order::Key, BatchLimits::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
}

#[test]
fn a_cancelled_operator_stops() {
    let resources = Resources {
        cancel: Cancel::default(),
        ..resources(Tuning::TINY, UNBOUNDED, 2)
    };
    let mut one = operator(&resources);
    one.push(&text_of(&words(11, 500))).unwrap();
    let mut batches = one
        .drain(
            Drain::Values,
            &Order::Key,
            BatchLimits {
                rows: 1,
                ..BatchLimits::default()
            },
        )
        .unwrap();
    assert!(batches.next().unwrap().is_ok());
    resources.cancel.cancel();
    let ends = batches.find_map(Result::err).unwrap();
    assert_eq!(ends.kind(), ErrorKind::Cancelled);
    assert_eq!(one.push(b"a b c").unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn columns_of_every_type_are_records() {
    let values = [
        Some("a b"),
        None,
        Some("c"),
        Some(""),
        Some("d a"),
        Some("a string beyond the inline size"),
    ];
    let bytes: Vec<Option<&[u8]>> = values
        .iter()
        .map(|value| value.map(str::as_bytes))
        .collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(values)),
        Arc::new(LargeStringArray::from_iter(values)),
        Arc::new(StringViewArray::from_iter(values)),
        Arc::new(BinaryArray::from_iter(bytes.clone())),
        Arc::new(LargeBinaryArray::from_iter(bytes.clone())),
        Arc::new(BinaryViewArray::from_iter(bytes)),
    ];
    let words: Vec<Vec<u8>> = values
        .iter()
        .flatten()
        .flat_map(|value| value.split_whitespace())
        .map(|word| word.as_bytes().to_vec())
        .collect();
    for array in arrays {
        let mut one = operator(&Resources::default());
        one.push_array(&array).unwrap();
        one.push_array(&array.slice(2, 3)).unwrap();
        assert_eq!(one.metrics().rows, 8);
        let rows = drained(&mut one, Drain::Values, &Order::Key, BatchLimits::default());
        let mut twice = words.clone();
        twice.extend([b"c".to_vec(), b"d".to_vec(), b"a".to_vec()]);
        assert_eq!(
            rows,
            in_order(&count(&twice), &Order::Key),
            "{}",
            array.data_type()
        );
    }
    let mut one = operator(&Resources::default());
    let error = one.push_array(&Int32Array::from(vec![1])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    one.push(b"still counts").unwrap();
}

#[test]
fn cells_without_separators_never_grow_together() {
    let cells: Vec<String> = (0..100_000).map(|i| format!("cell{}", i % 1000)).collect();
    let mut oracle = HashMap::new();
    cells
        .iter()
        .for_each(|cell| *oracle.entry(cell.as_bytes().to_vec()).or_insert(0) += 1);
    for limits in [Tuning::DEFAULT, Tuning::TINY] {
        let mut one = operator(&resources(limits, UNBOUNDED, 1));
        one.push_array(&StringArray::from_iter_values(&cells))
            .unwrap();
        let rows = drained(&mut one, Drain::Values, &Order::Key, BatchLimits::default());
        assert!(rows == in_order(&oracle.clone().into_iter().collect(), &Order::Key));
    }
}

#[test]
fn counts_never_wrap() {
    let batch = |count| {
        let mut columns = ColumnBuilder::default();
        columns.push(b"key", count).unwrap();
        columns.finish().unwrap()
    };
    let mut one = operator(&Resources::default());
    one.push_state(&batch(MOST - 1)).unwrap();
    one.push_state(&batch(0)).unwrap();
    one.push_state(&batch(1)).unwrap();
    let rows = drained(&mut one, Drain::Values, &Order::Key, BatchLimits::default());
    assert_eq!(rows, [(b"key".to_vec(), MOST)]);
    one.push_state(&batch(MOST)).unwrap();
    let error = one.push_state(&batch(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    let mut other = operator(&Resources::default());
    assert_eq!(
        other.push_state(&batch(u64::MAX)).unwrap_err().kind(),
        ErrorKind::Capacity
    );
}

#[test]
fn it_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<TextCount>();
    is_send::<Batches>();
}

#[test]
fn an_answer_that_lost_a_token_is_never_given() {
    every_setting(|resources| {
        for order in [Order::None, Order::Key, Order::Count] {
            let mut operator = operator(resources);
            operator.push(b"to be or not to be").unwrap();
            operator.held += 1;
            let batches = operator.drain(Drain::Values, &order, BatchLimits::default());
            let failed = batches.and_then(|batches| batches.collect::<Result<Vec<_>>>());
            let error = failed.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{order:?}");
            assert!(error.to_string().contains("6") && error.to_string().contains("7"));
        }
    });
}
