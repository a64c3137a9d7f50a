//! Reads the state of a query while it runs.
//!
//! ```text
//! epoch N   compute │ merge … commit │ compute N+1 │ merge …
//! readers   ────────┘    wait        └─── read ────┘ merge waits for them
//! ```

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::StreamQuery;
use super::handle::{Shared, Stop};
use crate::stream::window::WindowOutput;
use crate::{Error, ErrorKind, Result, StateStore};

/// How often a waiting reader checks whether the query was stopped or has ended.
const LOOK: Duration = Duration::from_millis(20);

/// The state of a query, and who uses it.
#[derive(Debug, Default)]
pub(super) struct Readable {
    state: Option<(Arc<StateStore>, Option<WindowOutput>)>,
    users: Mutex<Users>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Users {
    readers: usize,
    /// Readers that wait for the end of an epoch.
    waiting: usize,
    /// Whether an epoch is merged and not committed.
    is_changing: bool,
}

impl Readable {
    pub(super) fn new(state: Option<(Arc<StateStore>, Option<WindowOutput>)>) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, users: MutexGuard<'a, Users>) -> MutexGuard<'a, Users> {
        let waited = self.changed.wait_timeout(users, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Shared {
    /// Waits for readers before an epoch changes the state.
    pub(super) fn begin_change(&self) -> Result<()> {
        // The next epoch may follow at once; readers that waited for the last one come first.
        let users = self.readable.lock();
        let mut users = self.wait_while(users, |users| users.waiting > 0)?;
        // New readers wait from now on.
        users.is_changing = true;
        drop(self.wait_while(users, |users| users.readers > 0)?);
        Ok(())
    }

    fn wait_while<'a>(
        &'a self,
        mut users: MutexGuard<'a, Users>,
        is_so: impl Fn(&Users) -> bool,
    ) -> Result<MutexGuard<'a, Users>> {
        while is_so(&users) {
            if self.stop() == Some(Stop::Now) {
                let message = "the query was stopped while its state was read";
                return Err(Error::new(ErrorKind::Cancelled, message));
            }
            users = self.readable.wait(users);
        }
        Ok(users)
    }

    /// The epoch is committed.
    pub(super) fn end_change(&self) {
        self.readable.lock().is_changing = false;
        self.readable.changed.notify_all();
    }

    /// The state of the last committed epoch. Waits for the epoch that is merged, at most for some time.
    pub(super) fn committed_state(self: &Arc<Self>, most: Option<Duration>) -> Result<QueryState> {
        let (store, output) = self.readable.state.clone().ok_or_else(|| {
            let message = "this query keeps no state";
            Error::new(ErrorKind::Config, message)
        })?;
        let end = most.map(|most| Instant::now() + most);
        let mut users = self.readable.lock();
        users.waiting += 1;
        while users.is_changing {
            let why = if self.is_over() {
                let message =
                    "the query has ended within an epoch; read the state from its checkpoint";
                Error::new(ErrorKind::State, message)
            } else if end.is_some_and(|end| Instant::now() >= end) {
                Error::new(ErrorKind::Unavailable, "an epoch is written; try again")
            } else {
                users = self.readable.wait(users);
                continue;
            };
            users.waiting -= 1;
            return Err(why);
        }
        users.waiting -= 1;
        users.readers += 1;
        drop(users);
        self.readable.changed.notify_all();
        Ok(QueryState {
            shared: self.clone(),
            store,
            output,
        })
    }
}

/// The state of a query after its last committed epoch.
///
/// While it is there the query computes, but does not change its state: drop it soon, and before waiting for
/// the query.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use keymill::arrow::array::{BinaryViewArray, UInt64Array};
/// use keymill::prelude::*;
/// use keymill::stream::{MemorySink, MemoryStream, sum};
///
/// let (source, input) = MemoryStream::new();
/// let query = Engine::new()?
///     .stream(source)
///     .tokenize(whitespace())
///     .count_by_key()
///     .update_state(sum())
///     .sink(MemorySink::new())
///     .start()?;
/// input.push("to be or not to be\n");
/// while query.last_progress().is_none() {
///     std::thread::yield_now();
/// }
/// let state = query.state()?;
/// assert_eq!(state.len(), 4);
/// let be = state.get(&[Arc::new(BinaryViewArray::from_iter_values(["be"]))])?;
/// assert_eq!(be.column(1).as_ref(), &UInt64Array::from(vec![2]));
/// for batch in state.batches()? {
///     assert_eq!(batch?.num_rows(), 1);
///     # break;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct QueryState {
    shared: Arc<Shared>,
    store: Arc<StateStore>,
    output: Option<WindowOutput>,
}

impl QueryState {
    /// The columns: keys, then aggregates; of windows, their start and end first.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let output = self.output.as_ref();
        output.map_or_else(|| self.store.schema(), |it| it.schema.clone())
    }

    /// The number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there are no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups of these keys, in the order of the keys; keys without a group are left out. Windows have
    /// their start as the first key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] if the columns are not those of the key; [`ErrorKind::Capacity`] for an answer
    /// that does not fit its type.
    pub fn get(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        let Some(output) = &self.output else {
            return self.store.get(keys);
        };
        let mut keys = keys.to_vec();
        if let Some(start) = keys
            .first_mut()
            .filter(|it| matches!(it.data_type(), DataType::Timestamp(..)))
        {
            let times = start.as_primitive_opt::<TimestampMillisecondType>();
            let times = times.ok_or_else(|| {
                let message = "the start of a window is a timestamp in milliseconds";
                Error::new(ErrorKind::Format, message)
            })?;
            *start = Arc::new(times.reinterpret_cast::<Int64Type>());
        }
        output.results(&self.store.get(&keys)?)
    }

    /// All groups, batch by batch, in no particular order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] after an epoch that failed. A batch is [`ErrorKind::Capacity`] for an answer that
    /// does not fit its type.
    pub fn batches(&self) -> Result<impl Iterator<Item = Result<RecordBatch>> + '_> {
        let output = self.output.as_ref();
        Ok(self.store.values()?.map(move |answers| match output {
            Some(output) => output.results(&answers?),
            None => answers,
        }))
    }

    /// The types of the keys that [`QueryState::get`] takes.
    pub(super) fn key_types(&self) -> Vec<DataType> {
        let keys = self.store.key_schema();
        let types = keys.fields().iter().map(|field| field.data_type().clone());
        types.collect()
    }
}

impl Drop for QueryState {
    fn drop(&mut self) {
        self.shared.readable.lock().readers -= 1;
        self.shared.readable.changed.notify_all();
    }
}

impl StreamQuery {
    /// The state of the last committed epoch: its groups by key, or all. It waits while an epoch is written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the query keeps no state, and [`ErrorKind::State`] if it has ended within an
    /// epoch.
    pub fn state(&self) -> Result<QueryState> {
        self.shared.committed_state(None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_waits_for_an_epoch_reads_before_the_next_one() {
        let store = StateStore::for_counts().unwrap().build().unwrap();
        let shared = Arc::new(Shared::new(Readable::new(Some((Arc::new(store), None)))));
        for _ in 0..100 {
            shared.begin_change().unwrap();
            let has_read = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let state = shared.committed_state(None).unwrap();
                    has_read.store(true, Ordering::SeqCst);
                    drop(state);
                });
                while shared.readable.lock().waiting == 0 {
                    std::thread::yield_now();
                }
                shared.end_change();
                shared.begin_change().unwrap();
                assert!(has_read.load(Ordering::SeqCst));
            });
            shared.end_change();
        }
    }
}
