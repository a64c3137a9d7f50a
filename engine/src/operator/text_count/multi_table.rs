//! Drains the operators of several workers, without merging their tables first if memory allows.

use std::sync::Arc;

use keymill_kernels::KeyCounts;
use keymill_kernels::stage::count::{Counter, Slices};

use super::TextCount;
use super::drain_input::DrainInput;
use crate::BatchLimits;
use crate::operator::{Batches, Drain, Merged, Operator, OperatorMetrics, Order};
use crate::runtime::{MemoryBudget, Reservation};
use crate::{Result, Tuning};

/// Up to this number of tables, a key is looked up in each; with more, its counts are added in a
/// further table.
const FEW_TABLES: usize = 4;

/// Operators that are drained together.
pub struct MultiTable {
    /// Has the metrics of all operators, and the groups unless `tables` has them.
    pub(super) operator: TextCount,
    tables: Option<Arc<Tables>>,
}

/// Tables that are drained slice by slice, and their reserved memory.
pub(super) struct Tables {
    slices: Slices,
    budget: MemoryBudget,
    _memory: Reservation,
}

impl MultiTable {
    /// Takes the tables of operators, or merges the operators.
    ///
    /// # Errors
    ///
    /// Those of [`Operator::merge`].
    pub(crate) fn new(mut operators: Vec<TextCount>) -> Result<Self> {
        let tables = take_tables(&mut operators)?;
        let operator = TextCount::merge_tables(operators)?;
        Ok(Self { operator, tables })
    }

    /// Returns whether tables are drained without merging.
    #[cfg(test)]
    pub(super) fn has_tables(&self) -> bool {
        self.tables.is_some()
    }
}

impl Merged for MultiTable {
    fn groups_at_most(&self) -> usize {
        let tables = self.tables.as_ref().map(|tables| tables.slices.len());
        self.operator.groups_at_most() + tables.unwrap_or(0)
    }

    fn metrics(&self) -> OperatorMetrics {
        self.operator.metrics()
    }

    fn drain(&mut self, _: Drain, order: &Order, limits: BatchLimits) -> Result<Batches> {
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

    /// Returns the average number of groups and of bytes per slice.
    pub(super) fn share(&self) -> (usize, usize) {
        let groups = self.slices.len().div_ceil(self.slices.slices());
        (groups, self.slices.bytes() / self.slices.slices())
    }

    /// Appends the groups of a slice to `out`, and returns whether they are distinct.
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

/// Takes the tables of large operators, unless they have partitions or memory is low.
fn take_tables(operators: &mut [TextCount]) -> Result<Option<Arc<Tables>>> {
    let Some(first) = operators.first() else {
        return Ok(None);
    };
    let resources = first.context.resources.clone();
    let bytes = operators.iter().map(TextCount::size).sum();
    // The groups are copied to other tables, which are at most as large.
    if resources.memory.is_tight(bytes)
        || operators.iter().all(TextCount::is_small)
        || !operators.iter().all(|one| one.partitions.is_unused())
    {
        return Ok(None);
    }
    let mut counters = Vec::with_capacity(operators.len());
    for operator in &mut *operators {
        operator.update_metrics()?;
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

/// Returns a number of slices that each fill a batch, at most the number of partitions.
fn slice_count(groups: usize, limits: &Tuning) -> usize {
    let slices = groups / (limits.table_slots * 4).max(1);
    slices.next_power_of_two().min(limits.partitions)
}

fn reserve(budget: &MemoryBudget, bytes: usize) -> Reservation {
    let mut memory = budget.reservation();
    memory.set(bytes);
    memory
}

/// Returns the counters to their operators.
fn give_back(operators: &mut [TextCount], counters: Vec<Counter>) {
    for (operator, counter) in operators.iter_mut().zip(counters) {
        operator.seen = (counter.tokens(), counter.rejected());
        operator.counter = counter;
        operator.reservation.set(operator.size());
    }
}
