//! `reduce_by_key` on a device: count, sum, minimum and maximum of the integer values of each key.
//! Keys are integers or bytes.
//!
//! ```text
//! rows ─▶ reduce_rows ─▶ settle_lows ─▶ list_groups ─▶ records ─┐
//!             └─ rows without a slot ─▶ spill ─▶ the CPU ───────┴▶ checked, by key
//! ```
//!
//! With 64-bit atomics `settle_lows` is not needed and does not run.
#![forbid(unsafe_code)]

mod answer;
mod group;
mod rows;
mod table;

pub(crate) use group::Group;
pub(crate) use rows::{KeyedRows, Rows, TextRows};
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
use crate::plan::ShaderVariant;

/// The maximum number of rows: three words hold the sum of 2³¹ values.
const MAX_ROWS: usize = i32::MAX as usize;

const WORD_BYTES: u64 = 4;
/// Bytes of a slot without its owner: the count, three words of the sum, and two words of each
/// extreme.
const STATE_BYTES: u64 = 8 * WORD_BYTES;
const GROUP_BYTES: u64 = size_of::<ReducedGroup>() as u64;
const SUMMARY_BYTES: u64 = size_of::<ReduceByKeySummary>() as u64;

/// Reduces the values of each key in a table of the given size. The groups are in ascending order
/// of keys; byte keys are compared byte by byte.
///
/// The CPU reduces rows that find no slot, and keys that are too long for the device. Input that is
/// larger than the device can bind is refused, and so are keys outside their text.
pub(crate) fn run<R: KeyedRows>(
    device: &dyn Device,
    rows: R,
    table: &Table,
) -> Result<Vec<Group<R::Key>>, Fault> {
    run_with_stats(device, rows, table).map(|reduced| reduced.groups)
}

/// The groups, and the number of rows that the CPU reduced.
#[derive(Debug)]
pub(crate) struct Reduced<K> {
    pub(crate) groups: Vec<Group<K>>,
    /// Rows that the CPU reduced.
    pub(crate) spilled: usize,
}

/// Works as [`run`], and also returns the number of rows that the CPU reduced.
pub(crate) fn run_with_stats<R: KeyedRows>(
    device: &dyn Device,
    rows: R,
    table: &Table,
) -> Result<Reduced<R::Key>, Fault> {
    run_until(device, rows, table, &Cancel::default())
}

/// The same; a flag ends the wait for the device.
pub(crate) fn run_until<R: KeyedRows>(
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

/// Returns the reason why no device can reduce these rows, or `None` if one can.
fn refusal(rows: impl KeyedRows) -> Option<String> {
    let (keys, values) = (rows.keys(), rows.values().len());
    if keys != values {
        return Some(format!("{keys} keys have {values} values"));
    }
    if keys > MAX_ROWS {
        return Some(format!("{keys} rows at once; the limit is {MAX_ROWS}"));
    }
    rows.refusal()
}

fn record<R: KeyedRows>(run: u32, rows: R, table: &Table, variant: ShaderVariant) -> Recording {
    let mut recording = Recording::default();
    let count = rows.keys();
    let params = ReduceByKeyParams {
        rows: count as u32,
        run,
        ..table.params()
    };
    let slots = u64::from(params.slots);
    let max_groups = slots.min(count as u64);
    let words = count as u64 * WORD_BYTES;
    // `settle_lows` needs the slot of each row.
    let settles = !variant.wide_atomics;
    let places = if settles { words } else { 0 };
    let params_buffer = recording.upload("params", bytes_of(&params).to_vec());
    let (keys, last) = rows.upload(&mut recording);
    let values = Buffer::from(cast_slice::<_, u8>(rows.values()));
    let values = recording.upload("values", values);
    let owners = recording.buffer("owners", slots * WORD_BYTES + places);
    let states = recording.buffer("states", slots * STATE_BYTES);
    let spill = recording.buffer("spill", words);
    let groups = recording.buffer("groups", max_groups * GROUP_BYTES);
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

    /// The binding limit of the stub.
    const BINDING_BYTES: u64 = 1 << 16;

    #[test]
    fn input_beyond_the_limits_is_refused_with_the_reason() {
        let refused = |keys: &[u64], values: &[i64], table: &Table| {
            let fault = run(
                &Stub::that_never_runs(BINDING_BYTES),
                Rows { keys, values },
                table,
            )
            .unwrap_err();
            assert!(matches!(fault, Fault::Refused(_)), "{fault}");
            fault.to_string()
        };
        let table = Table::for_rows(9000, 9000, BINDING_BYTES);
        let fault = refused(&[0; 9000], &[0; 9000], &table);
        assert!(fault.contains("72000 bytes of keys at once"), "{fault}");
        let fault = refused(&[0; 3], &[0; 2], &table);
        assert!(fault.contains("3 keys have 2 values"), "{fault}");
    }

    #[test]
    fn a_key_outside_its_text_is_refused() {
        let table = Table::for_rows(9, 9, BINDING_BYTES);
        let refused = |text: &[u8], spans: &[Span], values: &[i64]| {
            let rows = TextRows {
                text,
                spans,
                values,
            };
            let fault = run(&Stub::that_never_runs(BINDING_BYTES), rows, &table).unwrap_err();
            assert!(matches!(fault, Fault::Refused(_)), "{fault}");
            fault.to_string()
        };
        for (start, end) in [(3, 6), (6, 6), (3, 2), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            let fault = refused(
                b"to be",
                &[Span { start: 0, end: 5 }, Span { start, end }],
                &[0; 2],
            );
            assert!(fault.contains("span 1 is not within the text"), "{fault}");
        }
        let fault = refused(b"to be", &[Span { start: 0, end: 5 }], &[0; 2]);
        assert!(fault.contains("1 keys have 2 values"), "{fault}");
        let fault = refused(&[b'x'; 1 << 17], &[Span::default()], &[0]);
        assert!(fault.contains("bytes of text at once"), "{fault}");
    }

    #[test]
    fn settle_lows_is_omitted_with_64_bit_atomics() {
        let rows = Rows {
            keys: &[1; 9],
            values: &[1; 9],
        };
        let table = Table::for_rows(9, 9, BINDING_BYTES);
        let mut variant = ShaderVariant::BASE;
        assert_eq!(record(7, rows, &table, variant).runs(), 3);
        variant.wide_atomics = true;
        let recording = record(7, rows, &table, variant);
        assert_eq!(recording.runs(), 2);
        assert!(!recording.to_string().contains("settle_lows"));
    }

    #[test]
    fn every_table_fits_the_binding_limit() {
        for (rows, distinct) in [(1, 1), (8000, 100), (8000, 8000), (8000, usize::MAX)] {
            let table = Table::for_rows(rows, distinct, BINDING_BYTES);
            let (keys, values) = (vec![1; rows], vec![1; rows]);
            let rows = Rows {
                keys: &keys,
                values: &values,
            };
            let recording = record(7, rows, &table, ShaderVariant::BASE);
            let largest = recording.buffers().iter().map(|buffer| buffer.bytes).max();
            assert!(largest <= Some(BINDING_BYTES), "{recording}");
        }
    }
}
