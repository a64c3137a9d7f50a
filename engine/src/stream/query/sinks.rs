//! Writes the results of an epoch, and its late rows.

use super::compute::Grouped;
use super::driver::Driver;
use super::start::StartedSink;
use crate::Result;
use crate::stream::EpochOutput;

impl Driver {
    /// Writes the results and the late rows to every sink that does not have them. Returns the rows of each:
    /// first those of the results.
    pub(super) fn write_to_sinks(&mut self, number: u64, grouped: &Grouped) -> Result<Vec<u64>> {
        let mut late_sinks = std::mem::take(&mut self.late_sinks);
        let late = self.write_late_rows(number, grouped, &mut late_sinks);
        self.late_sinks = late_sinks;
        let late = late?;
        let mut sinks = std::mem::take(&mut self.sinks);
        let written = self.write_results(number, grouped, &mut sinks);
        self.sinks = sinks;
        Ok(written?.into_iter().chain(late).collect())
    }

    fn write_results(
        &self,
        number: u64,
        grouped: &Grouped,
        sinks: &mut [StartedSink],
    ) -> Result<Vec<u64>> {
        let written = sinks.iter_mut().map(|(sink, last)| {
            if last.is_some_and(|last| last >= number) {
                return Ok(0);
            }
            let mut rows = 0;
            self.shared.while_unavailable(|| {
                rows = 0;
                let states = &grouped.batches;
                self.outputs
                    .write(&self.env, states, sink.most_rows(), |batches| {
                        let mut counted = batches.inspect(|batch| {
                            rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                        });
                        sink.prepare(EpochOutput {
                            epoch: number,
                            batches: &mut counted,
                        })
                    })?;
                self.faults.at("prepared", number);
                sink.commit(number)
            })?;
            self.faults.at("sink", number);
            Ok(rows)
        });
        written.collect()
    }

    /// An epoch without late rows writes nothing.
    fn write_late_rows(
        &self,
        number: u64,
        grouped: &Grouped,
        sinks: &mut [StartedSink],
    ) -> Result<Vec<u64>> {
        let late = grouped.times.as_ref().map(|times| times.take_late_rows());
        let late = late.unwrap_or_default();
        let rows: u64 = late.iter().map(|batch| batch.num_rows() as u64).sum();
        let written = sinks.iter_mut().map(|(sink, last)| {
            if rows == 0 || last.is_some_and(|last| last >= number) {
                return Ok(0);
            }
            self.shared.while_unavailable(|| {
                sink.prepare(EpochOutput {
                    epoch: number,
                    batches: &mut late.iter().cloned().map(Ok),
                })?;
                self.faults.at("prepared", number);
                sink.commit(number)
            })?;
            self.faults.at("sink", number);
            Ok(rows)
        });
        written.collect()
    }
}
