//! `reduce_by_key` on a device: keys, integers or bytes, and integer values to count, sum, min and
//! max of each key.
//!
//! ```text
//! rows ─▶ reduce_rows ─▶ settle_lows ─▶ list_groups ─▶ records ─┐
//!             └─ rows without a slot ─▶ spill ─▶ the CPU ───────┴▶ checked, by key
//! ```
//!
//! With atomics of 64 bits nothing is left to settle, and `settle_lows` is left out.
#![forbid(unsafe_code)]

mod answer;
mod group;
mod rows;
mod table;

pub(crate) use group::Group;
pub(crate) use rows::{Keyed, Rows, TextRows};
pub(crate) use table::Table;

use arrow_buffer::Buffer;
use bytemuck::{bytes_of, cast_slice};
use keymill_shaders::{
    LISTED_SLOTS, REDUCE_TILE_ROWS, ReduceByKeyParams, ReduceByKeySummary, ReducedGroup,
};

use super::bindings::run_bound_until;
use super::recording::{Extent, Recording};
use super::tokenize::next_run;
use super::{Device, Fault};
use crate::Cancel;
use crate::probe::ShaderVariant;

/// More rows are refused: the three words of a sum hold that of 2³¹ values.
const MOST_ROWS: usize = i32::MAX as usize;

const WORD_BYTES: u64 = 4;
/// The words of a slot beside its owner: count, three of the sum, two of each extreme.
const STATE_BYTES: u64 = 8 * WORD_BYTES;
const GROUP_BYTES: u64 = size_of::<ReducedGroup>() as u64;
const SUMMARY_BYTES: u64 = size_of::<ReduceByKeySummary>() as u64;

/// Reduces the values of each key, in a table of the given size; the groups ascend by key, keys of
/// bytes byte by byte.
///
/// What finds no slot is reduced on the CPU, and so are keys of more bytes than a device looks at.
/// What is more than the device binds is refused, and so are keys that do not lie in their text.
pub(crate) fn run<R: Keyed>(
    device: &dyn Device,
    rows: R,
    table: &Table,
) -> Result<Vec<Group<R::Key>>, Fault> {
    run_counting(device, rows, table).map(|reduced| reduced.groups)
}

/// Groups, and how much of the work was the CPU's.
#[derive(Debug)]
pub(crate) struct Reduced<K> {
    pub(crate) groups: Vec<Group<K>>,
    /// Rows that were reduced on the CPU.
    pub(crate) spilled: usize,
}

/// The same, and tells how many rows were reduced on the CPU.
pub(crate) fn run_counting<R: Keyed>(
    device: &dyn Device,
    rows: R,
    table: &Table,
) -> Result<Reduced<R::Key>, Fault> {
    run_until(device, rows, table, &Cancel::default())
}

/// The same; a flag ends the wait for the device.
pub(crate) fn run_until<R: Keyed>(
    device: &dyn Device,
    rows: R,
    table: &Table,
    cancel: &Cancel,
) -> Result<Reduced<R::Key>, Fault> {
    if let Some(why) = refusal(rows) {
        return Err(Fault::Refused(why));
    }
    if rows.keys() == 0 {
        return Ok(Reduced {
            groups: Vec::new(),
            spilled: 0,
        });
    }
    let run = next_run();
    let recording = record(run, rows, table, device.variant());
    let downloads = run_bound_until(device, &recording, cancel)?;
    let groups = answer::read(run, rows, table.longest(), &downloads)?;
    let spilled = downloads[2].len() / WORD_BYTES as usize;
    Ok(Reduced { groups, spilled })
}

/// Why no device can take these rows; `None` where one can.
fn refusal(rows: impl Keyed) -> Option<String> {
    let (keys, values) = (rows.keys(), rows.values().len());
    if keys != values {
        return Some(format!("{keys} keys have {values} values"));
    }
    if keys > MOST_ROWS {
        return Some(format!("{keys} rows at once; it takes {MOST_ROWS}"));
    }
    rows.refusal()
}

fn record<R: Keyed>(run: u32, rows: R, table: &Table, variant: ShaderVariant) -> Recording {
    let mut recording = Recording::default();
    let count = rows.keys();
    let params = ReduceByKeyParams {
        rows: count as u32,
        run,
        ..table.params()
    };
    let slots = u64::from(params.slots);
    let most_groups = slots.min(count as u64);
    let words = count as u64 * WORD_BYTES;
    // Where each row's values went is asked by what settles low words.
    let settles = !variant.wide_atomics;
    let places = if settles { words } else { 0 };
    let params_buffer = recording.upload("params", bytes_of(&params).to_vec());
    let (keys, last) = rows.upload(&mut recording);
    let values = Buffer::from(cast_slice::<_, u8>(rows.values()));
    let values = recording.upload("values", values);
    let owners = recording.buffer("owners", slots * WORD_BYTES + places);
    let states = recording.buffer("states", slots * STATE_BYTES);
    let spill = recording.buffer("spill", words);
    let groups = recording.buffer("groups", most_groups * GROUP_BYTES);
    let summary = recording.buffer("summary", SUMMARY_BYTES);
    let mut buffers = vec![params_buffer, keys, values, owners, states];
    buffers.extend([spill, groups, summary]);
    buffers.extend(last);
    let tiles = count.div_ceil(REDUCE_TILE_ROWS) as u32;
    let lists = params.slots.div_ceil(LISTED_SLOTS as u32);
    recording.run(R::STAGE, "reduce_rows", &buffers, tiles);
    if settles {
        recording.run(R::STAGE, "settle_lows", &buffers, tiles);
    }
    recording.run(R::STAGE, "list_groups", &buffers, lists);
    let by = recording.download(summary, Extent::Bytes(SUMMARY_BYTES));
    let counted = |word, item_bytes| Extent::Counted {
        by,
        word,
        item_bytes,
    };
    recording.download(groups, counted(0, GROUP_BYTES));
    recording.download(spill, counted(1, WORD_BYTES));
    recording
}

#[cfg(test)]
mod tests {
    use keymill_kernels::stage::tokenize::Span;

    use super::*;
    use crate::device::stub::Stub;

    /// What a device binds that is not asked.
    const MOST: u64 = 1 << 16;

    #[test]
    fn what_a_device_does_not_take_is_refused_with_the_reason() {
        let refused = |keys: &[u64], values: &[i64], table: &Table| {
            let fault = run(&Stub::unasked(MOST), Rows { keys, values }, table).unwrap_err();
            assert!(matches!(fault, Fault::Refused(_)), "{fault}");
            fault.to_string()
        };
        let table = Table::for_rows(9000, 9000, MOST);
        let fault = refused(&[0; 9000], &[0; 9000], &table);
        assert!(fault.contains("72000 bytes of keys at once"), "{fault}");
        let fault = refused(&[0; 3], &[0; 2], &table);
        assert!(fault.contains("3 keys have 2 values"), "{fault}");
    }

    #[test]
    fn a_key_that_does_not_lie_in_its_text_is_refused() {
        let table = Table::for_rows(9, 9, MOST);
        let refused = |text: &[u8], spans: &[Span], values: &[i64]| {
            let rows = TextRows {
                text,
                spans,
                values,
            };
            let fault = run(&Stub::unasked(MOST), rows, &table).unwrap_err();
            assert!(matches!(fault, Fault::Refused(_)), "{fault}");
            fault.to_string()
        };
        for (start, end) in [(3, 6), (6, 6), (3, 2), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            let fault = refused(
                b"to be",
                &[Span { start: 0, end: 5 }, Span { start, end }],
                &[0; 2],
            );
            assert!(fault.contains("span 1 does not lie in the text"), "{fault}");
        }
        let fault = refused(b"to be", &[Span { start: 0, end: 5 }], &[0; 2]);
        assert!(fault.contains("1 keys have 2 values"), "{fault}");
        let fault = refused(&[b'x'; 1 << 17], &[Span::default()], &[0]);
        assert!(fault.contains("bytes of text at once"), "{fault}");
    }

    #[test]
    fn atomics_of_64_bits_leave_nothing_to_settle() {
        let rows = Rows {
            keys: &[1; 9],
            values: &[1; 9],
        };
        let table = Table::for_rows(9, 9, MOST);
        let mut variant = ShaderVariant::BASE;
        assert_eq!(record(7, rows, &table, variant).runs(), 3);
        variant.wide_atomics = true;
        let recording = record(7, rows, &table, variant);
        assert_eq!(recording.runs(), 2);
        assert!(!recording.to_string().contains("settle_lows"));
    }

    #[test]
    fn a_table_is_bound_whatever_is_hoped_for() {
        for (rows, distinct) in [(1, 1), (8000, 100), (8000, 8000), (8000, usize::MAX)] {
            let table = Table::for_rows(rows, distinct, MOST);
            let (keys, values) = (vec![1; rows], vec![1; rows]);
            let rows = Rows {
                keys: &keys,
                values: &values,
            };
            let recording = record(7, rows, &table, ShaderVariant::BASE);
            let most = recording.buffers().iter().map(|buffer| buffer.bytes).max();
            assert!(most <= Some(MOST), "{recording}");
        }
    }
}
