//! The operator under every job: bytes or columns in, counts by key out.
#![forbid(unsafe_code)]

mod array;
mod batches;
pub(crate) mod columns;
mod compact;
mod cut;
mod drain;
mod drain_input;
mod memory_policy;
mod merge;
mod multi_table;
pub(crate) mod order;
mod ordered;
mod partitions;
mod reduce;

use arrow_array::{Array, RecordBatch};
use keymill_kernels::KeyCounts;
use keymill_kernels::stage::count::Counter;

use crate::operator::text_count::columns::{check_version, for_each_group};
use crate::operator::text_count::order::By;
use crate::runtime::{Reservation, Resources};
use crate::spill::SpillSpace;
use crate::{Error, ErrorKind, Result, TokenRule};
use array::Gathered;
pub use batches::Batches;
use batches::Source;
#[cfg(feature = "gpu")]
pub(crate) use cut::cut as cut_text;
use cut::cut;
pub use drain::{BatchLimits, Drain, Order};
use drain_input::DrainInput;
use memory_policy::{Sizes, new_counter};
pub(crate) use multi_table::MultiTable;
use partitions::Partitions;
use reduce::OperatorContext;

/// Up to so many groups, tables are merged into one another and not by partition.
const FEW: usize = 1 << 15;
/// The most tokens an operator counts: one bit of a count is its own.
const MOST: u64 = (1 << 63) - 1;

/// Counts tokens by key: push texts, columns or partial counts, merge, and drain batches.
///
/// ```text
/// push ─▶ key tables ─▶ partitions ─▶ disk
///                │           │          │        (each only when the one before is full)
///                └───────────┴──────────┴──▶ reduce ─▶ order ─▶ batches of key, count
/// ```
///
/// It is `Send`, has no clock and makes no threads. The memory that it holds is taken from
/// [`Resources::memory`], which operators share; when that is tight, groups go to an unlinked file
/// in [`Resources::spill_dir`]. The answer is the same for every budget, thread count, order of
/// merges and cut of the input into records. The largest single key is the one thing that is held
/// whatever the budget.
///
/// It counts up to 2⁶³ − 1 tokens in all, so no count can wrap.
///
/// After an error the operator is incomplete, and refuses everything but being dropped.
///
/// # Examples
///
/// ```
/// use keymill::{BatchLimits, CountOperator, Drain, Order, Resources, TokenRule};
///
/// let mut operator = CountOperator::new(&TokenRule::Whitespace, &Resources::default())?;
/// operator.push(b"to be or not to be")?;
/// let batches = operator.drain(Drain::All, Order::Count, BatchLimits::default())?;
/// let rows: usize = batches.map(|batch| batch.map(|b| b.num_rows())).sum::<keymill::Result<_>>()?;
/// assert_eq!(rows, 4);
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct CountOperator {
    rule: TokenRule,
    context: OperatorContext,
    counter: Counter,
    partitions: Partitions,
    reservation: Reservation,
    sizes: Sizes,
    metrics: OperatorMetrics,
    /// The counter's own tokens and rejected lines that `metrics` knows of.
    seen: (u64, u64),
    /// Tokens that have not been drained for good.
    held: u64,
    /// Bytes since the last look at the budget.
    unchecked: usize,
    gathered: Gathered,
    broken: bool,
}

/// What an operator has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatorMetrics {
    /// Bytes that were pushed.
    pub bytes: u64,
    /// Texts, rows of columns and partial counts that were pushed.
    pub rows: u64,
    /// Tokens that were counted, those of partial counts included.
    pub tokens: u64,
    /// Lines that had no token to give.
    pub rejected: u64,
    /// Bytes that were written to disk.
    pub spilled_bytes: u64,
}

impl std::fmt::Debug for CountOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CountOperator")
            .field("rule", &self.rule)
            .field("size", &self.size())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl CountOperator {
    /// Makes an operator that has counted nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a level that this machine does not run, and for a rule whose
    /// separator is empty or holds a line end.
    pub fn new(rule: &TokenRule, resources: &Resources) -> Result<Self> {
        rule.check()?;
        if !resources.level.is_available() {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "this machine cannot run the level `{}`",
                    resources.level.name()
                ),
            ));
        }
        let resources = &Resources {
            tuning: resources.tuning.fitting(),
            ..resources.clone()
        };
        let counter = new_counter(rule, resources, resources.tuning.flush_bytes);
        let sizes = Sizes::new(resources, counter.bytes());
        Ok(Self {
            rule: rule.clone(),
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
            unchecked: 0,
            gathered: Gathered::default(),
            broken: false,
        })
    }

    /// Counts the tokens of a text; its end is a token boundary.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`]; [`ErrorKind::Capacity`] and [`ErrorKind::State`] from spilling.
    pub fn push(&mut self, text: &[u8]) -> Result<()> {
        self.guarded(|operator| {
            operator.metrics.rows += 1;
            operator.push_text(text)
        })
    }

    /// Counts the tokens of a column of strings or bytes: `Utf8`, `LargeUtf8`, `Utf8View`,
    /// `Binary`, `LargeBinary` or `BinaryView`.
    ///
    /// Every row is a record, whose end is a token boundary. Null rows are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for a column of another type, and those of [`CountOperator::push`].
    pub fn push_array(&mut self, array: &dyn Array) -> Result<()> {
        self.guarded(|operator| operator.push_column(array))
    }

    /// Adds counts that another operator drained: a batch of `key`, strings or bytes, and `count`,
    /// `UInt64`. Zero counts are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for other columns or nulls, [`ErrorKind::State`] for a version of the
    /// columns that this release does not know, [`ErrorKind::Capacity`] past 2⁶³ − 1 tokens, and
    /// those of [`CountOperator::push`].
    pub fn push_partial(&mut self, batch: &RecordBatch) -> Result<()> {
        self.guarded(|operator| {
            check_version(&batch.schema())?;
            let (mut groups, mut tokens) = (KeyCounts::default(), 0u64);
            for_each_group(batch, |key, count| {
                tokens = tokens.checked_add(count).ok_or_else(too_many)?;
                if count > 0 {
                    groups.push(key, count);
                }
                Ok(())
            })?;
            operator.hold(tokens)?;
            operator.metrics.rows += batch.num_rows() as u64;
            operator.metrics.tokens += tokens;
            operator.counter.absorb(&groups);
            operator.check_memory()
        })
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
            operator.hold(tokens)?;
            operator.metrics.tokens += tokens;
            operator.metrics.rejected += rejected;
            operator.counter.absorb(groups);
            operator.check_memory()
        })
    }

    /// Lets groups leave as batches of `key` (`BinaryView`) and `count` (`UInt64`), none of them
    /// null; see [`crate::count_schema`].
    ///
    /// With [`BatchLimits::top`] the groups behind the first ones are drained too, and dropped
    /// from the answer. Changed groups that leave in any order leave in that of their keys.
    ///
    /// Reducing and sorting use the threads of the rayon pool that this, and then
    /// [`Batches::next`], are called in, up to [`Resources::threads`]; outside of a pool they use
    /// the caller's thread alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`]; [`ErrorKind::Capacity`] and [`ErrorKind::State`] from spilling.
    pub fn drain(&mut self, drain: Drain, order: Order, limits: BatchLimits) -> Result<Batches> {
        self.guarded(|operator| match drain {
            Drain::All => operator.drain_all(order, limits),
            Drain::Changed => operator.drain_changed(order, limits),
        })
    }

    /// How many bytes of memory the operator holds for its groups.
    #[must_use]
    pub fn size(&self) -> usize {
        self.counter.bytes() + self.partitions.bytes()
    }

    /// How many groups it holds; a key that is in several places is several groups.
    pub(crate) fn groups_at_most(&self) -> usize {
        self.counter.len() + self.partitions.groups()
    }

    /// Moves all groups to disk, and answers how many bytes were written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Capacity`] when the spill folder is full, [`ErrorKind::State`] when it cannot
    /// be written to, and [`ErrorKind::Cancelled`].
    pub fn spill(&mut self) -> Result<u64> {
        self.guarded(|operator| {
            let before = operator.context.space.written();
            operator.spill_all()?;
            Ok(operator.context.space.written() - before)
        })
    }

    /// Lets no more than so many bytes be written to disk; past that, the disk counts as full.
    pub fn limit_spill(&mut self, bytes: u64) {
        self.context.space.limit(bytes);
    }

    /// How many tokens were counted.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.metrics().tokens
    }

    /// How many lines had no token to give.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.metrics().rejected
    }

    /// What the operator has seen since it was made, with what was merged into it.
    #[must_use]
    pub fn metrics(&self) -> OperatorMetrics {
        OperatorMetrics {
            tokens: self.metrics.tokens + self.counter.tokens() - self.seen.0,
            rejected: self.metrics.rejected + self.counter.rejected() - self.seen.1,
            spilled_bytes: self.metrics.spilled_bytes + self.context.space.written(),
            ..self.metrics
        }
    }
}

impl CountOperator {
    /// Runs a step, after which the operator is complete or refuses the next one.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.broken {
            return Err(Error::new(
                ErrorKind::State,
                "an earlier error left this operator incomplete; count again with a new one",
            ));
        }
        self.context.resources.cancel.check()?;
        self.broken = true;
        let result = step(self);
        // These are found before anything is changed.
        let refused = |error: &Error| matches!(error.kind(), ErrorKind::Format | ErrorKind::Config);
        self.broken = result.as_ref().err().is_some_and(|error| !refused(error));
        result
    }

    fn push_text(&mut self, mut text: &[u8]) -> Result<()> {
        self.metrics.bytes += text.len() as u64;
        while !text.is_empty() {
            let (piece, rest) = text.split_at(cut(&self.rule, text, self.sizes.look));
            self.counter.push(piece);
            // A text costs something even when it is short.
            self.unchecked += piece.len() + 16;
            self.check_memory_when_due()?;
            text = rest;
        }
        Ok(())
    }

    fn drain_all(&mut self, order: Order, limits: BatchLimits) -> Result<Batches> {
        self.check_memory()?;
        let items = self.take_items()?;
        self.drain_items(items, order, limits)
    }

    /// Lets items leave that have all the tokens which are held.
    fn drain_items(
        &mut self,
        items: Vec<DrainInput>,
        order: Order,
        limits: BatchLimits,
    ) -> Result<Batches> {
        let tokens = std::mem::take(&mut self.held);
        if self.counter.bytes() > self.sizes.share / 4 {
            self.replace_counter();
        }
        self.reservation.set(self.size());
        let context = self.context.clone();
        let by = match order {
            Order::None => {
                let batches = Batches::new(context, Source::Items(items.into()), limits);
                return batches.expecting(tokens);
            }
            Order::Key => By::Key,
            Order::Count => By::Count,
        };
        let groups = items.iter().map(DrainInput::groups).sum();
        let batches = match limits.picks(groups, context.resources.memory.limit()) {
            Some(most) => ordered::drain_top(context, items, by, most, limits),
            None => ordered::drain_items(context, items, by, limits),
        };
        batches?.expecting(tokens)
    }

    /// Moves all groups out, by partition unless they never were in one.
    fn take_items(&mut self) -> Result<Vec<DrainInput>> {
        let budget = &self.context.resources.memory;
        if self.partitions.is_unused() {
            let mut groups = KeyCounts::default();
            self.counter.drain_into(&mut groups);
            return Ok(vec![DrainInput::reduced(groups, budget)]);
        }
        let count = self.context.resources.tuning.partitions.max(1);
        self.partitions
            .take_from(&mut self.counter, count, self.sizes.piece);
        if budget.is_tight(budget.limit() / 4) {
            self.partitions.spill(&self.context.space)?;
        }
        let parts = std::mem::take(&mut self.partitions).into_parts();
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Ok(parts
            .map(|part| DrainInput::part(part.into_pieces(), budget))
            .collect())
    }

    fn drain_changed(&mut self, order: Order, limits: BatchLimits) -> Result<Batches> {
        self.check_memory()?;
        self.flush();
        let by = match order {
            Order::Count => By::Count,
            Order::Key | Order::None => By::Key,
        };
        let parts = std::mem::take(&mut self.partitions).into_parts();
        let context = self.context.clone();
        let (batches, kept) = ordered::drain_changes(context, parts, by, limits)?;
        self.partitions = Partitions::from_parts(kept);
        self.reservation.set(self.size());
        Ok(batches)
    }
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::Capacity,
        "more than 2^63 - 1 tokens in all; drain the operator before it holds so many",
    )
}

#[cfg(test)]
mod tests;
