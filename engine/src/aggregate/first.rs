//! `first(x)` and `last(x)`: the value of the first and the last row of the input where it is not null.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Decimal128Array, UInt32Array};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::byte_values::{ByteValues, not_encoded};
use super::extreme::value_type;
use super::ordered::positions;
use super::{
    Accumulator, Aggregate, AggregateExpr, Entry, FinishError, POSITION, not_its_state,
};
use crate::expr::Expr;
use crate::{Level, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new("first", "first(x)", 1, |_| Ok(Arc::new(FIRST))),
    Entry::new("last", "last(x)", 1, |_| Ok(Arc::new(LAST))),
];

/// The value of one end of the input.
#[derive(Clone, Copy, Debug)]
struct End {
    name: &'static str,
    is_last: bool,
}

const FIRST: End = End {
    name: "first",
    is_last: false,
};
const LAST: End = End {
    name: "last",
    is_last: true,
};

/// Returns the first value in the order of the input. Nulls are skipped.
#[must_use]
pub fn first(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(FIRST, [input.into()])
}

/// Returns the last value in the order of the input. Nulls are skipped.
#[must_use]
pub fn last(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(LAST, [input.into()])
}

impl Aggregate for End {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        value_type(self.name, inputs)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.output_type(inputs)?, POSITION])
    }

    fn accumulator(&self, inputs: &[DataType], _: Level) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Ends {
            end: *self,
            values: ByteValues::new(&self.output_type(inputs)?)?,
            positions: Vec::new(),
            rows: Vec::new(),
        }))
    }

    fn is_ordered(&self) -> bool {
        true
    }
}

/// The values of one end of each group, and their positions.
struct Ends {
    end: End,
    values: ByteValues,
    positions: Vec<Option<i128>>,
    /// By group: the row of a batch that is nearest to the end, plus 1. All are 0 between two batches.
    rows: Vec<u32>,
}

impl Ends {
    fn is_before(&self, one: i128, other: i128) -> bool {
        if self.end.is_last {
            one > other
        } else {
            one < other
        }
    }

    /// Takes the values that are nearer to the end than those of their groups.
    fn offer(&mut self, ids: &[u32], column: &ArrayRef, positions: &[i128]) -> Result<()> {
        let values = self.values.encode(column)?;
        for (row, (&id, &position)) in ids.iter().zip(positions).enumerate() {
            if column.is_null(row) {
                continue;
            }
            let row = values.row(row);
            let is_nearer = match self.positions[id as usize] {
                None => true,
                // Only inputs that were pushed to several operators without positions have equal ones.
                Some(mine) if mine == position => self.values.get(id) > Some(row.data()),
                Some(mine) => self.is_before(position, mine),
            };
            if is_nearer {
                self.positions[id as usize] = Some(position);
                self.values.set(id, row.data());
            }
        }
        Ok(())
    }

    /// Returns the groups of a batch, and the row of each that is nearest to the end.
    fn nearest(&mut self, ids: &[u32], column: &ArrayRef, positions: &[i128]) -> (Vec<u32>, Vec<u32>) {
        let mut groups = Vec::new();
        for (row, &id) in ids.iter().enumerate().filter(|(row, _)| column.is_valid(*row)) {
            let place = self.rows[id as usize];
            if place == 0 {
                groups.push(id);
            } else if !self.is_before(positions[row], positions[place as usize - 1]) {
                continue;
            }
            self.rows[id as usize] = row as u32 + 1;
        }
        let row = |&id: &u32| std::mem::take(&mut self.rows[id as usize]) - 1;
        let rows = groups.iter().map(row).collect();
        (groups, rows)
    }
}

impl Accumulator for Ends {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups);
        self.positions.resize(groups, None);
        self.rows.resize(groups, 0);
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let positions = positions(columns.get(1), self.end.name)?;
        let (groups, rows) = self.nearest(ids, &columns[0], positions);
        let positions: Vec<i128> = rows.iter().map(|&row| positions[row as usize]).collect();
        let rows = UInt32Array::from(rows);
        let column = take(&columns[0], &rows, None).map_err(not_encoded)?;
        self.offer(&groups, &column, &positions)
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let [values, _] = states else {
            return Err(not_its_state(self.end.name));
        };
        if values.data_type() != self.values.data_type() {
            return Err(not_its_state(self.end.name));
        }
        self.offer(ids, values, positions(states.get(1), self.end.name)?)
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        // The position of a group without a value is 0, and is not read.
        let positions = groups.iter().map(|&group| self.positions[group as usize].unwrap_or(0));
        let positions = Decimal128Array::from_iter_values(positions).with_data_type(POSITION);
        Ok(vec![self.values.column(groups)?, Arc::new(positions)])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        Ok(self.values.column(groups)?)
    }

    fn reset(&mut self, groups: &[u32]) {
        self.values.reset(groups);
        groups.iter().for_each(|&group| self.positions[group as usize] = None);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.positions.clear();
        self.rows.clear();
    }

    fn size(&self) -> usize {
        let positions = self.positions.capacity() * size_of::<Option<i128>>();
        self.values.size() + positions + self.rows.capacity() * size_of::<u32>()
    }
}
