//! Writes the results of an epoch, and its late rows.

use super::commit::Committer;
use super::compute::Grouped;
use super::start::StartedSink;
use crate::Result;
use crate::stream::{EpochOutput, Sink};

impl Committer {
    /// Writes the results and the late rows to every sink that does not have them. Returns the rows of each:
    /// first those of the results.
    pub(super) fn write_to_sinks(
        &mut self,
        number: u64,
        grouped: &Grouped,
        is_alone: bool,
    ) -> Result<Vec<u64>> {
        let mut late_sinks = std::mem::take(&mut self.late_sinks);
        let late = self.write_late_rows(number, grouped, &mut late_sinks);
        self.late_sinks = late_sinks;
        let late = late?;
        let mut sinks = std::mem::take(&mut self.sinks);
        let written = self.write_results(number, (grouped, is_alone), &mut sinks);
        self.sinks = sinks;
        Ok(written?.into_iter().chain(late).collect())
    }

    fn write_results(
        &self,
        number: u64,
        (grouped, is_alone): (&Grouped, bool),
        sinks: &mut [StartedSink],
    ) -> Result<Vec<u64>> {
        let resources = (&*self.env, self.job_memory(is_alone));
        let groups = (&grouped.batches, &self.windows);
        self.commit_to(number, sinks, |sink| {
            let mut rows = 0;
            self.outputs
                .write(resources, groups, sink.most_rows(), |batches| {
                    let mut counted = batches.inspect(|batch| {
                        rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                    });
                    sink.prepare(EpochOutput {
                        epoch: number,
                        batches: &mut counted,
                    })
                })?;
            Ok(rows)
        })
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
        if rows == 0 {
            return Ok(vec![0; sinks.len()]);
        }
        self.commit_to(number, sinks, |sink| {
            sink.prepare(EpochOutput {
                epoch: number,
                batches: &mut late.iter().cloned().map(Ok),
            })?;
            Ok(rows)
        })
    }

    /// Prepares and commits an epoch in every sink that does not have it. Returns the rows of each.
    fn commit_to(
        &self,
        number: u64,
        sinks: &mut [StartedSink],
        prepare: impl Fn(&mut dyn Sink) -> Result<u64>,
    ) -> Result<Vec<u64>> {
        let written = sinks.iter_mut().map(|started| {
            let rows = self.shared.while_unavailable(|| {
                started.ensure_started()?;
                if started.has(number) {
                    return Ok(None);
                }
                let rows = prepare(started.sink.as_mut())?;
                self.faults.at("prepared", number);
                started.sink.commit(number)?;
                Ok(Some(rows))
            })?;
            if rows.is_some() {
                self.faults.at("sink", number);
            }
            Ok(rows.unwrap_or(0))
        });
        written.collect()
    }
}
