//! Brings what several operators hold to one of them.
#![forbid(unsafe_code)]

use keymill_kernels::KeyCounts;

use super::{CountOperator, OperatorMetrics};
use crate::runtime::parallel;
use crate::{Error, ErrorKind, Resources, Result};

impl CountOperator {
    /// Takes everything that another operator holds, which has counted nothing then; a key of both
    /// has the sum of its counts.
    ///
    /// For [`Drain::Changed`](crate::Drain::Changed) all keys of the other operator came since the
    /// last drain.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the other one has another token rule, seed or number of
    /// partitions; both are as they were then. And those of [`CountOperator::push`].
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::{CountOperator, Resources, TokenRule};
    ///
    /// // Clones of the same resources have the same seed.
    /// let resources = Resources::default();
    /// let mut one = CountOperator::new(&TokenRule::Whitespace, &resources)?;
    /// let mut other = CountOperator::new(&TokenRule::Whitespace, &resources)?;
    /// one.push(b"to be")?;
    /// other.push(b"or not to be")?;
    /// one.merge(&mut other)?;
    /// assert_eq!((one.tokens(), other.tokens()), (6, 0));
    /// # Ok::<(), keymill::Error>(())
    /// ```
    pub fn merge(&mut self, other: &mut Self) -> Result<()> {
        self.guarded(|operator| {
            operator.check_mergeable(other)?;
            operator.take_over(other)
        })
    }

    /// Merges the operators of several workers, side by side where that pays.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when there is none, and those of [`CountOperator::merge`].
    pub(crate) fn merge_all(operators: Vec<Self>) -> Result<Self> {
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

impl CountOperator {
    fn check_mergeable(&self, other: &Self) -> Result<()> {
        let of = |one: &Self| {
            (
                one.context.resources.seed,
                one.context.resources.tuning.partitions,
            )
        };
        if self.rule != other.rule || of(self) != of(other) {
            return Err(Error::new(
                ErrorKind::Config,
                "operators can be merged that share token rule, seed and number of partitions; \
                 make them with clones of one `Resources`",
            ));
        }
        if other.broken {
            return Err(Error::new(
                ErrorKind::Config,
                "an earlier error left the other operator incomplete; it cannot be merged",
            ));
        }
        Ok(())
    }

    /// Takes all that is in the other one, of which nothing is left but its rule and its room.
    fn take_over(&mut self, other: &mut Self) -> Result<()> {
        self.observe()?;
        other.observe()?;
        self.hold(other.held)?;
        self.metrics = self.metrics.plus(&other.metrics());
        if self.is_small() && other.is_small() {
            self.absorb_table(other);
        } else {
            self.flush();
            other.flush();
            let partitions = std::mem::take(&mut other.partitions);
            self.partitions.absorb(partitions);
        }
        other.forget();
        self.check_memory()
    }

    /// Has counted nothing from now on.
    fn forget(&mut self) {
        if self.counter.bytes() > self.sizes.fresh {
            self.replace_counter();
        }
        self.seen = (self.counter.tokens(), self.counter.rejected());
        (self.metrics, self.held, self.unchecked) = (OperatorMetrics::default(), 0, 0);
        // What was written belongs to whoever has it now.
        self.context.space = self.context.space.another();
        self.reservation.set(self.size());
    }

    /// Whether both have counters of the same making.
    fn counts_like(&self, other: &Self) -> bool {
        let of = |one: &Self| {
            let Resources { level, tuning, .. } = one.context.resources;
            (level, tuning, one.sizes)
        };
        of(self) == of(other)
    }

    /// Adds the smaller table to the larger one.
    ///
    /// The other way round groups would come in the order of their hashes to a table that is much
    /// too small for them, and crowd its first slots.
    pub(super) fn absorb_table(&mut self, other: &mut Self) {
        if self.counter.len() < other.counter.len() && self.counts_like(other) {
            std::mem::swap(&mut self.counter, &mut other.counter);
            std::mem::swap(&mut self.seen, &mut other.seen);
        }
        let mut groups = KeyCounts::default();
        other.counter.drain_into(&mut groups);
        self.counter.absorb(&groups);
    }
}

impl OperatorMetrics {
    /// Both together.
    fn plus(&self, other: &Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            rows: self.rows + other.rows,
            tokens: self.tokens + other.tokens,
            rejected: self.rejected + other.rejected,
            spilled_bytes: self.spilled_bytes + other.spilled_bytes,
        }
    }
}
