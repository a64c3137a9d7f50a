//! The threads of an engine. Each job has its own worker threads; threads that drain are shared.
//!
//! Workers may wait for input for a long time, and would block a shared thread. Draining never
//! waits.
#![forbid(unsafe_code)]

/// The minimum size of tables in bytes for a parallel drain.
#[cfg(feature = "parallel")]
const MIN_PARALLEL_BYTES: u64 = 8 << 20;

/// A number of threads, including the caller's thread.
#[derive(Debug)]
pub(crate) struct Pool {
    threads: usize,
    /// Started by the first job that needs it. `None` if the system did not start the threads.
    #[cfg(feature = "parallel")]
    rayon: std::sync::OnceLock<Option<rayon::ThreadPool>>,
}

impl Pool {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            #[cfg(feature = "parallel")]
            rayon: std::sync::OnceLock::new(),
        }
    }

    /// Runs the same work on several threads, which get different numbers, and waits for all.
    ///
    /// Number 0 is the caller's thread and always runs. The system may start fewer of the other
    /// threads, so any thread must be able to do any part of the work.
    #[cfg(feature = "parallel")]
    pub(crate) fn run_workers(&self, workers: usize, work: impl Fn(usize) + Sync) {
        let work = &work;
        std::thread::scope(|scope| {
            for index in 1..workers {
                let thread = std::thread::Builder::new().name(format!("keymill-{index}"));
                if thread.spawn_scoped(scope, move || work(index)).is_err() {
                    break;
                }
            }
            work(0);
        });
    }

    /// Runs the work on the caller's thread.
    #[cfg(not(feature = "parallel"))]
    pub(crate) fn run_workers(&self, _workers: usize, work: impl Fn(usize) + Sync) {
        work(0);
    }

    /// Starts the shared threads if they are not running and `bytes` is large enough for a parallel
    /// drain.
    pub(crate) fn start_for(&self, bytes: u64) {
        #[cfg(feature = "parallel")]
        if self.threads > 1 && bytes >= MIN_PARALLEL_BYTES {
            self.rayon.get_or_init(|| start(self.threads));
        }
        let _ = bytes;
    }

    /// Runs work inside the shared threads, if they were started.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        #[cfg(feature = "parallel")]
        if let Some(Some(pool)) = self.rayon.get() {
            return pool.install(work);
        }
        work()
    }

    /// Returns the maximum number of threads.
    pub(crate) fn threads(&self) -> usize {
        if cfg!(feature = "parallel") {
            self.threads
        } else {
            1
        }
    }
}

#[cfg(feature = "parallel")]
fn start(threads: usize) -> Option<rayon::ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let named = builder.thread_name(|index| format!("keymill-drain-{index}"));
    named.build().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_worker_runs_once_and_the_first_is_the_caller() {
        let pool = Pool::new(5);
        let me = std::thread::current().id();
        for workers in [1, 2, 5] {
            let met = Mutex::new(Vec::new());
            pool.run_workers(workers, |index| {
                let here = std::thread::current().id();
                met.lock().unwrap().push((index, here == me));
            });
            let mut met = met.into_inner().unwrap();
            met.sort_unstable();
            let workers = if cfg!(feature = "parallel") {
                workers
            } else {
                1
            };
            let all: Vec<_> = (0..workers).map(|index| (index, index == 0)).collect();
            assert_eq!(met, all);
        }
    }
}
