//! Counts the tokens of texts by key; tokenizing and counting are one step.
#![forbid(unsafe_code)]

mod array;
mod batches;
pub(crate) mod columns;
mod compact;
mod drain_input;
mod memory_policy;
mod merge;
mod multi_table;
pub(crate) mod order;
mod ordered;
mod partitions;
mod reduce;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use keymill_kernels::KeyCounts;
use keymill_kernels::stage::count::Counter;

use crate::BatchLimits;
use crate::operator::guard::Guard;
use crate::operator::ordering::{sort_keys, sorted};
use crate::operator::{Batches, Drain, Input, Operator, OperatorMetrics, Order, OrderBy};
use crate::read::chunk::Boundary;
use crate::runtime::{Reservation, Resources};
use crate::spill::SpillSpace;
use crate::{Error, ErrorKind, Result, TokenRule};
use array::Gathered;
use batches::{CountBatches, Source};
use columns::{count_schema, for_each_group};
use drain_input::DrainInput;
use memory_policy::{Sizes, new_counter};
pub(crate) use multi_table::MultiTable;
use order::SortBy;
use partitions::Partitions;
use reduce::OperatorContext;

/// Tables of at most this number of groups are merged into one table, larger ones by partition.
const SMALL_TABLE_GROUPS: usize = 1 << 15;
/// Maximum number of tokens of an operator: the highest bit of a count is reserved.
const MAX_TOKENS: u64 = (1 << 63) - 1;

/// Counts the tokens of texts by key.
///
/// ```text
/// push ─▶ key tables ─▶ partitions ─▶ disk
///                │           │          │        (each only if the previous one is full)
///                └───────────┴──────────┴──▶ reduce ─▶ order ─▶ batches of key, count
/// ```
///
/// The input is texts, and batches of one column of strings or binaries. Every text and every row
/// is a record: its end ends a token. Null rows are skipped. The state columns and the result
/// columns are the same: `key` (`BinaryView`) and `count` (`UInt64`), never null; see
/// [`crate::count_schema`].
///
/// It counts up to 2⁶³ − 1 tokens between two drains, so no count can overflow. Each single key
/// must fit in memory, even if it is larger than the budget.
///
/// # Examples
///
/// ```
/// use keymill::{BatchLimits, Drain, Operator, Order, Resources, TextCount, TokenRule};
///
/// let mut operator = TextCount::new(&TokenRule::Whitespace, &Resources::default())?;
/// operator.push(b"to be or not to be")?;
/// let batches = operator.drain(Drain::Values, &Order::Count, BatchLimits::default())?;
/// let rows: usize = batches.map(|batch| batch.map(|b| b.num_rows())).sum::<keymill::Result<_>>()?;
/// assert_eq!(rows, 4);
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct TextCount {
    rule: TokenRule,
    boundary: Boundary,
    context: OperatorContext,
    counter: Counter,
    partitions: Partitions,
    reservation: Reservation,
    sizes: Sizes,
    metrics: OperatorMetrics,
    /// The counter's tokens and rejected lines that are included in `metrics`.
    seen: (u64, u64),
    /// Tokens that are not drained yet.
    held: u64,
    /// Bytes of text since the last check of the memory budget.
    bytes_since_check: usize,
    gathered: Gathered,
    guard: Guard,
}

impl std::fmt::Debug for TextCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextCount")
            .field("rule", &self.rule)
            .field("size", &self.size())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl TextCount {
    /// Makes an empty operator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a level that is not available on this machine, and for a rule
    /// whose separator is empty or holds a line end.
    pub fn new(rule: &TokenRule, resources: &Resources) -> Result<Self> {
        rule.check()?;
        resources.check_level()?;
        let resources = &Resources {
            tuning: resources.tuning.fitting(),
            ..resources.clone()
        };
        let counter = new_counter(rule, resources, resources.tuning.flush_bytes);
        let sizes = Sizes::new(resources, counter.bytes());
        Ok(Self {
            rule: rule.clone(),
            boundary: Boundary::new(resources.level, rule, false),
            counter: new_counter(rule, resources, sizes.flush),
            sizes,
            partitions: Partitions::default(),
            reservation: resources.memory.reservation(),
            context: OperatorContext {
                resources: resources.clone(),
                space: SpillSpace::new(resources.spill_dir.clone()),
            },
            metrics: OperatorMetrics::default(),
            seen: (0, 0),
            held: 0,
            bytes_since_check: 0,
            gathered: Gathered::default(),
            guard: Guard::default(),
        })
    }

    /// Counts the tokens of a column of strings or binaries, of any Arrow layout.
    ///
    /// Every row is a record: its end ends a token. Null rows are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for a column of another type, and those of [`Operator::push`].
    pub fn push_array(&mut self, array: &dyn Array) -> Result<()> {
        self.guarded(|operator| operator.push_column(array))
    }

    /// Adds counts of texts that were counted elsewhere.
    #[cfg(feature = "gpu")]
    pub(crate) fn push_counted(
        &mut self,
        groups: &KeyCounts,
        tokens: u64,
        rejected: u64,
    ) -> Result<()> {
        self.guarded(|operator| {
            operator.add_held(tokens)?;
            operator.metrics.tokens += tokens;
            operator.metrics.rejected += rejected;
            operator.counter.absorb(groups);
            operator.check_memory()
        })
    }

    /// Returns an upper bound of the number of groups: a key may be counted more than once.
    pub(crate) fn groups_at_most(&self) -> usize {
        self.counter.len() + self.partitions.groups()
    }

    /// Limits the bytes written to disk; above the limit, the disk counts as full.
    pub fn limit_spill(&mut self, bytes: u64) {
        self.context.space.limit(bytes);
    }

    /// Returns the number of tokens that were counted.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.metrics().tokens
    }

    /// Returns the number of lines without the field of the rule.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.metrics().rejected
    }
}

impl Operator for TextCount {
    type Merged = MultiTable;

    fn schema(&self) -> SchemaRef {
        count_schema()
    }

    fn state_schema(&self) -> SchemaRef {
        count_schema()
    }

    fn push<'a>(&mut self, input: impl Into<Input<'a>>) -> Result<()> {
        let input = input.into();
        self.guarded(|operator| match input {
            Input::Text(text) => {
                operator.metrics.rows += 1;
                operator.push_text(text)
            }
            Input::Batch(batch) => operator.push_column(only_column(batch)?),
        })
    }

    fn push_state(&mut self, states: &RecordBatch) -> Result<()> {
        self.guarded(|operator| {
            let (mut groups, mut tokens) = (KeyCounts::default(), 0u64);
            for_each_group(states, |key, count| {
                tokens = tokens.checked_add(count).ok_or_else(too_many)?;
                if count > 0 {
                    groups.push(key, count);
                }
                Ok(())
            })?;
            operator.add_held(tokens)?;
            operator.metrics.state_rows += states.num_rows() as u64;
            operator.counter.absorb(&groups);
            operator.check_memory()
        })
    }

    fn merge(&mut self, other: &mut Self) -> Result<()> {
        self.guarded(|operator| {
            operator.check_mergeable(other)?;
            operator.absorb_operator(other)
        })
    }

    fn merge_all(operators: Vec<Self>) -> Result<MultiTable> {
        MultiTable::new(operators)
    }

    fn size(&self) -> usize {
        self.counter.bytes() + self.partitions.bytes()
    }

    fn spill(&mut self) -> Result<u64> {
        self.guarded(|operator| {
            let before = operator.context.space.written();
            operator.spill_all()?;
            Ok(operator.context.space.written() - before)
        })
    }

    fn drain(&mut self, _: Drain, order: &Order, limits: BatchLimits) -> Result<Batches> {
        self.guarded(|operator| operator.drain_all(order, limits))
    }

    fn metrics(&self) -> OperatorMetrics {
        OperatorMetrics {
            tokens: self.metrics.tokens + self.counter.tokens() - self.seen.0,
            rejected: self.metrics.rejected + self.counter.rejected() - self.seen.1,
            spilled_bytes: self.metrics.spilled_bytes + self.context.space.written(),
            ..self.metrics
        }
    }
}

fn only_column(batch: &RecordBatch) -> Result<&dyn Array> {
    match batch.columns() {
        [column] => Ok(column),
        columns => {
            let message = format!(
                "a text count needs batches of one column, this one has {}; project it first",
                columns.len()
            );
            Err(Error::new(ErrorKind::Format, message))
        }
    }
}

impl TextCount {
    /// Runs a step. If it fails halfway, all later steps are refused.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.guard.begin(&self.context.resources.cancel)?;
        let result = step(self);
        self.guard.end(result)
    }

    fn push_text(&mut self, mut text: &[u8]) -> Result<()> {
        self.metrics.bytes += text.len() as u64;
        while !text.is_empty() {
            let cut = self.boundary.cut(text, self.sizes.check_interval);
            let (piece, rest) = (&text[..cut.end], &text[cut.next..]);
            self.counter.push(piece);
            // Short texts have a cost, too.
            self.bytes_since_check += piece.len() + 16;
            self.check_memory_when_due()?;
            text = rest;
        }
        Ok(())
    }

    fn drain_all(&mut self, order: &Order, limits: BatchLimits) -> Result<Batches> {
        self.check_memory()?;
        let items = self.take_items()?;
        self.drain_items(items, order, limits)
    }

    /// Drains items, which must contain all held tokens.
    fn drain_items(
        &mut self,
        items: Vec<DrainInput>,
        order: &Order,
        limits: BatchLimits,
    ) -> Result<Batches> {
        let tokens = std::mem::take(&mut self.held);
        if self.counter.bytes() > self.sizes.share / 4 {
            self.replace_counter();
        }
        self.reservation.set(self.size());
        let context = self.context.clone();
        let counts = match sort_by_of(order) {
            Some(by) => {
                let groups = items.iter().map(DrainInput::groups).sum();
                match limits.selects(groups, context.resources.memory.limit()) {
                    Some(most) => ordered::drain_top(context, items, by, most, limits),
                    None => ordered::drain_items(context, items, by, limits),
                }?
            }
            None => CountBatches::new(context, Source::Items(items.into()), limits),
        };
        let counts = counts.expecting(tokens)?;
        match order {
            Order::Columns(columns) if sort_by_of(order).is_none() => {
                let OperatorContext { resources, space } = &self.context;
                let keys = sort_keys(&count_schema(), columns, 1)?;
                sorted(counts, &count_schema(), &keys, limits, resources, space)
            }
            _ => Ok(Batches::new(count_schema(), counts, limits.top)),
        }
    }

    /// Moves all groups to items: one per partition, or one item if there are no partitions.
    fn take_items(&mut self) -> Result<Vec<DrainInput>> {
        let budget = &self.context.resources.memory;
        if self.partitions.is_unused() {
            let mut groups = KeyCounts::default();
            self.counter.drain_into(&mut groups);
            return Ok(vec![DrainInput::reduced(groups, budget)]);
        }
        let count = self.context.resources.tuning.partitions.max(1);
        self.partitions
            .flush_counter(&mut self.counter, count, self.sizes.piece);
        if budget.is_tight(budget.limit() / 4) {
            self.partitions.spill(&self.context.space)?;
        }
        let parts = std::mem::take(&mut self.partitions).into_parts();
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Ok(parts.map(|part| DrainInput::part(part, budget)).collect())
    }
}

/// Returns the built-in order of the text count; `None` for no order, and for other orders.
fn sort_by_of(order: &Order) -> Option<SortBy> {
    match order {
        Order::Key => Some(SortBy::Key),
        Order::Count => Some(SortBy::Count),
        Order::Columns(columns) => match &columns[..] {
            [key, ..] if is_ascending(key, "key") => Some(SortBy::Key),
            [count] if is_descending(count, "count") => Some(SortBy::Count),
            [count, key] if is_descending(count, "count") && is_ascending(key, "key") => {
                Some(SortBy::Count)
            }
            _ => None,
        },
        Order::None => None,
    }
}

fn is_ascending(by: &OrderBy, column: &str) -> bool {
    by.column() == column && !by.is_descending()
}

fn is_descending(by: &OrderBy, column: &str) -> bool {
    by.column() == column && by.is_descending()
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::Capacity,
        "more than 2^63 - 1 tokens in total; drain the operator earlier",
    )
}

#[cfg(test)]
mod tests;
