//! Threads that start together.
#![forbid(unsafe_code)]

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, ScopedJoinHandle, scope};

use crate::{Error, ErrorKind, Result};

/// Runs `work` for each part on a separate thread. All threads start when the last one is ready.
///
/// # Errors
///
/// [`ErrorKind::Capacity`] if the system starts too few threads, and [`ErrorKind::Internal`] for a
/// panic. Threads that wait then end without work.
pub(super) fn run_on_all_threads<P: Send, T: Send>(
    parts: &mut [P],
    work: impl Fn(&mut P) -> T + Sync,
) -> Result<Vec<T>> {
    let (gate, work, all) = (&Gate::default(), &work, parts.len());
    scope(|scope| {
        let start = |part| {
            let work = move || gate.wait().then(|| work(part));
            Builder::new().spawn_scoped(scope, work)
        };
        let workers: Vec<_> = parts
            .iter_mut()
            .map_while(|part| start(part).ok())
            .collect();
        let is_complete = workers.len() == all;
        gate.open(workers.len(), is_complete);
        // All threads are joined, even if some failed.
        let done: Vec<Result<Option<T>>> = workers.into_iter().map(join).collect();
        match is_complete {
            true => done.into_iter().filter_map(Result::transpose).collect(),
            false => Err(too_few(all)),
        }
    })
}

fn join<T>(worker: ScopedJoinHandle<'_, T>) -> Result<T> {
    worker.join().map_err(|panic| Error::panicked(&*panic))
}

fn too_few(threads: usize) -> Error {
    let message = format!("the system did not start {threads} threads; ask for fewer");
    Error::new(ErrorKind::Capacity, message)
}

/// Threads wait here for each other, and are told whether to start or to end.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: usize,
    /// Whether to start the work; `None` before the decision.
    begins: Option<bool>,
}

impl Gate {
    /// Waits for the decision. Returns whether to start the work.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        state.ready += 1;
        self.changed.notify_all();
        let state = self
            .changed
            .wait_while(state, |state| state.begins.is_none());
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.begins == Some(true)
    }

    /// Waits until `waiting` threads are ready, then lets them start or end.
    fn open(&self, waiting: usize, begins: bool) {
        let state = self.lock();
        let state = self
            .changed
            .wait_while(state, |state| state.ready < waiting);
        state.unwrap_or_else(PoisonError::into_inner).begins = Some(begins);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_worked_on_and_a_panic_is_an_error() {
        let mut parts: Vec<u64> = (0..7).collect();
        let squares = run_on_all_threads(&mut parts, |part| *part * *part).unwrap();
        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36]);
        let failed = run_on_all_threads(&mut parts, |part| assert!(*part != 3, "planted"));
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("planted"), "{error}");
        assert!(run_on_all_threads(&mut [0; 0], |_| ()).unwrap().is_empty());
    }

    #[test]
    fn waiting_threads_end_if_others_did_not_start() {
        let gate = Gate::default();
        scope(|scope| {
            let waiting = [0, 1].map(|_| scope.spawn(|| gate.wait()));
            gate.open(2, false);
            assert!(waiting.into_iter().all(|one| !one.join().unwrap()));
        });
    }
}
