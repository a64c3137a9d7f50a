//! The engine's threads: those that count belong to their job, those that drain are shared.
//!
//! Whoever counts may wait for input for as long as the input likes, and would keep a shared thread
//! from all other jobs. Draining never waits.
#![forbid(unsafe_code)]

/// Bytes of tables that are worth more threads than one.
#[cfg(feature = "parallel")]
const WORTH_THREADS: u64 = 8 << 20;

/// So many threads; one is the caller's own.
#[derive(Debug)]
pub(crate) struct Pool {
    threads: usize,
    /// Started by the first job that needs it; `None` where no threads were to be had.
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

    /// Runs the same work on several threads, told apart by number, and waits for all.
    ///
    /// Number 0 is the caller's own thread, and always there; where the system has no more threads
    /// fewer others are. So whatever is to be done must be there to be taken by any of them.
    #[cfg(feature = "parallel")]
    pub(crate) fn side_by_side(&self, workers: usize, work: impl Fn(usize) + Sync) {
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
    pub(crate) fn side_by_side(&self, _workers: usize, work: impl Fn(usize) + Sync) {
        work(0);
    }

    /// Starts the shared threads, if that was not done yet, for work on so many bytes that are
    /// worth it.
    pub(crate) fn start_for(&self, bytes: u64) {
        #[cfg(feature = "parallel")]
        if self.threads > 1 && bytes >= WORTH_THREADS {
            self.rayon.get_or_init(|| start(self.threads));
        }
        let _ = bytes;
    }

    /// Runs something that may split its work over the shared threads, if they were needed already.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        #[cfg(feature = "parallel")]
        if let Some(Some(pool)) = self.rayon.get() {
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
    fn every_number_works_once_and_the_first_is_the_caller() {
        let pool = Pool::new(5);
        let me = std::thread::current().id();
        for workers in [1, 2, 5] {
            let met = Mutex::new(Vec::new());
            pool.side_by_side(workers, |index| {
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
