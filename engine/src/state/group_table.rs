//! One table of groups: their keys, and an accumulator for each aggregate.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use keymill_kernels::stage::tokenize::Span;
use keymill_kernels::{HashKey, Level, Tuning};

use super::GroupShape;

use super::schema::batch_of;
use crate::aggregate::{Accumulator, FinishError};
use crate::keys::{KeyIds, bytes_of};
use crate::{Error, ErrorKind, Result};

/// Groups by key, with the accumulators of all aggregates.
pub(crate) struct GroupTable {
    shape: Arc<GroupShape>,
    keys: KeyIds,
    accumulators: Vec<Box<dyn Accumulator>>,
    level: Level,
    /// The groups of the last rows.
    ids: Vec<u32>,
}

impl GroupTable {
    /// Creates an empty table.
    pub(crate) fn new(
        shape: &Arc<GroupShape>,
        level: Level,
        tuning: &Tuning,
        hash_key: HashKey,
    ) -> Result<Self> {
        Ok(Self {
            keys: KeyIds::new(shape.key_types(), level, tuning, hash_key)?,
            accumulators: shape.accumulators(level)?,
            shape: Arc::clone(shape),
            level,
            ids: Vec::new(),
        })
    }

    /// Adds rows: their keys, and the columns of all aggregates.
    pub(crate) fn update(&mut self, keys: &[ArrayRef], columns: &[ArrayRef]) -> Result<()> {
        self.ids.clear();
        self.keys.intern(keys, &mut self.ids)?;
        self.accumulate(columns)
    }

    /// Adds rows whose keys are spans of a text. Returns false, and adds none, if they must come as a column.
    pub(crate) fn update_spans(
        &mut self,
        text: &[u8],
        keys: &[Span],
        columns: &[ArrayRef],
    ) -> Result<bool> {
        self.ids.clear();
        let taken = self.keys.intern_spans(text, keys, &mut self.ids)?;
        if taken {
            self.accumulate(columns)?;
        }
        Ok(taken)
    }

    /// Returns whether keys may be spans of a text.
    pub(crate) fn takes_spans(&self) -> bool {
        self.keys.takes_spans()
    }

    /// Adds the rows of `ids` to the accumulators.
    fn accumulate(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let groups = self.keys.len();
        for (number, accumulator) in self.accumulators.iter_mut().enumerate() {
            accumulator.resize(groups);
            accumulator.update(&self.ids, &self.shape.arguments(number, columns))?;
        }
        Ok(())
    }

    /// Merges state columns, and returns the group of each row.
    pub(crate) fn merge(&mut self, states: &RecordBatch) -> Result<&[u32]> {
        let columns = states.columns();
        let keys = self.shape.key_types().len();
        self.ids.clear();
        self.keys.intern(&columns[..keys], &mut self.ids)?;
        let groups = self.keys.len();
        for (accumulator, state) in self.accumulators.iter_mut().zip(self.shape.states()) {
            accumulator.resize(groups);
            accumulator.merge(&self.ids, &columns[state.clone()])?;
        }
        Ok(&self.ids)
    }

    /// Replaces the state of groups by state columns, and returns the group of each row.
    pub(crate) fn replace(&mut self, states: &RecordBatch) -> Result<&[u32]> {
        let keys = self.shape.key_types().len();
        self.ids.clear();
        self.keys.intern(&states.columns()[..keys], &mut self.ids)?;
        let groups = self.keys.len();
        for accumulator in &mut self.accumulators {
            accumulator.resize(groups);
            accumulator.reset(&self.ids);
        }
        self.merge(states)
    }

    /// Creates an empty table with the same shape and settings.
    pub(crate) fn empty_copy(&self) -> Result<Self> {
        Ok(Self {
            shape: Arc::clone(&self.shape),
            keys: self.keys.empty_copy()?,
            accumulators: self.shape.accumulators(self.level)?,
            level: self.level,
            ids: Vec::new(),
        })
    }

    /// Appends the group of each row's key to `groups`; `None` for an unknown key.
    pub(crate) fn find(&self, keys: &[ArrayRef], groups: &mut Vec<Option<u32>>) -> Result<()> {
        self.keys.find(keys, groups)
    }

    /// Returns the number of groups.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns the bytes of memory of the table.
    pub(crate) fn size(&self) -> usize {
        let accumulators = self.accumulators.iter().map(|one| one.size());
        self.keys.size() + accumulators.sum::<usize>()
    }

    /// Removes all groups and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.accumulators.iter_mut().for_each(|one| one.clear());
    }

    /// Returns the key columns of some groups.
    pub(crate) fn key_columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        self.keys.columns(groups)
    }

    /// Returns the state columns of some groups.
    pub(crate) fn states(&self, groups: &[u32]) -> Result<RecordBatch> {
        let mut columns = self.keys.columns(groups)?;
        for accumulator in &self.accumulators {
            columns.extend(accumulator.state(groups)?);
        }
        batch_of(self.shape.state_schema(), columns)
    }

    /// Returns the keys and the answers of some groups.
    pub(crate) fn answers(&self, groups: &[u32]) -> Result<RecordBatch> {
        let mut columns = self.keys.columns(groups)?;
        for (number, accumulator) in self.accumulators.iter().enumerate() {
            let key_of = |group: u32| self.keys.columns(&[group]);
            let column = accumulator.finish(groups);
            columns.push(column.map_err(|error| explained(&self.shape, error, number, key_of))?);
        }
        batch_of(self.shape.schema(), columns)
    }
}

/// Returns the keys and the answers of distinct groups from their state columns.
pub(crate) fn answers_of(
    shape: &GroupShape,
    states: &RecordBatch,
    level: Level,
) -> Result<RecordBatch> {
    let groups: Vec<u32> = (0..states.num_rows() as u32).collect();
    let keys = shape.key_types().len();
    let mut columns = states.columns()[..keys].to_vec();
    let accumulators = shape.accumulators(level)?.into_iter().zip(shape.states());
    for (number, (mut accumulator, state)) in accumulators.enumerate() {
        accumulator.resize(groups.len());
        accumulator.merge(&groups, &states.columns()[state.clone()])?;
        let key_of = |group: u32| {
            let keys = states.columns()[..keys].iter();
            Ok(keys.map(|key| key.slice(group as usize, 1)).collect())
        };
        let column = accumulator.finish(&groups);
        columns.push(column.map_err(|error| explained(shape, error, number, key_of))?);
    }
    batch_of(shape.schema(), columns)
}

/// Returns the error for an answer that does not fit its type. It names the key and the column.
fn explained(
    shape: &GroupShape,
    error: FinishError,
    number: usize,
    key_of: impl FnOnce(u32) -> Result<Vec<ArrayRef>>,
) -> Error {
    let (group, total) = match error {
        FinishError::Other(error) => return error,
        FinishError::Overflow { group, total } => (group, total),
    };
    let key = key_of(group).map_or_else(
        |_| "?".to_owned(),
        |columns| columns.iter().map(shown).collect::<Vec<_>>().join(", "),
    );
    let schema = shape.schema();
    let of = schema.field(shape.key_types().len() + number).data_type();
    let call = shape.call(number);
    let group = match shape.is_one_group() {
        true => "all rows".to_owned(),
        false => format!("the key `{key}`"),
    };
    let message = format!(
        "`{call}` of {group} is {total}, which does not fit {of}; cast the column to a float or divide it"
    );
    Error::new(ErrorKind::Capacity, message)
}

/// Returns the only value of a key column as text.
fn shown(column: &ArrayRef) -> String {
    if column.is_null(0) {
        return "null".to_owned();
    }
    match bytes_of(column) {
        Ok(value) => value(0).escape_ascii().to_string(),
        Err(_) => shown_number(column),
    }
}

fn shown_number(column: &ArrayRef) -> String {
    let shown = format!("{column:?}");
    let value = shown.lines().rev().find(|line| line.ends_with(','));
    value.map_or(shown.clone(), |value| {
        value.trim().trim_end_matches(',').to_owned()
    })
}
