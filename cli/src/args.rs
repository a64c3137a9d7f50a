//! The arguments of the command line.
#![forbid(unsafe_code)]

mod compare;
#[cfg(feature = "kafka")]
mod kafka;
mod stream;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use keymill::stream::OutputMode;
use keymill::write::Format;
use keymill::{DeviceChoice, Level, TokenRule};

use crate::named::Named;
use crate::reduce::ReduceArgs;
use crate::sql::SqlArgs;
use crate::{help, size};

pub(crate) use compare::CompareArgs;
#[cfg(feature = "kafka")]
pub(crate) use kafka::{KafkaCommand, TxnCommand};
pub(crate) use stream::{Share, SinkArgs, SourceArgs, StreamArgs, of_place};

/// Exact counts by key, from bytes, by SIMD or on a GPU, in bounded memory
#[derive(Debug, Parser)]
#[command(name = "keymill", version, after_help = help::KEYMILL, infer_subcommands = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let (Command::Stream(args), Some(("stream", matches))) =
        (&mut cli.command, matches.subcommand())
    {
        args.place_options(matches);
    }
    Ok(cli)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count words, fields or lines
    #[command(after_help = help::COUNT)]
    Count(CountArgs),
    /// Group the rows of files by columns, and aggregate other columns
    #[command(after_help = help::REDUCE)]
    Reduce(ReduceArgs),
    /// Run a SELECT over files
    #[command(after_help = help::SQL)]
    Sql(SqlArgs),
    /// Aggregate a stream, epoch by epoch, with running totals and checkpoints
    #[command(after_help = help::STREAM)]
    Stream(Box<StreamArgs>),
    /// Run the stream that a job file describes
    #[command(after_help = help::RUN)]
    Run {
        /// The job file
        file: PathBuf,
    },
    /// Check a job file, and say what the stream would do; nothing is opened
    #[command(after_help = help::VALIDATE)]
    Validate {
        /// The job file
        file: PathBuf,
    },
    /// Write lines to a topic of Kafka, or read its messages
    #[cfg(feature = "kafka")]
    #[command(after_help = help::KAFKA)]
    Kafka {
        #[command(subcommand)]
        command: KafkaCommand,
    },
    /// Show what a running stream does; it must serve metrics (`--metrics`)
    #[command(after_help = help::TOP)]
    Top(TopArgs),
    /// List, verify, repair or export the checkpoint of a stream
    #[command(after_help = help::CHECKPOINT)]
    Checkpoint {
        #[command(subcommand)]
        command: CheckpointCommand,
    },
    /// Measure the CPU and every adapter on this machine and this data, and recommend one
    #[command(after_help = help::COMPARE)]
    Compare(CompareArgs),
    /// Show the SIMD levels, adapters and memory of this machine, and where jobs run
    #[command(after_help = help::DEVICES)]
    Devices(DevicesArgs),
    /// List the seeded data sets, or generate one
    #[command(after_help = help::DATASETS)]
    Datasets(DatasetsArgs),
    /// Write the completions of a shell to standard output
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a man page to standard output
    #[command(after_help = help::MAN)]
    Man {
        /// The command to describe, such as datasets make; the default is keymill itself
        command: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    pub(crate) files: FileArgs,

    /// What a token is: whitespace, words, lines, split:SEPARATOR or field:N,SEPARATOR
    #[arg(long, value_name = "RULE", default_value = "whitespace")]
    pub(crate) tokens: TokenRule,

    /// Map every character to lower case, one to one
    #[arg(long)]
    pub(crate) lowercase: bool,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,

    #[command(flatten)]
    pub(crate) result: ResultArgs,

    /// Order by count (largest first, then by key) or by key; none is the fastest
    #[arg(long, value_enum, default_value = "count", help_heading = "Result")]
    pub(crate) sort: Sort,
}

/// The files of a job.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// Files, patterns such as 'logs/*.gz', folders with -r, or - for standard input (the default)
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Read all files in folders and their subfolders
    #[arg(short, long)]
    pub(crate) recursive: bool,

    /// Read also the files whose names are in this file, or on standard input (-), one per line, or with a
    /// NUL after each
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,
}

/// The part of the machine that a job uses.
#[derive(Args, Debug)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MachineArgs {
    /// Where to run: auto, cpu, gpu, gpu:NAME (the adapter with NAME in its name) or hybrid (both)
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "auto",
        hide_possible_values = true
    )]
    #[arg(value_parser = Named(parse_device, &["auto", "cpu", "gpu", "hybrid"]))]
    pub(crate) device: DeviceChoice,

    /// The SIMD level: scalar, neon, avx2 or avx512; the default is the best of this machine
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_level, &["scalar", "neon", "avx2", "avx512"]))]
    pub(crate) level: Option<Level>,

    /// Number of threads; the default is the number of processors
    #[arg(long, value_name = "N", value_parser = parse_threads, allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,

    /// Memory for input, tables, sorting and output (64M, 1GiB, bytes), at least 20MiB and 10MiB per
    /// thread; the default is half of the machine's memory
    #[arg(long, value_name = "SIZE", value_parser = parse_memory, allow_hyphen_values = true)]
    pub(crate) memory: Option<usize>,

    /// Folder for data that does not fit in memory; the default is the system's temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
}

/// The rows, the format and the place of the result.
#[derive(Args, Debug)]
#[command(next_help_heading = "Result")]
pub(crate) struct ResultArgs {
    /// table, tsv, csv, json, markdown, parquet or arrow; the default depends on the name after -o, or else is
    /// table on a terminal and tsv in a pipe
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_format, &["table", "tsv", "csv", "json", "markdown", "parquet", "arrow"]))]
    pub(crate) format: Option<Format>,

    /// Write to a file; it is replaced at the end, completely or not at all, and compressed if its name
    /// ends with .gz or .zst; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write only the first N rows of the order
    #[arg(long, value_name = "N", value_parser = parse_top, allow_negative_numbers = true)]
    pub(crate) top: Option<usize>,

    /// Write to standard error what runs where and why
    #[arg(long)]
    pub(crate) explain: bool,

    /// Write the metrics of each stage to standard error; nothing if the reader closes the pipe first
    #[arg(long)]
    pub(crate) stats: bool,

    /// No progress bar and no remarks
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// Where the stream serves its metrics
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:9464")]
    pub(crate) address: String,

    /// Write one frame as text; the default where standard output is no terminal
    #[arg(long)]
    pub(crate) once: bool,

    /// How often the view is drawn again
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub(crate) every: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// List the epochs: number, start, state, bytes of the delta and of the snapshot
    #[command(after_help = help::CHECKPOINT_LIST)]
    List {
        /// The folder of the checkpoint
        folder: PathBuf,
    },
    /// Read every byte, and list what is damaged; exit status 1 if anything is
    #[command(after_help = help::CHECKPOINT_VERIFY)]
    Verify {
        /// The folder of the checkpoint
        folder: PathBuf,
    },
    /// Remove what is damaged and what a restart can do without
    #[command(after_help = help::CHECKPOINT_REPAIR)]
    Repair {
        /// The folder of the checkpoint
        folder: PathBuf,
    },
    /// Write the running totals of the last committed epoch
    #[command(after_help = help::CHECKPOINT_EXPORT)]
    Export {
        /// The folder of the checkpoint
        folder: PathBuf,
        #[command(flatten)]
        result: ResultFormat,
    },
}

/// The format and the place of a table.
#[derive(Args, Debug)]
pub(crate) struct ResultFormat {
    /// table, tsv, csv, json, markdown, parquet or arrow; the default depends on the name after -o, or else is
    /// table on a terminal and tsv elsewhere
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_format, &["table", "tsv", "csv", "json", "markdown", "parquet", "arrow"]))]
    pub(crate) format: Option<Format>,

    /// Write to a file; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sort {
    Count,
    Key,
    None,
}

#[derive(Args, Debug)]
pub(crate) struct DevicesArgs {
    /// Also show what this machine lacks, and why
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DatasetsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DatasetsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetsCommand {
    /// List and describe all data sets
    #[command(after_help = help::DATASETS_LIST)]
    List,
    /// Generate a data set; the bytes are the same on every machine
    #[command(after_help = help::DATASETS_MAKE)]
    Make {
        /// The data set's name
        name: String,
        /// Its size: 65536, 64M, 1GiB
        #[arg(long, value_name = "SIZE", value_parser = size::parse, allow_hyphen_values = true)]
        bytes: u64,
        /// The output file; - is standard output
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
}

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    text.parse()
        .map_err(|error: keymill::Error| error.to_string())
}

fn parse_level(text: &str) -> Result<Level, String> {
    let level: Level = text.parse().map_err(|error| format!("{error}"))?;
    if level.is_available() {
        return Ok(level);
    }
    let runs: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
    Err(format!(
        "it needs {}; this machine runs {}",
        level.requires(),
        runs.join(", ")
    ))
}

fn parse_format(text: &str) -> Result<Format, String> {
    text.parse()
        .map_err(|error: keymill::Error| error.to_string())
}

fn parse_mode(text: &str) -> Result<OutputMode, String> {
    text.parse()
        .map_err(|error: keymill::Error| error.to_string())
}

pub(crate) fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err("a delimiter is one byte, or \\t".to_owned()),
    }
}

/// Parses a setting: `NAME=VALUE`.
fn parse_option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a setting is NAME=VALUE".to_owned()),
    }
}

/// Parses a time: `50ms`, `1s`, `1.5s`, `5m`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let time = number.parse::<f64>().map(|number| number * seconds);
    let time = time
        .ok()
        .and_then(|it| Duration::try_from_secs_f64(it).ok());
    time.ok_or_else(|| "a time is a number with ms, s, m or h: 50ms, 1s".to_owned())
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if (1..=1024).contains(&threads) => Ok(threads),
        _ => Err("the number of threads must be from 1 to 1024".to_owned()),
    }
}

fn parse_top(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "the number of rows must be 0 or more".to_owned())
}

fn parse_memory(text: &str) -> Result<usize, String> {
    let bytes = size::parse(text)?;
    if bytes == 0 {
        return Err("no job runs without memory; the minimum is 20MiB".to_owned());
    }
    usize::try_from(bytes).map_err(|_| "more than this machine can address".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
