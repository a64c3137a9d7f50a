//! A function of the program.

use arrow_array::RecordBatch;

use super::{Delivery, EpochOutput, Sink, SinkContext};
use crate::Result;

type Callback = dyn FnMut(u64, &[RecordBatch]) -> Result<()> + Send;

/// Calls a function with every epoch and its results.
///
/// After a restart it may get the last epoch again, with the same number and the same results.
pub struct CallbackSink(Box<Callback>);

impl CallbackSink {
    /// Calls `run` for each epoch. An error ends the query before the epoch is committed.
    pub fn new(run: impl FnMut(u64, &[RecordBatch]) -> Result<()> + Send + 'static) -> Self {
        Self(Box::new(run))
    }
}

impl Sink for CallbackSink {
    fn describe(&self) -> String {
        "callback".to_owned()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    fn start(&mut self, _: &SinkContext) -> Result<()> {
        Ok(())
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let batches: Vec<RecordBatch> = output.batches.collect::<Result<_>>()?;
        (self.0)(output.epoch, &batches)
    }

    fn commit(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}
