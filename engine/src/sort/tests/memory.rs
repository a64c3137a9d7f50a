//! Sorting within a memory budget.

use super::*;
use crate::Cancel;

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
