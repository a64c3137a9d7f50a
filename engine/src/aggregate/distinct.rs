//! `count_distinct(x)`: the number of different values that are not null, exact.
//!
//! ```text
//! group, value ─▶ KeyIds ─▶ a number for each pair; pairs of one group are linked
//! ```
//!
//! As in keys, −0.0 is 0.0 and all NaNs are one value.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, DataType};
use arrow_select::filter::filter;
use keymill_kernels::{HashKey, Level, Tuning};

use super::lists::{list_column, list_type, lists_in};
use super::{
    Accumulator, Aggregate, AggregateExpr, Entry, FinishError, byte_values, cannot_take,
    not_its_state,
};
use crate::expr::Expr;
use crate::keys::KeyIds;
use crate::{Error, ErrorKind, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::new(
    "count_distinct",
    "count_distinct(x)",
    1,
    |_| Ok(Arc::new(CountDistinct)),
)];

/// The end of a list of linked pairs.
const END: u32 = u32::MAX;
/// Slots of a new table. There may be a table per partition.
const SLOTS: usize = 256;

/// The number of different values.
#[derive(Debug)]
struct CountDistinct;

/// Counts the different values of an expression. Nulls are skipped.
#[must_use]
pub fn count_distinct(input: impl Into<Expr>) -> AggregateExpr {
    AggregateExpr::new(CountDistinct, [input.into()])
}

impl Aggregate for CountDistinct {
    fn name(&self) -> &'static str {
        "count_distinct"
    }

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        check(self.name(), inputs).map(|()| DataType::UInt64)
    }

    fn state_types(&self, inputs: &[DataType]) -> Result<Vec<DataType>> {
        check(self.name(), inputs)?;
        Ok(vec![list_type(&inputs[0])])
    }

    fn accumulator(&self, inputs: &[DataType], level: Level) -> Result<Box<dyn Accumulator>> {
        check(self.name(), inputs)?;
        let tuning = Tuning {
            table_slots: SLOTS,
            ..Tuning::DEFAULT
        };
        let key = HashKey::from_seed(RandomState::new().build_hasher().finish());
        let types = [DataType::UInt32, inputs[0].clone()];
        Ok(Box::new(Distinct {
            of: inputs[0].clone(),
            pairs: KeyIds::new(&types, level, &tuning, key)?,
            before: Vec::new(),
            groups: Vec::new(),
            names: 0,
            unused: 0,
            ids: Vec::new(),
        }))
    }
}

/// Returns an error for types whose values cannot be compared.
pub(super) fn check(name: &str, inputs: &[DataType]) -> Result<()> {
    match inputs {
        [input] if byte_values::takes(input) => Ok(()),
        inputs => Err(cannot_take(name, "values that can be compared", inputs)),
    }
}

/// The pairs of groups and values.
struct Distinct {
    of: DataType,
    pairs: KeyIds,
    /// By pair: the pair before it of the same group.
    before: Vec<u32>,
    groups: Vec<Group>,
    /// Number of names that groups had. A group that is reset gets a new name, so that its pairs are not found.
    names: u32,
    /// Number of pairs of groups that were reset.
    unused: usize,
    ids: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Group {
    name: u32,
    count: u32,
    last: u32,
}

impl Distinct {
    fn new_group(&mut self) -> Group {
        let name = self.names;
        self.names += 1;
        Group {
            name,
            count: 0,
            last: END,
        }
    }

    /// Adds values, none of them null.
    fn add(&mut self, ids: &[u32], values: ArrayRef) -> Result<()> {
        let names = ids.iter().map(|&id| self.groups[id as usize].name);
        let names: ArrayRef = Arc::new(UInt32Array::from_iter_values(names));
        let mut pairs = std::mem::take(&mut self.ids);
        pairs.clear();
        self.pairs.intern(&[names, values], &mut pairs)?;
        for (&id, &pair) in ids.iter().zip(&pairs) {
            if pair as usize == self.before.len() {
                let group = &mut self.groups[id as usize];
                self.before.push(group.last);
                group.last = pair;
                group.count += 1;
            }
        }
        self.ids = pairs;
        Ok(())
    }

    /// Returns the pairs of a group.
    fn pairs_of(&self, group: u32) -> impl Iterator<Item = u32> {
        let last = self.groups[group as usize].last;
        let before = |pair: &u32| Some(self.before[*pair as usize]).filter(|&it| it != END);
        std::iter::successors(Some(last).filter(|&last| last != END), before)
    }

    fn values_of(&self, groups: &[u32]) -> Result<ArrayRef> {
        let pairs: Vec<u32> = groups.iter().flat_map(|&group| self.pairs_of(group)).collect();
        let mut columns = self.pairs.columns(&pairs)?;
        columns.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "pairs have no values"))
    }

    /// Makes the table again without the pairs of groups that were reset, if these are many.
    fn drop_unused(&mut self) -> Result<()> {
        if self.unused < 1024 || self.unused < self.before.len() / 2 {
            return Ok(());
        }
        let all: Vec<u32> = (0..self.groups.len() as u32).collect();
        let values = self.values_of(&all)?;
        let ids = all.iter().map(|&id| (id, self.groups[id as usize].count as usize));
        let ids: Vec<u32> = ids.flat_map(|(id, count)| std::iter::repeat_n(id, count)).collect();
        self.clear();
        self.resize(all.len());
        self.add(&ids, values)
    }

    fn counts(&self, groups: &[u32]) -> impl Iterator<Item = usize> {
        groups.iter().map(|&group| self.groups[group as usize].count as usize)
    }
}

fn not_filtered(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "nulls could not be skipped").with_source(cause)
}

impl Accumulator for Distinct {
    fn resize(&mut self, groups: usize) {
        while self.groups.len() < groups {
            let group = self.new_group();
            self.groups.push(group);
        }
    }

    fn update(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        self.drop_unused()?;
        let column = &columns[0];
        let Some(nulls) = column.logical_nulls().filter(|it| it.null_count() > 0) else {
            return self.add(ids, Arc::clone(column));
        };
        let valid = BooleanArray::new(nulls.inner().clone(), None);
        let kept = ids.iter().zip(nulls.iter());
        let kept: Vec<u32> = kept.filter_map(|(&id, valid)| valid.then_some(id)).collect();
        self.add(&kept, filter(column, &valid).map_err(not_filtered)?)
    }

    fn merge(&mut self, ids: &[u32], states: &[ArrayRef]) -> Result<()> {
        let [state] = states else {
            return Err(not_its_state("count_distinct"));
        };
        self.drop_unused()?;
        let lists = lists_in(state, &self.of, "count_distinct")?;
        let (first, last) = (lists.value_offsets()[0], lists.value_offsets()[lists.len()]);
        let values = lists.values().slice(first as usize, (last - first) as usize);
        let lengths = lists.value_offsets().windows(2).map(|it| (it[1] - it[0]) as usize);
        let ids = ids.iter().zip(lengths);
        let ids: Vec<u32> = ids.flat_map(|(&id, length)| std::iter::repeat_n(id, length)).collect();
        self.add(&ids, values)
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![list_column(self.values_of(groups)?, self.counts(groups))?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef, FinishError> {
        let counts = self.counts(groups).map(|count| count as u64);
        Ok(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn reset(&mut self, groups: &[u32]) {
        for &group in groups {
            let fresh = self.new_group();
            let old = std::mem::replace(&mut self.groups[group as usize], fresh);
            self.unused += old.count as usize;
        }
    }

    fn clear(&mut self) {
        self.pairs.clear();
        self.before.clear();
        self.groups.clear();
        (self.names, self.unused) = (0, 0);
    }

    fn size(&self) -> usize {
        let words = self.before.capacity() + self.ids.capacity() + 3 * self.groups.capacity();
        self.pairs.size() + words * size_of::<u32>()
    }
}
