//! What an operator may use: threads, memory, a spill folder, and a way to be stopped.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keymill_kernels::{Block, Level, Tuning};

use crate::{Error, ErrorKind, Result};

/// Everything an operator takes from its surroundings; it makes no pool and reads no clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resources {
    /// The instructions to run on.
    pub level: Level,
    /// How many threads the caller runs operators on, and a drain may use.
    pub threads: usize,
    /// The memory that all operators of the query share.
    pub memory: MemoryBudget,
    /// Where partitions go that do not fit; `None` is the system's temporary folder.
    pub spill_dir: Option<PathBuf>,
    /// Asked between pieces of work.
    pub cancel: Cancel,
    /// Sizes; nothing but tests changes them.
    #[doc(hidden)]
    pub tuning: Tuning,
    /// The seed of the stable hash, and of the tables' secrets. Operators can be merged that
    /// share it, as those do that are made with clones of the same resources.
    pub seed: u64,
}

impl Resources {
    /// Sets the number of threads that the caller runs operators on.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Sets the memory budget of the query.
    #[must_use]
    pub fn with_memory(self, memory: MemoryBudget) -> Self {
        Self { memory, ..self }
    }

    /// Sets the folder for spill files.
    #[must_use]
    pub fn with_spill_dir(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            spill_dir: Some(folder.into()),
            ..self
        }
    }

    /// Sets the flag that stops the query.
    #[must_use]
    pub fn with_cancel(self, cancel: &Cancel) -> Self {
        Self {
            cancel: cancel.clone(),
            ..self
        }
    }

    /// Sets the seed. Only operators with the same seed can be merged.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Checks that this machine has the level.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where it has not.
    pub(crate) fn check_level(&self) -> Result<()> {
        if self.level.is_available() {
            return Ok(());
        }
        let message = format!("this machine cannot run the level `{}`", self.level.name());
        Err(Error::new(ErrorKind::Config, message))
    }
}

impl Default for Resources {
    /// One thread of the best level, 1 GiB, the system's temporary folder, and a seed that nobody
    /// can foresee; the engine's own default is to look at the machine.
    fn default() -> Self {
        Self {
            level: Level::best(),
            threads: 1,
            memory: MemoryBudget::new(1 << 30),
            spill_dir: None,
            cancel: Cancel::default(),
            tuning: Tuning::DEFAULT,
            seed: random_seed(),
        }
    }
}

/// A seed that nobody can foresee, from the standard library's own.
pub(crate) fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A flag that stops a job; clones share it.
///
/// # Examples
///
/// ```
/// use keymill::{Cancel, ErrorKind};
///
/// let cancel = Cancel::default();
/// assert!(cancel.check().is_ok());
/// cancel.clone().cancel();
/// assert_eq!(cancel.check().unwrap_err().kind(), ErrorKind::Cancelled);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the job to stop; safe to call from a signal handler's thread.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether the job was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Answers for `?` between two pieces of work.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Cancelled`] once somebody has called [`Cancel::cancel`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }
}

/// Bytes of unused blocks that are nobody's.
const UNUSED_AND_FREE: usize = 24 << 20;

/// A number of bytes that clones share, and how many of them are taken.
///
/// # Examples
///
/// ```
/// use keymill::MemoryBudget;
///
/// let budget = MemoryBudget::new(1000);
/// budget.take(900);
/// assert!(budget.clone().is_tight(200));
/// budget.give_back(900);
/// assert_eq!(budget.taken(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    limit: usize,
    taken: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes, none of them taken.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Budget {
            limit,
            taken: AtomicUsize::new(0),
        }))
    }

    /// How many bytes there are in all.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How many bytes are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Notes that bytes were allocated; never fails, so that who is over can still finish a step.
    pub fn take(&self, bytes: usize) {
        self.0.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that bytes were freed; more than were taken are as many.
    pub fn give_back(&self, bytes: usize) {
        let rest = |taken: usize| Some(taken.saturating_sub(bytes));
        let taken = &self.0.taken;
        // Always answers: there is always a rest.
        let _ = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
    }

    /// Opens an account for one holder of memory; it is closed when dropped.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Tells whether `more` bytes would go past the limit.
    ///
    /// Memory that this process holds for blocks that nobody has counts as taken, but for a little.
    #[must_use]
    pub fn is_tight(&self, more: usize) -> bool {
        let unused = Block::unused_bytes().saturating_sub(UNUSED_AND_FREE);
        self.taken().saturating_add(unused).saturating_add(more) > self.0.limit
    }
}

/// What one holder has taken from a budget; dropping it gives everything back.
///
/// # Examples
///
/// ```
/// use keymill::MemoryBudget;
///
/// let budget = MemoryBudget::new(1000);
/// let mut blocks = budget.reservation();
/// blocks.set(300);
/// blocks.set(200);
/// assert_eq!(budget.taken(), 200);
/// drop(blocks);
/// assert_eq!(budget.taken(), 0);
/// ```
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: usize,
}

impl Reservation {
    /// Says how many bytes the holder has now.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes);
        } else {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// How many bytes the holder has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}
