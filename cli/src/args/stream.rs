//! The arguments of `keymill stream`, which are also the keys of job files.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keymill::TokenRule;
use keymill::stream::OutputMode;
use keymill::write::Format;

use super::{
    MachineArgs, Sort, parse_delimiter, parse_format, parse_mode, parse_option, parse_time,
    parse_top,
};
use crate::named::Named;
use crate::size;

/// Where data comes from, and the form of its lines.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArgs {
    /// The source: tcp://HOST:PORT, tcp-listen://HOST:PORT, unix:PATH, dir:PATH (new files, each taken
    /// once), tail:FILE (a growing file), stdin:, kafka://HOST:PORT/TOPIC,
    /// http-listen://HOST:PORT, rate:ROWS_PER_SECOND, rate-per-epoch:ROWS or dataset:NAME; several are read together
    #[arg(long, value_name = "URL")]
    pub(crate) from: Vec<String>,

    /// A setting of the source: of Kafka, those of librdkafka, such as auto.offset.reset=latest; of HTTP,
    /// such as token=SECRET
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
    pub(crate) from_option: Vec<(String, String)>,

    /// The columns of comma-separated lines, with types if wanted: site,count:int. The types are text,
    /// int, float, bool and date; without one, a column that is aggregated has floats, others text
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,

    /// The byte between values
    #[arg(long, value_name = "BYTE", default_value = ",", value_parser = parse_delimiter)]
    pub(crate) delimiter: u8,

    /// Skip the first line of each file, which names the columns
    #[arg(long)]
    pub(crate) header: bool,

    /// Write what sockets and standard input give to a log in this folder before it is part of an epoch,
    /// so that it is read again after a crash
    #[arg(long, value_name = "DIR")]
    pub(crate) wal: Option<PathBuf>,

    /// Lines are JSON objects instead of comma-separated values
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where results go, and their form.
#[derive(Args, Clone, Debug)]
pub(crate) struct SinkArgs {
    /// The sink: console: (the default), files:DIR, sqlite:FILE?table=NAME,
    /// postgres://USER@HOST:PORT/DATABASE?table=NAME, kafka://HOST:PORT/TOPIC or http://HOST:PORT/PATH;
    /// the results go to all that are named
    #[arg(long, value_name = "URL")]
    pub(crate) to: Vec<String>,

    /// A setting of the sink: of Kafka, those of librdkafka, such as compression.type=gzip; of HTTP, such as
    /// compression=gzip
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
    pub(crate) to_option: Vec<(String, String)>,

    /// Write only the first N rows of an epoch; of windows, the first N rows of each window
    #[arg(long, value_name = "N", value_parser = parse_top)]
    pub(crate) top: Option<usize>,

    /// The format of files: tsv, csv, json, parquet or arrow
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_format, &["tsv", "csv", "json", "parquet", "arrow"]))]
    pub(crate) format: Option<Format>,
}

#[derive(Args, Debug)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Name the query in reports
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Count tokens
    #[arg(long, conflicts_with_all = ["key", "agg", "columns", "distinct_on"])]
    pub(crate) count: bool,

    /// What a token is: whitespace, words, lines, split:SEPARATOR or field:N,SEPARATOR
    #[arg(long, value_name = "RULE", default_value = "whitespace")]
    pub(crate) tokens: TokenRule,

    /// Map every character to lower case, one to one
    #[arg(long)]
    pub(crate) lowercase: bool,

    /// The key columns
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) key: Vec<String>,

    /// The aggregates: count, sum(COLUMN), mean(COLUMN), quantile(COLUMN, 0.9) and so on
    #[arg(long, value_name = "CALLS")]
    pub(crate) agg: Vec<String>,

    /// Compute the results for windows of this length: 10s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = parse_time, group = "windows")]
    pub(crate) window: Option<Duration>,

    /// Compute the results for sessions of each key: rows that follow each other with less than this time
    /// between them
    #[arg(long, value_name = "GAP", value_parser = parse_time, group = "windows", requires = "time")]
    pub(crate) session: Option<Duration>,

    /// Begin a window at every multiple of this time; the default is the length of a window
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "window", conflicts_with = "session")]
    pub(crate) slide: Option<Duration>,

    /// The column with the time of a row: ISO 8601, or a number of seconds since 1970 (of milliseconds
    /// from 10^11 on); the default is the time of arrival
    #[arg(long, value_name = "COLUMN", requires_all = ["windows", "key"])]
    pub(crate) time: Option<String>,

    /// Close a window when a row has come whose time is this long after the end of the window; later rows
    /// are left out and counted
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "time")]
    pub(crate) watermark: Option<Duration>,

    /// Write and close the windows that are open when the input has ended, or what was there with --once
    /// and --available-now; for --mode append
    #[arg(long, requires = "windows")]
    pub(crate) flush: bool,

    /// Write the rows that come after their windows were closed to a sink
    #[arg(long, value_name = "URL", requires = "watermark")]
    pub(crate) late_to: Vec<String>,

    /// Leave out rows whose values of these columns have come before
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "key")]
    pub(crate) distinct_on: Vec<String>,

    /// Remember them for this time after their arrival; the default is until the watermark has passed, and
    /// without one for ever
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "distinct_on", conflicts_with = "watermark")]
    pub(crate) distinct_for: Option<Duration>,

    /// Begin an epoch at every multiple of this time: 50ms, 1s, 5m; the default is as soon as there is
    /// something to read
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) every: Option<Duration>,

    /// Run one epoch of what is there, and end
    #[arg(long, conflicts_with = "available_now")]
    pub(crate) once: bool,

    /// Run epochs until what is there is read, and end
    #[arg(long)]
    pub(crate) available_now: bool,

    /// Which groups an epoch writes: complete (all), update (those that changed) or append
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_mode, &["complete", "update", "append"]))]
    pub(crate) mode: Option<OutputMode>,

    /// Keep no running totals: every epoch stands alone
    #[arg(long, conflicts_with = "windows")]
    pub(crate) per_epoch: bool,

    /// Remove a group from the state when no row of it has come for this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with_all = ["windows", "per_epoch"])]
    pub(crate) ttl: Option<Duration>,

    #[command(flatten)]
    pub(crate) sink: SinkArgs,

    /// Order the rows of an epoch by count or by key
    #[arg(long, value_enum)]
    pub(crate) sort: Option<Sort>,

    /// The folder of the checkpoint; the query continues from it after a restart
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Write a snapshot of the state at least every N epochs
    #[arg(long, value_name = "N")]
    pub(crate) snapshot_every: Option<u64>,

    /// The maximum files that an epoch reads
    #[arg(long, value_name = "N")]
    pub(crate) max_files: Option<usize>,

    /// The maximum bytes that an epoch reads, rounded to whole lines or files
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) max_bytes: Option<u64>,

    /// The maximum rows that an epoch reads, of sources that make rows
    #[arg(long, value_name = "N")]
    pub(crate) max_rows: Option<u64>,

    /// Refuse to start unless results arrive exactly-once or idempotent
    #[arg(long, value_name = "GUARANTEE", value_parser = ["exactly-once", "idempotent"])]
    #[arg(visible_alias = "guarantee")]
    pub(crate) require: Option<String>,

    /// Write a report of every epoch to standard error, as a line of JSON
    #[arg(long)]
    pub(crate) progress: bool,

    /// Serve metrics over HTTP, such as at 127.0.0.1:9464: /metrics for Prometheus, /progress as JSON,
    /// /healthz
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,

    /// Write to standard error what the query does, and its guarantee
    #[arg(long)]
    pub(crate) explain: bool,

    /// No remarks
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
