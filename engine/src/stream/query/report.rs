//! The report of an epoch.

use serde_json::Value;

use super::commit::Committed;
use super::driver::Driver;
use super::progress::{EventTimeProgress, SinkProgress, SourceProgress, StreamProgress, iso_8601};
use crate::stream::{OffsetRange, StreamSource};

impl Driver {
    /// Reports an epoch that is committed.
    pub(super) fn report(&mut self, committed: Committed) {
        let event_time = event_time(&committed);
        let Committed {
            mut epoch,
            grouped,
            ended,
            state,
            written,
            ..
        } = committed;
        let ran = (ended - epoch.started).as_secs_f64();
        let since_last = epoch.previous;
        let since_last = since_last.map_or(ran, |last| (epoch.started - last).as_secs_f64());
        epoch.took.trigger_execution = 1000.0 * ran;
        let computed = epoch.took.add_batch / 1000.0;
        self.pace.add(grouped.bytes, computed, ran);
        let ranges = self.sources.iter().zip(&epoch.offsets.ranges);
        let sources = ranges.map(|(source, range)| source_progress(&**source, range.as_ref()));
        let sinks = self.sinks.iter().zip(&written);
        let sinks: Vec<SinkProgress> = sinks
            .map(|(description, rows)| SinkProgress {
                description: description.clone(),
                num_output_rows: *rows,
            })
            .collect();
        let progress = StreamProgress {
            id: self.id.clone(),
            run_id: self.run_id.clone(),
            name: self.name.clone(),
            timestamp: iso_8601(epoch.offsets.timestamp as i64),
            batch_id: epoch.number,
            num_input_rows: grouped.rows,
            num_input_bytes: grouped.bytes,
            event_time,
            input_rows_per_second: per_second(grouped.rows, since_last),
            processed_rows_per_second: per_second(grouped.rows, ran),
            step_times: self.meter.add(epoch.started, ended, &epoch.took),
            device: grouped.device.clone().unwrap_or_else(|| "cpu".to_owned()),
            duration_ms: epoch.took,
            state_operators: state,
            sources: sources.collect(),
            sink: sinks.first().cloned().unwrap_or_default(),
            sinks,
        };
        for listener in &mut self.listeners {
            listener(&progress);
        }
        self.shared.report(progress);
    }
}

fn event_time(committed: &Committed) -> Option<EventTimeProgress> {
    let times = committed.grouped.times.as_ref()?;
    Some(EventTimeProgress {
        max: times.largest().map(iso_8601),
        watermark: committed.watermark.map(iso_8601),
        num_rows_without_time: times.without_time(),
        watermark_milliseconds: committed.watermark,
    })
}

fn source_progress(source: &dyn StreamSource, range: Option<&OffsetRange>) -> SourceProgress {
    let (start_offset, end_offset) = match range {
        Some(range) => (range.start.clone(), range.end.clone()),
        None => (Value::Null, Value::Null),
    };
    SourceProgress {
        description: source.describe(),
        start_offset,
        end_offset,
        num_rejected_rows: source.rejected_rows(),
        waiting_bytes: source.waiting_bytes(),
    }
}

fn per_second(rows: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        return rows as f64 / seconds;
    }
    0.0
}
