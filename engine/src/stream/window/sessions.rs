//! Sessions: windows of rows that follow each other closely.
//!
//! ```text
//! times of a key   1  3  4        9  11          30        gap 4
//! sessions         [────────)     [──────)       [───)     from the first row to the last one and the gap
//! ```
//!
//! The rows of an epoch are aggregated by time and key. Each of these groups is then merged into the session
//! that it belongs to. A row can join two sessions; the state of the later one moves to the earlier one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt64Array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_select::interleave::interleave;

use super::windowed::time_key;
use crate::{Error, ErrorKind, Result, StateStore};

/// The first and the last time of a session.
type Times = (i64, i64);

/// The open sessions of each key, in the order of time.
pub(super) struct Sessions {
    gap: i64,
    key_columns: usize,
    converter: RowConverter,
    open: HashMap<Box<[u8]>, Vec<Times>>,
    key_bytes: usize,
}

/// A group of an epoch: the number of its batch, its row.
type Place = (usize, usize);

/// What an epoch changes in the sessions of the state.
#[derive(Default)]
struct Changes {
    /// The start and the end of the session of each group, by batch.
    sessions: Vec<Vec<Times>>,
    /// Sessions that become part of an earlier one: their start, that one, and a group of the same key.
    moved: Vec<(i64, Times, Place)>,
}

impl Sessions {
    /// Sessions of the groups of these answers: the start of a session, keys, aggregates.
    pub(super) fn new(gap: i64, store: &StateStore) -> Result<Self> {
        let keys = store.key_schema();
        let keys = &keys.fields()[1..];
        let fields = keys
            .iter()
            .map(|key| SortField::new(key.data_type().clone()));
        Ok(Self {
            gap,
            key_columns: keys.len(),
            converter: RowConverter::new(fields.collect()).map_err(not_encoded)?,
            open: HashMap::new(),
            key_bytes: 0,
        })
    }

    /// Takes the sessions of a state that was restored.
    pub(super) fn restore(&mut self, store: &StateStore) -> Result<()> {
        self.clear();
        for answers in store.values()? {
            let answers = answers?;
            let keys = self.keys_of(&answers)?;
            let (starts, lasts) = self.times_of(&answers);
            for ((key, start), last) in keys.iter().zip(starts.values()).zip(lasts.values()) {
                let sessions = self.of_key(key.as_ref());
                let place = sessions.partition_point(|session| session < &(*start, *last));
                sessions.insert(place, (*start, *last));
            }
        }
        Ok(())
    }

    /// Merges the states of an epoch, whose first column is the time, into the sessions of the state.
    pub(super) fn merge(&mut self, store: &StateStore, batches: &[RecordBatch]) -> Result<()> {
        let changes = self.assign(batches)?;
        if !changes.moved.is_empty() {
            let moved = self.take(store, batches, &changes.moved)?;
            store.merge_timed(&moved)?;
        }
        for (batch, sessions) in batches.iter().zip(&changes.sessions) {
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(UInt64Array::new_null(0)));
            store.merge_timed(&self.in_sessions(store, columns, sessions)?)?;
        }
        Ok(())
    }

    /// Forgets the sessions of these answers, which are closed.
    pub(super) fn close(&mut self, answers: &[RecordBatch]) -> Result<()> {
        for answers in answers {
            let keys = self.keys_of(answers)?;
            let (starts, _) = self.times_of(answers);
            for (key, start) in keys.iter().zip(starts.values()) {
                let Entry::Occupied(mut sessions) = self.open.entry(key.as_ref().into()) else {
                    continue;
                };
                sessions.get_mut().retain(|session| session.0 != *start);
                if sessions.get().is_empty() {
                    self.key_bytes -= key.as_ref().len();
                    sessions.remove();
                }
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.key_bytes = 0;
    }

    /// The bytes of memory, without those of the state.
    pub(super) fn size(&self) -> usize {
        // Nearly all keys have room for four sessions, the least that a vector allocates.
        let entry = size_of::<(Box<[u8]>, Vec<Times>)>() + 1 + 4 * size_of::<Times>();
        self.key_bytes + self.open.capacity() * entry
    }

    fn keys_of(&self, batch: &RecordBatch) -> Result<Rows> {
        let keys = &batch.columns()[1..=self.key_columns];
        self.converter.convert_columns(keys).map_err(not_encoded)
    }

    /// The first and the last times of answers.
    fn times_of<'a>(&self, answers: &'a RecordBatch) -> (&'a Int64Array, &'a Int64Array) {
        let column = |number: usize| answers.column(number).as_primitive::<Int64Type>();
        (column(0), column(self.key_columns + 1))
    }

    fn of_key(&mut self, key: &[u8]) -> &mut Vec<Times> {
        let Self {
            open, key_bytes, ..
        } = self;
        open.entry(key.into()).or_insert_with(|| {
            *key_bytes += key.len();
            Vec::new()
        })
    }

    /// Finds the session of each group, and changes the open sessions.
    fn assign(&mut self, batches: &[RecordBatch]) -> Result<Changes> {
        let keys = batches.iter().map(|batch| self.keys_of(batch));
        let keys = keys.collect::<Result<Vec<Rows>>>()?;
        let times = batches
            .iter()
            .map(|it| it.column(0).as_primitive::<Int64Type>());
        let times: Vec<&Int64Array> = times.collect();
        let key_of = |place: &Place| keys[place.0].row(place.1);
        let time_of = |place: &Place| times[place.0].value(place.1);
        let all = batches.iter().enumerate();
        let mut groups: Vec<Place> = all
            .flat_map(|(number, batch)| (0..batch.num_rows()).map(move |row| (number, row)))
            .collect();
        groups.sort_unstable_by(|a, b| (key_of(a), time_of(a)).cmp(&(key_of(b), time_of(b))));
        let mut changes = Changes {
            sessions: batches
                .iter()
                .map(|it| vec![(0, 0); it.num_rows()])
                .collect(),
            moved: Vec::new(),
        };
        for groups in groups.chunk_by(|a, b| key_of(a) == key_of(b)) {
            let gap = self.gap;
            let open = self.of_key(key_of(&groups[0]).as_ref());
            let times: Vec<i64> = groups.iter().map(time_of).collect();
            let joined = join(open, &times, gap);
            for session in &joined {
                let (first, last) = session.times;
                for &(batch, row) in &groups[session.rows.clone()] {
                    changes.sessions[batch][row] = (first, last + gap);
                }
                let moved = session.open.iter().filter(|start| **start != first);
                let to = (first, last + gap);
                // A session that moves was joined by a row, which has the same key.
                let of_key = groups[0];
                changes
                    .moved
                    .extend(moved.map(|start| (*start, to, of_key)));
            }
            *open = joined.into_iter().map(|session| session.times).collect();
        }
        Ok(changes)
    }

    /// Takes the states of the sessions that move out of the store. Returns them with their new session.
    fn take(
        &self,
        store: &StateStore,
        batches: &[RecordBatch],
        moved: &[(i64, Times, Place)],
    ) -> Result<RecordBatch> {
        let starts = Int64Array::from_iter_values(moved.iter().map(|(start, ..)| *start));
        let mut keys: Vec<ArrayRef> = vec![Arc::new(starts)];
        let places: Vec<Place> = moved.iter().map(|(.., place)| *place).collect();
        for column in 1..=self.key_columns {
            let of = batches.iter().map(|batch| batch.column(column).as_ref());
            keys.push(interleave(&of.collect::<Vec<_>>(), &places).map_err(too_large)?);
        }
        let states = store.take_states(&keys)?;
        if states.num_rows() != moved.len() {
            let message = "a session is not in the state; this is a bug in keymill";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let sessions: Vec<Times> = moved.iter().map(|(_, to, _)| *to).collect();
        self.in_sessions(store, states.columns().to_vec(), &sessions)
    }

    /// States with the starts of their sessions as their first column, and with the ends as their time.
    fn in_sessions(
        &self,
        store: &StateStore,
        mut columns: Vec<ArrayRef>,
        sessions: &[Times],
    ) -> Result<RecordBatch> {
        let starts = Int64Array::from_iter_values(sessions.iter().map(|(start, _)| *start));
        let ends = sessions.iter().map(|(_, end)| time_key(*end));
        let ends = UInt64Array::from_iter_values(ends);
        columns[0] = Arc::new(starts);
        if let Some(times) = columns.last_mut() {
            *times = Arc::new(ends);
        }
        RecordBatch::try_new(store.snapshot_schema(), columns).map_err(|cause| {
            let message = "the states of an epoch do not fit the state of its sessions";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })
    }
}

/// A session after an epoch.
#[derive(Debug, PartialEq)]
struct Joined {
    times: Times,
    /// The rows of the epoch that are in it.
    rows: Range<usize>,
    /// The starts of the sessions before that are in it.
    open: Vec<i64>,
}

/// Joins open sessions and the times of rows, both in order, where less than the gap is between them.
fn join(open: &[Times], times: &[i64], gap: i64) -> Vec<Joined> {
    let mut joined: Vec<Joined> = Vec::new();
    let mut add = |times: Times, row: usize| -> usize {
        match joined.last_mut() {
            Some(last) if times.0 < last.times.1 + gap => {
                last.times.1 = last.times.1.max(times.1);
            }
            _ => joined.push(Joined {
                times,
                rows: row..row,
                open: Vec::new(),
            }),
        }
        joined.len() - 1
    };
    let mut places = Vec::new();
    let (mut open, mut row) = (open.iter().peekable(), 0);
    loop {
        let time = times.get(row);
        match open.next_if(|session| time.is_none_or(|time| session.0 <= *time)) {
            Some(session) => places.push((add(*session, row), Some(session.0))),
            None => match time {
                Some(time) => {
                    places.push((add((*time, *time), row), None));
                    row += 1;
                }
                None => break,
            },
        }
    }
    for (place, session) in places {
        match session {
            Some(start) => joined[place].open.push(start),
            None => joined[place].rows.end += 1,
        }
    }
    joined
}

fn not_encoded(cause: arrow_schema::ArrowError) -> Error {
    let message = "keys of sessions cannot be encoded";
    Error::new(ErrorKind::Internal, message).with_source(cause)
}

fn too_large(cause: arrow_schema::ArrowError) -> Error {
    let message = "the sessions of an epoch do not fit a batch; limit the bytes of an epoch";
    Error::new(ErrorKind::Capacity, message).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_join_sessions_that_are_less_than_the_gap_away() {
        let of = |times: Times, rows: Range<usize>, open: &[i64]| Joined {
            times,
            rows,
            open: open.to_vec(),
        };
        for (open, times, expected) in [
            (
                &[][..],
                &[1, 3, 8][..],
                vec![of((1, 3), 0..2, &[]), of((8, 8), 2..3, &[])],
            ),
            // A row at the end of a session begins another one.
            (
                &[(0, 2)],
                &[7],
                vec![of((0, 2), 0..0, &[0]), of((7, 7), 0..1, &[])],
            ),
            (&[(0, 2)], &[6], vec![of((0, 6), 0..1, &[0])]),
            // Sessions begin earlier, and rows join them.
            (&[(10, 12)], &[6], vec![of((6, 12), 0..1, &[10])]),
            (&[(0, 2), (10, 12)], &[6], vec![of((0, 12), 0..1, &[0, 10])]),
            (&[(0, 9)], &[3, 5], vec![of((0, 9), 0..2, &[0])]),
            (
                &[(0, 0), (50, 50)],
                &[20],
                vec![
                    of((0, 0), 0..0, &[0]),
                    of((20, 20), 0..1, &[]),
                    of((50, 50), 1..1, &[50]),
                ],
            ),
        ] {
            assert_eq!(join(open, times, 5), expected, "{open:?} and {times:?}");
        }
    }
}
