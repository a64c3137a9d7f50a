//! Parallel work on the rayon pool of the caller. This module creates no pool.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Result};

/// Passes `items` to workers one by one, in order, and returns the state of each worker.
///
/// There are at most `threads` workers, and only one outside a rayon pool. After an error no
/// further item is started, and the first error is returned.
///
/// # Errors
///
/// What `step` returns, and [`crate::ErrorKind::Internal`] when it panics.
pub(crate) fn work<T: Send, S: Send>(
    threads: usize,
    items: Vec<T>,
    start: impl Fn() -> S + Sync,
    step: impl Fn(&mut S, T) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let workers = available(threads).min(items.len());
    caught(|| {
        #[cfg(feature = "parallel")]
        if workers > 1 {
            return pool::work(workers, items, start, step);
        }
        let _ = workers;
        let mut state = start();
        for item in items {
            step(&mut state, item)?;
        }
        Ok(vec![state])
    })
}

/// Runs work and turns a panic into an error. Data that the work has modified must not be used
/// afterwards.
///
/// # Errors
///
/// What `work` returns, and [`crate::ErrorKind::Internal`] for a panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let result = catch_unwind(AssertUnwindSafe(work));
    result.unwrap_or_else(|panic| Err(Error::panicked(&*panic)))
}

/// Applies `run` to every item, and returns the results in the order of the items.
///
/// # Errors
///
/// What `run` returns.
pub(crate) fn map<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    run: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let numbered = items.into_iter().enumerate().collect();
    let states = work(threads, numbered, Vec::new, |done, (number, item)| {
        done.push((number, run(item)?));
        Ok(())
    })?;
    let mut all: Vec<(usize, R)> = states.into_iter().flatten().collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}

/// Returns the number of workers for `threads` threads in the current pool.
pub(crate) fn available(threads: usize) -> usize {
    #[cfg(feature = "parallel")]
    if rayon::current_thread_index().is_some() {
        return threads.min(rayon::current_num_threads()).max(1);
    }
    let _ = threads;
    1
}

#[cfg(feature = "parallel")]
mod pool {
    use std::sync::Mutex;

    use crate::{Error, Result};

    /// State that the workers share.
    struct Shared<T, S> {
        left: std::vec::IntoIter<T>,
        states: Vec<S>,
        failure: Option<Error>,
    }

    pub(super) fn work<T: Send, S: Send>(
        workers: usize,
        items: Vec<T>,
        start: impl Fn() -> S + Sync,
        step: impl Fn(&mut S, T) -> Result<()> + Sync,
    ) -> Result<Vec<S>> {
        let shared = Mutex::new(Shared {
            left: items.into_iter(),
            states: Vec::with_capacity(workers),
            failure: None,
        });
        rayon::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|_| run(&shared, &start, &step));
            }
        });
        let shared = unlocked(shared);
        match shared.failure {
            Some(error) => Err(error),
            None => Ok(shared.states),
        }
    }

    fn run<T, S>(
        shared: &Mutex<Shared<T, S>>,
        start: &impl Fn() -> S,
        step: &impl Fn(&mut S, T) -> Result<()>,
    ) {
        let mut state = start();
        while let Some(item) = next(shared) {
            if let Err(error) = step(&mut state, item) {
                let mut shared = locked(shared);
                shared.failure.get_or_insert(error);
                shared.left = Vec::new().into_iter();
                return;
            }
        }
        locked(shared).states.push(state);
    }

    fn next<T, S>(shared: &Mutex<Shared<T, S>>) -> Option<T> {
        locked(shared).left.next()
    }

    fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        // No code under the lock can panic, so the state is consistent.
        mutex
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn unlocked<T>(mutex: Mutex<T>) -> T {
        mutex
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, ErrorKind};

    fn in_pool<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
        #[cfg(feature = "parallel")]
        return rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(run);
        #[cfg(not(feature = "parallel"))]
        {
            let _ = threads;
            run()
        }
    }

    #[test]
    fn map_keeps_the_order_in_and_out_of_a_pool() {
        let squares: Vec<u64> = (0..1000).map(|i| i * i).collect();
        for threads in [1, 2, 7] {
            let inside = in_pool(threads, || {
                map(threads, (0..1000).collect(), |i: u64| Ok(i * i)).unwrap()
            });
            assert_eq!(inside, squares);
        }
        assert_eq!(
            map(4, (0..1000).collect(), |i: u64| Ok(i * i)).unwrap(),
            squares
        );
    }

    #[test]
    fn a_panic_is_an_error() {
        for threads in [1, 3] {
            let failed = in_pool(threads, || {
                map(threads, (0..1000).collect(), |i: u64| {
                    assert!(i != 77, "planted");
                    Ok(())
                })
            });
            let error = failed.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert!(error.to_string().contains("planted"), "{error}");
        }
    }

    #[test]
    fn the_first_error_stops_all_workers() {
        for threads in [1, 3] {
            let failed = in_pool(threads, || {
                map(threads, (0..100_000).collect(), |i: u64| {
                    assert!(i < 50_000, "work continues after an error");
                    match i {
                        7 => Err(Error::new(ErrorKind::State, "seven")),
                        _ => Ok(()),
                    }
                })
            });
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::State);
        }
    }
}
