//! Threads that begin together.
#![forbid(unsafe_code)]

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, ScopedJoinHandle, scope};

use crate::{Error, ErrorKind, Result};

/// Works on each part with a thread of its own; all begin when the last is ready.
///
/// # Errors
///
/// [`ErrorKind::Capacity`] where the system has not as many threads, and [`ErrorKind::Internal`] for
/// a panic; whoever waits goes home.
pub(super) fn side_by_side<P: Send, T: Send>(
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
        // All are joined, whatever became of some.
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

/// Where threads wait for each other, or are told that there is nothing to do.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: usize,
    /// Whether to begin, once that is decided.
    begins: Option<bool>,
}

impl Gate {
    /// Waits; tells whether there is something to do.
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

    /// Waits until so many are ready, and lets them begin or go home.
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
        let squares = side_by_side(&mut parts, |part| *part * *part).unwrap();
        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36]);
        let failed = side_by_side(&mut parts, |part| assert!(*part != 3, "planted"));
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("planted"), "{error}");
        assert!(side_by_side(&mut [0; 0], |_| ()).unwrap().is_empty());
    }

    #[test]
    fn whoever_waits_goes_home_when_others_do_not_come() {
        let gate = Gate::default();
        scope(|scope| {
            let waiting = [0, 1].map(|_| scope.spawn(|| gate.wait()));
            gate.open(2, false);
            assert!(waiting.into_iter().all(|one| !one.join().unwrap()));
        });
    }
}
