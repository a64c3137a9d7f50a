//! What may stand on the command line.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use keymill::write::Format;
use keymill::{DeviceChoice, Level, TokenRule};

use crate::named::Named;
use crate::{help, size};

/// Exact counts by key, from bytes, by SIMD or on a GPU, in bounded memory
#[derive(Debug, Parser)]
#[command(name = "keymill", version, after_help = help::KEYMILL, infer_subcommands = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count words, fields or lines
    #[command(after_help = help::COUNT)]
    Count(CountArgs),
    /// Measure the CPU and every adapter on this machine and this data, and say which to use
    #[command(after_help = help::COMPARE)]
    Compare(CompareArgs),
    /// Show the SIMD levels, adapters and memory of this machine, and where jobs run
    #[command(after_help = help::DEVICES)]
    Devices(DevicesArgs),
    /// List the seeded data sets, or make one
    #[command(after_help = help::DATASETS)]
    Datasets(DatasetsArgs),
    /// Write the completions of a shell to standard output
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell that is to complete
        shell: Shell,
    },
    /// Write a man page to standard output
    #[command(after_help = help::MAN)]
    Man {
        /// The command that the page is about, such as datasets make; keymill itself if none is given
        command: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct CountArgs {
    /// Files, patterns such as 'logs/*.gz', folders with -r, or - for standard input (the default)
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Read all files in folders, and in the folders in them
    #[arg(short, long)]
    pub(crate) recursive: bool,

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
}

/// Which part of the machine a job may use.
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

    /// The SIMD level: scalar, neon, avx2 or avx512; the best that this machine runs if not given
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_level, &["scalar", "neon", "avx2", "avx512"]))]
    pub(crate) level: Option<Level>,

    /// How many threads; all processors if not given
    #[arg(long, value_name = "N", value_parser = parse_threads, allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,

    /// Memory for input, tables, sort and output (64M, 1GiB, bytes), 20MiB at least and 10MiB a
    /// thread; half of what there is if not given
    #[arg(long, value_name = "SIZE", value_parser = parse_memory, allow_hyphen_values = true)]
    pub(crate) memory: Option<usize>,

    /// Where to put what does not fit into memory; the system's temporary folder if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
}

/// Which part of the result is wanted, in which form, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Result")]
pub(crate) struct ResultArgs {
    /// table, tsv, csv, json, parquet or arrow; if not given, by the name after -o, else table on a
    /// terminal and tsv in a pipe
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = Named(parse_format, &["table", "tsv", "csv", "json", "parquet", "arrow"]))]
    pub(crate) format: Option<Format>,

    /// Write to a file, which is replaced whole at the end or not at all, and compressed if it is
    /// called .gz or .zst; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Only the first N rows of the order, which must not be none
    #[arg(long, value_name = "N", value_parser = parse_top, allow_negative_numbers = true)]
    pub(crate) top: Option<usize>,

    /// By count (largest first, then by key), by key, or in no order, which is fastest
    #[arg(long, value_enum, default_value = "count")]
    pub(crate) sort: Sort,

    /// Say on standard error what runs where, and why
    #[arg(long)]
    pub(crate) explain: bool,

    /// Say on standard error what each stage did; nothing if the reader closes the pipe first
    #[arg(long)]
    pub(crate) stats: bool,

    /// No progress bar and no remarks
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sort {
    Count,
    Key,
    None,
}

#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// Measure less, in under 30 seconds; otherwise it takes up to five minutes
    #[arg(long)]
    pub(crate) quick: bool,

    /// Measure this file, unpacked if it is compressed, up to its first 256 MiB (16 MiB with --quick);
    /// seeded texts if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,

    /// Where to write report.json and report.md, and only the recommendation to standard output;
    /// if not given, the page in Markdown goes to standard output
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// What a token is: whitespace, words, lines, split:SEPARATOR or field:N,SEPARATOR
    #[arg(long, value_name = "RULE", default_value = "whitespace")]
    pub(crate) tokens: TokenRule,

    /// Write the JSON Schema of report.json to standard output, and measure nothing
    #[arg(long, exclusive = true)]
    pub(crate) schema: bool,

    /// No progress line
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DevicesArgs {
    /// Show what this machine lacks, too, and why
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
    /// Name and describe all data sets
    #[command(after_help = help::DATASETS_LIST)]
    List,
    /// Make a data set, the same bytes on every machine
    #[command(after_help = help::DATASETS_MAKE)]
    Make {
        /// The data set's name
        name: String,
        /// How large: 65536, 64M, 1GiB
        #[arg(long, value_name = "SIZE", value_parser = size::parse, allow_hyphen_values = true)]
        bytes: u64,
        /// Where to; - is standard output
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

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if (1..=1024).contains(&threads) => Ok(threads),
        _ => Err("threads are from 1 to 1024".to_owned()),
    }
}

fn parse_top(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "a number of rows is 0 or more".to_owned())
}

fn parse_memory(text: &str) -> Result<usize, String> {
    let bytes = size::parse(text)?;
    if bytes == 0 {
        return Err("no job runs without memory; the least is 20MiB".to_owned());
    }
    usize::try_from(bytes).map_err(|_| "more than this machine can address".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_has_no_contradictions() {
        Cli::command().debug_assert();
    }
}
