//! Merges several operators into one.
#![forbid(unsafe_code)]

use keymill_kernels::KeyCounts;

use super::TextCount;
use crate::operator::{Operator, OperatorMetrics};
use crate::runtime::parallel;
use crate::{Error, ErrorKind, Resources, Result};

impl TextCount {
    /// Merges the operators of several workers, in parallel if they are large.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without an operator, and those of [`Operator::merge`].
    pub(crate) fn merge_tables(operators: Vec<Self>) -> Result<Self> {
        let threads = operators.len();
        let all_small = threads == 1 || operators.iter().all(Self::is_small);
        let flushed = parallel::map(threads, operators, |mut operator| {
            if !all_small {
                operator.flush();
            }
            Ok(operator)
        })?;
        let mut flushed = flushed.into_iter();
        let mut whole = flushed
            .next()
            .ok_or_else(|| Error::new(ErrorKind::Config, "there is no operator to merge"))?;
        flushed.try_for_each(|mut other| whole.merge(&mut other))?;
        Ok(whole)
    }
}

impl TextCount {
    pub(super) fn check_mergeable(&self, other: &Self) -> Result<()> {
        let of = |one: &Self| {
            (
                one.context.resources.seed,
                one.context.resources.tuning.partitions,
            )
        };
        if self.rule != other.rule || of(self) != of(other) {
            return Err(Error::new(
                ErrorKind::Config,
                "merged operators must have the same token rule, seed and number of partitions; \
                 make them with clones of one `Resources`",
            ));
        }
        if other.guard.is_incomplete() {
            return Err(Error::new(
                ErrorKind::Config,
                "an earlier error left the other operator incomplete; it cannot be merged",
            ));
        }
        Ok(())
    }

    /// Moves all groups and metrics of another operator here, and resets it.
    pub(super) fn absorb_operator(&mut self, other: &mut Self) -> Result<()> {
        self.update_metrics()?;
        other.update_metrics()?;
        self.add_held(other.held)?;
        self.metrics = self.metrics.plus(&other.metrics());
        if self.is_small() && other.is_small() {
            self.absorb_table(other);
        } else {
            self.flush();
            other.flush();
            let partitions = std::mem::take(&mut other.partitions);
            self.partitions.absorb(partitions);
        }
        other.reset();
        self.check_memory()
    }

    /// Resets the operator to an empty one, after its groups were moved.
    fn reset(&mut self) {
        if self.counter.bytes() > self.sizes.fresh {
            self.replace_counter();
        }
        self.seen = (self.counter.tokens(), self.counter.rejected());
        (self.metrics, self.held, self.bytes_since_check) = (OperatorMetrics::default(), 0, 0);
        // Spill files now belong to the other operator.
        self.context.space = self.context.space.another();
        self.reservation.set(self.size());
    }

    /// Returns whether both counters have the same settings.
    fn has_same_settings(&self, other: &Self) -> bool {
        let of = |one: &Self| {
            let Resources { level, tuning, .. } = one.context.resources;
            (level, tuning, one.sizes)
        };
        of(self) == of(other)
    }

    /// Adds the smaller table to the larger one.
    ///
    /// Otherwise the groups would come in hash order to a table that is much too small for them,
    /// and crowd its first slots.
    pub(super) fn absorb_table(&mut self, other: &mut Self) {
        if self.counter.len() < other.counter.len() && self.has_same_settings(other) {
            std::mem::swap(&mut self.counter, &mut other.counter);
            std::mem::swap(&mut self.seen, &mut other.seen);
        }
        let mut groups = KeyCounts::default();
        other.counter.drain_into(&mut groups);
        self.counter.absorb(&groups);
    }
}
