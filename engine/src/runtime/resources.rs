//! The resources of an operator: threads, memory, a spill folder, and a cancel flag.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keymill_kernels::{Block, Level, Tuning};

use crate::{Error, ErrorKind, Result};

/// Everything that an operator gets from its caller. An operator creates no thread pool and reads
/// no clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resources {
    /// The SIMD level.
    pub level: Level,
    /// The number of threads that the caller runs operators on, and that a drain may use.
    pub threads: usize,
    /// The memory budget that all operators of a query share.
    pub memory: MemoryBudget,
    /// The folder for partitions that do not fit in memory. `None` is the system's temporary
    /// folder.
    pub spill_dir: Option<PathBuf>,
    /// The flag that is checked between pieces of work.
    pub cancel: Cancel,
    /// Internal sizes. Only tests change them.
    #[doc(hidden)]
    pub tuning: Tuning,
    /// The seed of the stable hash and of the tables' hash keys. Only operators with the same seed
    /// can be merged. Clones of one `Resources` have the same seed.
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

    /// Checks that this machine supports the level.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it does not.
    pub(crate) fn check_level(&self) -> Result<()> {
        if self.level.is_available() {
            return Ok(());
        }
        let message = format!("this machine cannot run the level `{}`", self.level.name());
        Err(Error::new(ErrorKind::Config, message))
    }
}

impl Default for Resources {
    /// Returns one thread, the best level, 1 GiB, the system's temporary folder, and a random seed.
    /// An engine has other defaults, which depend on the machine.
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

/// Returns an unpredictable seed from the standard library's random state.
pub(crate) fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A flag that stops a job. Clones share it.
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
    /// Requests that the job stops. It is safe to call this from a signal handler's thread.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether a stop was requested.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns an error if a stop was requested. Call it between pieces of work.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Cancelled`] after a call of [`Cancel::cancel`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }
}

/// Bytes of unused blocks that do not count as taken.
const UNCOUNTED_UNUSED_BYTES: usize = 24 << 20;

/// A memory limit that clones share, and the number of bytes that are taken.
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
    /// Creates a budget of `limit` bytes, none of them taken.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Budget {
            limit,
            taken: AtomicUsize::new(0),
        }))
    }

    /// Returns the limit in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Returns the number of bytes that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Records an allocation. It never fails, so that a step can finish above the limit.
    pub fn take(&self, bytes: usize) {
        self.0.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Records that bytes were freed. If more bytes are given back than were taken, none remain
    /// taken.
    pub fn give_back(&self, bytes: usize) {
        let remaining = |taken: usize| Some(taken.saturating_sub(bytes));
        let taken = &self.0.taken;
        // The closure always returns `Some`, so this never fails.
        let _ = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, remaining);
    }

    /// Creates an empty reservation for one owner of memory. Dropping it gives all bytes back.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Tells whether `more` bytes would exceed the limit.
    ///
    /// Memory of unused blocks that the process keeps for reuse counts as taken, except for 24 MiB.
    #[must_use]
    pub fn is_tight(&self, more: usize) -> bool {
        let unused = Block::unused_bytes().saturating_sub(UNCOUNTED_UNUSED_BYTES);
        self.taken().saturating_add(unused).saturating_add(more) > self.0.limit
    }
}

/// The bytes that one owner has taken from a budget. Dropping it gives all of them back.
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
    /// Sets the number of bytes that the owner has now.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes);
        } else {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// Returns the number of bytes that the owner has.
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
