//! The engine's threads, started by the first job that needs them.
#![forbid(unsafe_code)]

use crate::Result;

/// Bytes of tables that are worth more threads than one.
#[cfg(feature = "parallel")]
const WORTH_THREADS: u64 = 8 << 20;

/// So many threads; one is the caller's own.
#[derive(Debug)]
pub(crate) struct Pool {
    threads: usize,
    #[cfg(feature = "parallel")]
    rayon: std::sync::OnceLock<rayon::ThreadPool>,
}

impl Pool {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            #[cfg(feature = "parallel")]
            rayon: std::sync::OnceLock::new(),
        }
    }

    /// Runs the same work on several threads, told apart by number, and waits for all.
    #[cfg(feature = "parallel")]
    pub(crate) fn broadcast(&self, workers: usize, work: impl Fn(usize) + Sync) -> Result<()> {
        if workers <= 1 {
            work(0);
            return Ok(());
        }
        self.start()?.broadcast(|context| {
            if context.index() < workers {
                work(context.index());
            }
        });
        Ok(())
    }

    /// Runs the work on the caller's thread.
    #[cfg(not(feature = "parallel"))]
    pub(crate) fn broadcast(&self, _workers: usize, work: impl Fn(usize) + Sync) -> Result<()> {
        work(0);
        Ok(())
    }

    /// Starts the threads, if that was not done yet, for work on so many bytes that are worth it: a
    /// job whose texts a device counted has not needed them before.
    pub(crate) fn start_for(&self, bytes: u64) -> Result<()> {
        #[cfg(feature = "parallel")]
        if self.threads > 1 && bytes >= WORTH_THREADS {
            self.start()?;
        }
        let _ = bytes;
        Ok(())
    }

    /// Runs something that may split its work over the pool, if the pool was needed already.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        #[cfg(feature = "parallel")]
        if let Some(pool) = self.rayon.get() {
            return pool.install(work);
        }
        work()
    }

    /// How many threads there can be at all.
    pub(crate) fn threads(&self) -> usize {
        if cfg!(feature = "parallel") {
            self.threads
        } else {
            1
        }
    }

    #[cfg(feature = "parallel")]
    fn start(&self) -> Result<&rayon::ThreadPool> {
        if let Some(pool) = self.rayon.get() {
            return Ok(pool);
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|index| format!("keymill-{index}"))
            .build()
            .map_err(|cause| {
                crate::Error::new(
                    crate::ErrorKind::Config,
                    format!("{} threads could not be started", self.threads),
                )
                .with_source(cause)
            })?;
        // Of two jobs that both make a pool, the first one's is kept.
        Ok(self.rayon.get_or_init(|| pool))
    }
}
