//! The arguments of `keymill stream`, which are also the keys of job files.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args};
use keymill::TokenRule;
use keymill::stream::OutputMode;
use keymill::write::Format;

use super::{
    MachineArgs, Sort, parse_delimiter, parse_format, parse_mode, parse_option, parse_time,
    parse_top,
};
use crate::named::Named;
use crate::size;

/// The headings of the help.
const GROUPS: &str = "Groups";
const WINDOWS: &str = "Windows";
const EPOCHS: &str = "Epochs";
const SINK: &str = "Sink";
const RECOVERY: &str = "Recovery";
const REPORTS: &str = "Reports";

/// Where data comes from, and the form of its lines.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// The source: tcp://HOST:PORT, tcp-listen://HOST:PORT, unix:PATH, dir:PATH (new files, each read once),
    /// hdfs://HOST:PORT/PATH and s3://BUCKET/PREFIX (the same), tail:FILE (a growing file), stdin:,
    /// kafka://HOST:PORT/TOPIC, http-listen://HOST:PORT, rate:ROWS_PER_SECOND, rate-per-epoch:ROWS or
    /// dataset:NAME; several are read together
    #[arg(long, value_name = "URL")]
    pub(crate) from: Vec<String>,

    /// A setting of the source before it: of Kafka, those of librdkafka, such as auto.offset.reset=latest; of
    /// HTTP, such as token=SECRET; of S3, such as endpoint=URL; of HDFS, those of Hadoop
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
    pub(crate) from_option: Vec<(String, String)>,

    /// The number of the source that each setting belongs to; empty if each belongs to all.
    #[arg(skip)]
    pub(crate) option_places: Vec<usize>,

    /// Share the topics of Kafka with other processes: the name of a consumer group, whose members take over
    /// the partitions of one that dies (needs --per-epoch), or a fixed share such as 1/3
    #[arg(long, value_name = "GROUP|N/M", value_parser = parse_share)]
    pub(crate) share: Option<Share>,

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
#[command(next_help_heading = "Sink")]
pub(crate) struct SinkArgs {
    /// The sink: console: (the default), files:DIR, hdfs://HOST:PORT/PATH, s3://BUCKET/PREFIX,
    /// sqlite:FILE?table=NAME, postgres://USER@HOST:PORT/DATABASE?table=NAME, kafka://HOST:PORT/TOPIC,
    /// http://HOST:PORT/PATH, opensearch://HOST:PORT/INDEX, hbase://HOST:PORT/TABLE,
    /// cassandra://HOST:PORT/KEYSPACE/TABLE, redis://HOST:PORT/PREFIX or
    /// memcached://HOST:PORT/PREFIX; the results go to all that are named
    #[arg(long, value_name = "URL")]
    pub(crate) to: Vec<String>,

    /// A setting of the sink before it: of Kafka, those of librdkafka, such as compression.type=gzip; of HTTP,
    /// such as compression=gzip; of S3, such as endpoint=URL; of HDFS, such as dfs.replication=2; of stores,
    /// such as password.file=FILE
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_option)]
    pub(crate) to_option: Vec<(String, String)>,

    /// The number of the sink that each setting belongs to, late sinks after the others; empty if each
    /// belongs to all.
    #[arg(skip)]
    pub(crate) option_places: Vec<usize>,

    /// Write only the first N rows of an epoch; of windows, the first N rows of each window
    #[arg(long, value_name = "N", value_parser = parse_top, allow_negative_numbers = true)]
    pub(crate) top: Option<usize>,

    /// The format of files: tsv, csv, json, parquet or arrow
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_format, &["tsv", "csv", "json", "parquet", "arrow"]))]
    pub(crate) format: Option<Format>,
}

/// How processes share the topics of Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// By a consumer group.
    Group(String),
    /// A number of shares, and which one this is.
    Fixed(u32, u32),
}

/// Parses `words` or `1/3`.
fn parse_share(text: &str) -> Result<Share, String> {
    let fixed = text.split_once('/');
    let fixed = fixed.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match fixed {
        Some((number, of)) if (1..=of).contains(&number) => Ok(Share::Fixed(number, of)),
        None if !text.is_empty() && text.chars().all(allowed) => Ok(Share::Group(text.to_owned())),
        _ => Err(
            "write the name of a group (letters, digits, `.`, `_`, `-`), or one of the shares \
             1/3, 2/3 and 3/3"
                .to_owned(),
        ),
    }
}

/// The number of the URL before each option, or 0; `urls` are the names of arguments that are URLs.
fn places(matches: &ArgMatches, urls: &[&str], option: &str) -> Vec<usize> {
    let indices = |name: &str| matches.indices_of(name).into_iter().flatten();
    let urls: Vec<usize> = urls.iter().flat_map(|name| indices(name)).collect();
    let before = |index: usize| {
        let numbered = urls.iter().enumerate();
        let before = numbered.filter(|(_, url)| **url < index);
        before.max_by_key(|(_, url)| **url).map_or(0, |it| it.0)
    };
    indices(option).map(before).collect()
}

/// The options of one URL.
pub(crate) fn of_place(
    options: &[(String, String)],
    places: &[usize],
    number: usize,
) -> Vec<(String, String)> {
    let placed = options.iter().enumerate();
    let own = placed.filter(|(it, _)| places.get(*it).is_none_or(|place| *place == number));
    own.map(|(_, option)| option.clone()).collect()
}

impl StreamArgs {
    /// Gives every setting to the source or the sink before it on the command line.
    pub(crate) fn place_options(&mut self, matches: &ArgMatches) {
        self.source.option_places = places(matches, &["from"], "from_option");
        self.sink.option_places = places(matches, &["to", "late_to"], "to_option");
    }
}

#[derive(Args, Debug)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Count tokens
    #[arg(help_heading = GROUPS)]
    #[arg(long, conflicts_with_all = ["key", "agg", "columns", "distinct_on"])]
    pub(crate) count: bool,

    /// What a token is: whitespace, words, lines, split:SEPARATOR or field:N,SEPARATOR
    #[arg(help_heading = GROUPS)]
    #[arg(long, value_name = "RULE", default_value = "whitespace")]
    pub(crate) tokens: TokenRule,

    /// Map every character to lower case, one to one
    #[arg(help_heading = GROUPS)]
    #[arg(long)]
    pub(crate) lowercase: bool,

    /// The key columns
    #[arg(help_heading = GROUPS)]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) key: Vec<String>,

    /// The aggregates: count, sum(COLUMN), mean(COLUMN), quantile(COLUMN, 0.9) and so on
    #[arg(help_heading = GROUPS)]
    #[arg(long, value_name = "CALLS")]
    pub(crate) agg: Vec<String>,

    /// Compute the results for windows of this length: 10s, 5m, 1h
    #[arg(help_heading = WINDOWS)]
    #[arg(long, value_name = "TIME", value_parser = parse_time, group = "windows")]
    pub(crate) window: Option<Duration>,

    /// Compute the results for sessions of each key: rows that follow each other with less than this time
    /// between them
    #[arg(help_heading = WINDOWS)]
    #[arg(long, value_name = "GAP", value_parser = parse_time, group = "windows", requires = "time")]
    pub(crate) session: Option<Duration>,

    /// Begin a window at every multiple of this time; the default is the length of a window
    #[arg(help_heading = WINDOWS)]
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "window", conflicts_with = "session")]
    pub(crate) slide: Option<Duration>,

    /// The column with the time of a row: ISO 8601, or a number of seconds since 1970 (of milliseconds
    /// from 10^11 on); the default is the time of arrival
    #[arg(help_heading = WINDOWS)]
    #[arg(long, value_name = "COLUMN", requires_all = ["windows", "key"])]
    pub(crate) time: Option<String>,

    /// Close a window when a row has come whose time is this long after the end of the window; rows of closed
    /// windows are left out and counted
    #[arg(help_heading = WINDOWS)]
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "time")]
    pub(crate) watermark: Option<Duration>,

    /// Write and close the windows that are open when the input has ended, or what was there with --once
    /// and --available-now; for --mode append
    #[arg(help_heading = WINDOWS)]
    #[arg(long, requires = "windows")]
    pub(crate) flush: bool,

    /// Write the rows that come after their windows were closed to a sink
    #[arg(help_heading = WINDOWS)]
    #[arg(long, value_name = "URL", requires = "watermark")]
    pub(crate) late_to: Vec<String>,

    /// Leave out rows whose values of these columns have come before
    #[arg(help_heading = GROUPS)]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "key")]
    pub(crate) distinct_on: Vec<String>,

    /// Remember these values for this time after the arrival of a row; the default is until its time is before
    /// the watermark, and without a watermark for ever
    #[arg(help_heading = GROUPS)]
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "distinct_on", conflicts_with = "watermark")]
    pub(crate) distinct_for: Option<Duration>,

    /// Begin an epoch at every multiple of this time: 50ms, 1s, 5m; the default is as soon as there is
    /// something to read
    #[arg(help_heading = EPOCHS)]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) every: Option<Duration>,

    /// Run one epoch of what is there, and end
    #[arg(help_heading = EPOCHS)]
    #[arg(long, conflicts_with = "available_now")]
    pub(crate) once: bool,

    /// Run epochs until what is there is read, and end
    #[arg(help_heading = EPOCHS)]
    #[arg(long)]
    pub(crate) available_now: bool,

    /// Which groups an epoch writes: complete (all), update (those that changed) or append
    #[arg(help_heading = SINK)]
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_mode, &["complete", "update", "append"]))]
    pub(crate) mode: Option<OutputMode>,

    /// Keep no running totals: every epoch stands alone
    #[arg(help_heading = GROUPS)]
    #[arg(long, conflicts_with = "windows")]
    pub(crate) per_epoch: bool,

    /// Remove a group from the state when no row of it has come for this time
    #[arg(help_heading = GROUPS)]
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with_all = ["windows", "per_epoch"])]
    pub(crate) ttl: Option<Duration>,

    #[command(flatten)]
    pub(crate) sink: SinkArgs,

    /// Order the rows of an epoch by count or by key
    #[arg(help_heading = SINK)]
    #[arg(long, value_enum)]
    pub(crate) sort: Option<Sort>,

    /// The folder of the checkpoint; the query continues from it after a restart
    #[arg(help_heading = RECOVERY)]
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Write a snapshot of the state at least every N epochs
    #[arg(help_heading = RECOVERY)]
    #[arg(long, value_name = "N")]
    pub(crate) snapshot_every: Option<u64>,

    /// The maximum files that an epoch reads
    #[arg(help_heading = EPOCHS)]
    #[arg(long, value_name = "N")]
    pub(crate) max_files: Option<usize>,

    /// The maximum bytes that an epoch reads, rounded to whole lines or files
    #[arg(help_heading = EPOCHS)]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) max_bytes: Option<u64>,

    /// The maximum rows that an epoch reads, of sources that make rows
    #[arg(help_heading = EPOCHS)]
    #[arg(long, value_name = "N")]
    pub(crate) max_rows: Option<u64>,

    /// Refuse to start unless results arrive exactly once, or at least idempotent
    #[arg(help_heading = RECOVERY)]
    #[arg(long, value_name = "GUARANTEE", value_parser = ["exactly-once", "idempotent"])]
    #[arg(visible_alias = "guarantee")]
    pub(crate) require: Option<String>,

    /// Name the query in reports
    #[arg(help_heading = REPORTS)]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Write a report of every epoch to standard error, as a line of JSON
    #[arg(help_heading = REPORTS)]
    #[arg(long)]
    pub(crate) progress: bool,

    /// Serve metrics over HTTP, such as at 127.0.0.1:9464: /metrics for Prometheus, /progress and /state as
    /// JSON, /healthz
    #[arg(help_heading = REPORTS)]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,

    /// Write to standard error what the query does, and its guarantee
    #[arg(help_heading = REPORTS)]
    #[arg(long)]
    pub(crate) explain: bool,

    /// No remarks
    #[arg(help_heading = REPORTS)]
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn parsed(arguments: &[&str]) -> StreamArgs {
        let command = StreamArgs::augment_args(Command::new("stream")).no_binary_name(true);
        let matches = command.try_get_matches_from(arguments).unwrap();
        let mut args = StreamArgs::from_arg_matches(&matches).unwrap();
        args.place_options(&matches);
        args
    }

    #[test]
    fn settings_belong_to_the_sink_before_them() {
        let arguments = "--to-option a=1 --to files:x --to kafka://y/z --to-option b=2 --watermark 1s \
                         --window 1s --time t --key k --late-to http://w --to-option=c=3 --to-option d=4 \
                         --to kafka://y/v --to-option e=5 --from x --from-option f=6";
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let args = parsed(&arguments);
        let of = |number| {
            let options = of_place(&args.sink.to_option, &args.sink.option_places, number);
            options.iter().map(|it| it.0.clone()).collect::<String>()
        };
        // files, kafka, kafka, and the late one.
        assert_eq!([of(0), of(1), of(2), of(3)], ["a", "b", "e", "cd"]);
        assert_eq!(args.source.option_places, [0]);
    }

    #[test]
    fn shares_are_groups_or_fractions() {
        assert_eq!(
            parse_share("a.b-1_c"),
            Ok(Share::Group("a.b-1_c".to_owned()))
        );
        assert_eq!(parse_share("2/3"), Ok(Share::Fixed(2, 3)));
        for wrong in ["", "a b", "0/3", "4/3", "1/0", "a/b", "/", "1/"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
    }
}
