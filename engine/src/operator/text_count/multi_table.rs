//! Drains what workers counted, without merging their tables first where there is room.

use std::sync::Arc;

use keymill_kernels::KeyCounts;
use keymill_kernels::stage::count::{Counter, Slices};

use super::CountOperator;
use super::batches::Batches;
use super::drain::{BatchLimits, Order};
use super::drain_input::DrainInput;
use crate::runtime::{MemoryBudget, Reservation};
use crate::{Result, Tuning};

/// Up to so many tables, a key is looked up in each; from more, its counts are gathered in another.
const FEW_TABLES: usize = 4;

/// Operators that are about to be drained together.
pub(crate) struct MultiTable {
    /// Has counted all tokens, and holds the groups unless `tables` does.
    operator: CountOperator,
    tables: Option<Arc<Tables>>,
}

/// Tables that are drained slice by slice, and the memory they hold.
pub(super) struct Tables {
    slices: Slices,
    budget: MemoryBudget,
    _memory: Reservation,
}

impl MultiTable {
    /// Brings operators together.
    ///
    /// # Errors
    ///
    /// Those of [`CountOperator::merge_all`].
    pub(crate) fn new(mut operators: Vec<CountOperator>) -> Result<Self> {
        let tables = take_tables(&mut operators)?;
        let operator = CountOperator::merge_all(operators)?;
        Ok(Self { operator, tables })
    }

    /// The operator that has counted all tokens.
    pub(crate) fn operator(&self) -> &CountOperator {
        &self.operator
    }

    /// Tells whether tables are drained side by side.
    #[cfg(test)]
    pub(super) fn has_tables(&self) -> bool {
        self.tables.is_some()
    }

    /// How many groups there are; a key that is in several places is several groups.
    pub(crate) fn groups_at_most(&self) -> usize {
        let tables = self.tables.as_ref().map(|tables| tables.slices.len());
        self.operator.groups_at_most() + tables.unwrap_or(0)
    }

    /// Lets all groups leave; see [`CountOperator::drain`].
    ///
    /// # Errors
    ///
    /// Those of [`CountOperator::drain`].
    pub(crate) fn drain(&mut self, order: Order, limits: BatchLimits) -> Result<Batches> {
        let tables = self.tables.take();
        self.operator.guarded(|operator| match tables {
            Some(tables) => operator.drain_items(tables.into_items(), order, limits),
            None => operator.drain_all(order, limits),
        })
    }
}

impl Tables {
    fn into_items(self: Arc<Self>) -> Vec<DrainInput> {
        (0..self.slices.slices())
            .map(|slice| DrainInput::slice(Arc::clone(&self), slice, &self.budget))
            .collect()
    }

    /// How many groups a slice has, and how many bytes they take: its share of all.
    pub(super) fn share(&self) -> (usize, usize) {
        let groups = self.slices.len().div_ceil(self.slices.slices());
        (groups, self.slices.bytes() / self.slices.slices())
    }

    /// Appends the groups of a slice to `out`, and says whether they are distinct.
    pub(super) fn copy_to(&self, slice: usize, out: &mut KeyCounts) -> bool {
        let few = self.slices.counters() <= FEW_TABLES;
        if few {
            self.slices.add_up_to(slice, out);
        } else {
            self.slices.copy_to(slice, out);
        }
        few
    }
}

/// Takes the tables of large operators, unless they have partitions or memory is short.
fn take_tables(operators: &mut [CountOperator]) -> Result<Option<Arc<Tables>>> {
    let Some(first) = operators.first() else {
        return Ok(None);
    };
    let resources = first.context.resources.clone();
    let bytes = operators.iter().map(CountOperator::size).sum();
    // The groups leave the tables for others, which are as large at most.
    if resources.memory.is_tight(bytes)
        || operators.iter().all(CountOperator::is_small)
        || !operators.iter().all(|one| one.partitions.is_unused())
    {
        return Ok(None);
    }
    let mut counters = Vec::with_capacity(operators.len());
    for operator in &mut *operators {
        operator.observe()?;
        counters.push(operator.replace_counter());
        operator.reservation.set(operator.size());
    }
    let groups = counters.iter().map(Counter::len).sum();
    match Slices::new(counters, slice_count(groups, &resources.tuning)) {
        Ok(slices) => Ok(Some(Arc::new(Tables {
            _memory: reserve(&resources.memory, bytes),
            budget: resources.memory,
            slices,
        }))),
        Err(counters) => {
            give_back(operators, counters);
            Ok(None)
        }
    }
}

/// So many slices that each fills a batch, but not more than there would be partitions.
fn slice_count(groups: usize, limits: &Tuning) -> usize {
    let slices = groups / (limits.table_slots * 4).max(1);
    slices.next_power_of_two().min(limits.partitions)
}

fn reserve(budget: &MemoryBudget, bytes: usize) -> Reservation {
    let mut memory = budget.reservation();
    memory.set(bytes);
    memory
}

/// Gives every operator its counter again.
fn give_back(operators: &mut [CountOperator], counters: Vec<Counter>) {
    for (operator, counter) in operators.iter_mut().zip(counters) {
        operator.seen = (counter.tokens(), counter.rejected());
        operator.counter = counter;
        operator.reservation.set(operator.size());
    }
}
