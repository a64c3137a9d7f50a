//! Drains the groups of all partitions, sorted or in any order.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::partitions::{Partition, Partitions};
use super::reduce::{Reduced, Reducer};
use super::{Context, GroupBy};
use crate::BatchLimits;
use crate::operator::ordering::{sort_keys, sorted};
use crate::operator::{BatchSource, Batches, Drain, Order, OrderBy};
use crate::runtime::{Reservation, parallel};
use crate::state::{GroupShape, GroupTable};
use crate::{Error, ErrorKind, Result};

impl GroupBy {
    pub(super) fn drain_all(
        &mut self,
        drain: Drain,
        order: &Order,
        limits: BatchLimits,
    ) -> Result<Batches> {
        let shape = &self.context.shape;
        let schema = match drain {
            Drain::Values => shape.schema().clone(),
            Drain::State => shape.state_schema().clone(),
        };
        let key_columns = shape.key_types().len();
        let columns = order_columns(order, shape, &schema)?;
        let keys = columns.map(|columns| sort_keys(&schema, &columns, key_columns));
        let keys = keys.transpose()?;
        self.check_budget(self.context.resources.memory.limit() / 4)?;
        let partitions = std::mem::replace(&mut self.partitions, Partitions::new(&self.context)?);
        let source = GroupBatches::new(&self.context, partitions, drain, limits)?;
        self.reservation.set(self.partitions.size());
        let Context {
            resources, space, ..
        } = &self.context;
        match keys {
            Some(keys) => sorted(source, &schema, &keys, limits, resources, space),
            None => Ok(Batches::new(schema, source, limits.top)),
        }
    }
}

/// Returns the columns of an order; `None` for no order.
fn order_columns(
    order: &Order,
    shape: &GroupShape,
    schema: &SchemaRef,
) -> Result<Option<Vec<OrderBy>>> {
    match order {
        Order::None => Ok(None),
        Order::Key => Ok(Some(Vec::new())),
        Order::Columns(columns) => Ok(Some(columns.clone())),
        Order::Count => {
            let count = shape.first_count().ok_or_else(|| {
                let message =
                    "the order by count needs the aggregate `count`; order by key or by a column";
                Error::new(ErrorKind::Config, message)
            })?;
            let column = match schema == shape.schema() {
                true => shape.key_types().len() + count,
                false => shape.states()[count].start,
            };
            let name = schema.field(column).name();
            Ok(Some(vec![OrderBy::new(name).descending()]))
        }
    }
}

/// The groups of all partitions, some partitions at a time.
struct GroupBatches {
    context: Context,
    left: VecDeque<Partition>,
    /// Bytes of the pending rows of all partitions, until the last partition is reduced.
    rows_bytes: usize,
    /// Empty tables for the next partitions.
    spare: Mutex<Vec<GroupTable>>,
    memory: Reservation,
    ready: VecDeque<RecordBatch>,
    /// Bytes of the batches that became ready together, until all of them are returned.
    ready_bytes: usize,
    drain: Drain,
    limits: BatchLimits,
    groups: u64,
    spilled_before: u64,
}

impl GroupBatches {
    fn new(
        context: &Context,
        partitions: Partitions,
        drain: Drain,
        limits: BatchLimits,
    ) -> Result<Self> {
        let spilled_before = context.space.written();
        let (parts, rows_bytes) = partitions.into_parts(context)?;
        let mut source = Self {
            memory: context.resources.memory.reservation(),
            context: context.clone(),
            left: parts.into(),
            rows_bytes,
            spare: Mutex::default(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            drain,
            limits,
            groups: 0,
            spilled_before,
        };
        source.measure(0);
        Ok(source)
    }

    /// Reserves memory for the remaining partitions, the ready batches, and `more` bytes.
    fn measure(&mut self, more: usize) {
        let spare = self.spare.get_mut().unwrap_or_else(PoisonError::into_inner);
        if self.left.is_empty() {
            self.rows_bytes = 0;
            spare.clear();
        }
        let spare: usize = spare.iter().map(GroupTable::size).sum();
        let left = self.left.iter().map(Partition::size).sum::<usize>();
        self.memory
            .set(left + self.rows_bytes + spare + self.ready_bytes + more);
    }

    /// Reduces the next partitions in parallel.
    fn refill(&mut self) -> Result<()> {
        let threads = parallel::available(self.context.resources.threads);
        let next: Vec<_> = self.left.drain(..threads.min(self.left.len())).collect();
        // The tables, and the batches that are made of them.
        self.ready_bytes = 0;
        let loaded = next.iter().map(Partition::loaded_bytes);
        self.measure(2 * loaded.sum::<usize>());
        let reducer = Reducer {
            context: &self.context,
            spare: &self.spare,
            drain: self.drain,
            limits: self.limits,
        };
        let reduced = parallel::map(threads, next, |partition| reducer.reduce(partition))?;
        for reduced in reduced {
            match reduced {
                Reduced::Batches(batches, bytes) => {
                    self.ready_bytes += bytes;
                    self.groups += batches.iter().map(|it| it.num_rows() as u64).sum::<u64>();
                    self.ready.extend(batches);
                }
                Reduced::Parts(parts) => parts.into_iter().for_each(|it| self.left.push_front(it)),
            }
        }
        self.measure(0);
        Ok(())
    }
}

impl BatchSource for GroupBatches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.ready.is_empty() && !self.left.is_empty() {
            self.context.resources.cancel.check()?;
            self.refill()?;
        }
        Ok(self.ready.pop_front())
    }

    fn groups(&self) -> u64 {
        self.groups
    }

    fn spilled_bytes(&self) -> u64 {
        self.context.space.written() - self.spilled_before
    }

    fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}
