//! Results in memory, for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;

use super::{Delivery, EpochOutput, Sink, SinkContext};
use crate::Result;

/// Keeps the results of all epochs in memory. Clones are the same sink.
#[derive(Clone, Default)]
pub struct MemorySink(Arc<Mutex<Epochs>>);

#[derive(Default)]
struct Epochs {
    prepared: Option<(u64, Vec<RecordBatch>)>,
    committed: Vec<(u64, Vec<RecordBatch>)>,
}

impl MemorySink {
    /// Creates an empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Epochs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The committed epochs and their results, in order.
    #[must_use]
    pub fn epochs(&self) -> Vec<(u64, Vec<RecordBatch>)> {
        self.lock().committed.clone()
    }
}

impl Sink for MemorySink {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn start(&mut self, _: &SinkContext) -> Result<()> {
        Ok(())
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        Ok(self.lock().committed.last().map(|(epoch, _)| *epoch))
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let batches = output.batches.collect::<Result<_>>()?;
        self.lock().prepared = Some((output.epoch, batches));
        Ok(())
    }

    fn commit(&mut self, epoch: u64) -> Result<()> {
        let mut epochs = self.lock();
        let prepared = epochs.prepared.take_if(|(prepared, _)| *prepared == epoch);
        epochs.committed.extend(prepared);
        Ok(())
    }
}
