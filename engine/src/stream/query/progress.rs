//! What a query tells about its epochs, with the field names of Spark's progress reports.

use serde::Serialize;
use serde_json::Value;

use super::StepTimes;

/// One epoch, as JSON with Spark's field names.
///
/// `numInputRows` counts the rows of columns, and the tokens of texts.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StreamProgress {
    /// The query's id, the same after restarts.
    pub id: String,
    /// The id of this run.
    pub run_id: String,
    /// The query's name.
    pub name: Option<String>,
    /// When the epoch began: ISO 8601, UTC.
    pub timestamp: String,
    /// The number of the epoch.
    pub batch_id: u64,
    /// Rows that were read.
    pub num_input_rows: u64,
    /// Bytes that were read.
    pub num_input_bytes: u64,
    /// The times of the rows, if the query has windows of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<EventTimeProgress>,
    /// Rows per second since the epoch before.
    pub input_rows_per_second: f64,
    /// Rows per second while the epoch ran.
    pub processed_rows_per_second: f64,
    /// How long the steps took, in milliseconds.
    pub duration_ms: Durations,
    /// How busy the steps are.
    pub step_times: Vec<StepTimes>,
    /// Where the last epoch was computed: `cpu`, or the name of an adapter.
    pub device: String,
    /// The state, if there is one.
    pub state_operators: Vec<StateProgress>,
    /// What was read.
    pub sources: Vec<SourceProgress>,
    /// What was written, one entry per sink.
    pub sinks: Vec<SinkProgress>,
    /// What was written to the first sink.
    pub sink: SinkProgress,
}

impl StreamProgress {
    /// The report as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A struct of numbers and strings can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The times of the rows of an epoch, in ISO 8601, UTC.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EventTimeProgress {
    /// The largest time.
    pub max: Option<String>,
    /// The watermark after the epoch: windows that end here or before are closed.
    pub watermark: Option<String>,
    /// Rows whose time is null or not a valid time; they are left out.
    pub num_rows_without_time: u64,
    /// The watermark in milliseconds since 1970.
    #[serde(skip)]
    pub(super) watermark_milliseconds: Option<i64>,
}

/// Milliseconds of the steps of an epoch.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Durations {
    /// Choosing what to read.
    pub latest_offset: f64,
    /// Writing the offsets to the checkpoint.
    pub wal_commit: f64,
    /// Reading and aggregating.
    pub add_batch: f64,
    /// Merging into the state, and writing its changes to the checkpoint.
    pub state_commit: f64,
    /// Writing to the sinks.
    pub sink_commit: f64,
    /// Ending the epoch in the checkpoint.
    pub commit_offsets: f64,
    /// The whole epoch.
    pub trigger_execution: f64,
}

/// The state of a query.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StateProgress {
    /// What is computed.
    pub operator_name: String,
    /// Groups in the state.
    pub num_rows_total: u64,
    /// Groups that changed.
    pub num_rows_updated: u64,
    /// Rows that were left out because their windows were closed.
    pub num_rows_dropped_by_watermark: u64,
    /// Rows that were left out because their values had come before.
    pub num_dropped_duplicate_rows: u64,
    /// Bytes of memory.
    pub memory_used_bytes: u64,
    /// About how many bytes of groups are on disk, because memory is short.
    pub disk_used_bytes: u64,
}

/// What was read from a source.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SourceProgress {
    /// The source.
    pub description: String,
    /// Where the epoch began; null if it read nothing from this source.
    pub start_offset: Value,
    /// Where it ended.
    pub end_offset: Value,
    /// Lines that were not valid rows, since the start.
    pub num_rejected_rows: u64,
    /// Bytes that wait to be read.
    pub waiting_bytes: Option<u64>,
}

/// What was written to a sink.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SinkProgress {
    /// The sink.
    pub description: String,
    /// Rows that were written; 0 if the sink had the epoch already.
    pub num_output_rows: u64,
}

/// A time since 1970 in ISO 8601, UTC, with milliseconds.
pub(super) fn iso_8601(milliseconds: i64) -> String {
    let (seconds, millis) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date of a number of days since 1970, in the Gregorian calendar.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Years begin in March, so that the leap day is the last day of a year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + 400 * era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (milliseconds, expected) in [
            (-1, "1969-12-31T23:59:59.999Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_8601(milliseconds), expected);
        }
    }
}
