//! The format, the place and the rows of a result, and what is said about it.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Instant;

use keymill::read::Compression;
use keymill::shown_name;
use keymill::write::{Format, grouped};
use keymill::{BatchLimits, Error, ErrorKind, JobMetrics, Progress, Result, ResultStream};

use crate::args::ResultArgs;
use crate::output::{self, Output};
use crate::system::kibibytes_of;
use crate::{say, size};

/// The default number of rows on a terminal.
const SCREENFUL: usize = 40;

/// Returns whether remarks may be written to standard error without an error: on a terminal, or with
/// `--explain` or `--stats`.
pub(crate) fn shows_remarks(args: &ResultArgs) -> bool {
    let is_asked = args.explain || args.stats;
    !args.quiet && (is_asked || io::stderr().is_terminal())
}

pub(crate) fn limits(args: &ResultArgs) -> BatchLimits {
    let mut limits = BatchLimits::default();
    limits.top = args.top;
    limits
}

/// Returns the requested format, or the default for the output.
pub(crate) fn choose_format(args: &ResultArgs) -> Result<Format> {
    let is_terminal = output::is_terminal(args.output.as_deref());
    let by_name = args.output.as_deref().and_then(format_of_name);
    let default = if is_terminal && cfg!(feature = "table") {
        Format::Table
    } else {
        Format::Tsv
    };
    let format = args.format.or(by_name).unwrap_or(default);
    if is_terminal && format.is_binary() {
        let message =
            format!("--format {format} cannot be shown on a terminal; name a file with -o");
        return Err(Error::new(ErrorKind::Config, message));
    }
    let path = args.output.as_deref().filter(|path| is_compressed(path));
    if let Some(path) = path.filter(|_| format.is_binary()) {
        let shown = shown_name(path);
        let message = format!(
            "`{shown}`: a compressed {format} file cannot be read at random offsets; name the file \
             without .gz or .zst"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(format)
}

pub(crate) fn is_compressed(path: &Path) -> bool {
    Compression::of_name(path) != Compression::None
}

/// Returns the format for a file name, by its extension before `.gz` or `.zst`.
pub(crate) fn format_of_name(path: &Path) -> Option<Format> {
    let path = match is_compressed(path) {
        true => Path::new(path.file_stem()?),
        false => path,
    };
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "tsv" => Some(Format::Tsv),
        "csv" => Some(Format::Csv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        "md" | "markdown" => Some(Format::Markdown),
        "parquet" => Some(Format::Parquet),
        "arrow" | "feather" => Some(Format::Arrow),
        _ => None,
    }
}

/// Returns how many rows are written. The rest is only counted.
pub(crate) fn shown_rows(args: &ResultArgs) -> usize {
    let is_unasked = args.top.is_none() && args.format.is_none();
    if is_unasked && output::is_terminal(args.output.as_deref()) {
        SCREENFUL
    } else {
        usize::MAX
    }
}

/// Refuses `--top` without an order: the rows would depend on threads, memory and device.
pub(crate) fn check_rows(args: &ResultArgs, is_ordered: bool) -> Result<()> {
    if args.top.is_none() || is_ordered {
        return Ok(());
    }
    let message = "--top N needs an order, and --sort none has no order; \
                   use --sort count or --sort key";
    Err(Error::new(ErrorKind::Config, message))
}

/// Writes the first rows of a result. Returns the number of all rows.
pub(crate) fn write(
    stream: &mut ResultStream,
    format: Format,
    mut output: Output,
    shown: usize,
) -> Result<u64> {
    let mut rows = 0;
    let mut left = shown;
    let columns = output.columns();
    let mut writer = format.writer_within(columns, &stream.schema(), &mut output)?;
    for batch in stream {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        let taken = left.min(batch.num_rows());
        left -= taken;
        if taken > 0 {
            writer.write(&batch.slice(0, taken))?;
        }
    }
    writer.finish()?;
    drop(writer);
    output.commit()?;
    Ok(rows)
}

/// Writes the remarks about devices.
pub(crate) fn say_remarks(args: &ResultArgs, metrics: &JobMetrics) {
    if !args.quiet {
        metrics
            .remarks
            .iter()
            .for_each(|it| say(&format!("keymill: {it}")));
    }
}

/// Formats a number with a noun in singular or plural.
pub(crate) fn number(of: u64, what: &str) -> String {
    let plural = if of == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(of))
}

/// Returns the peak of resident memory, if the system reports it.
pub(crate) fn peak_memory() -> Option<u64> {
    kibibytes_of("/proc/self/status", "VmHWM")
}

/// What remarks say about a kind of job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nouns {
    /// What is aggregated: token, row.
    pub(crate) unit: &'static str,
    /// What rejected lines or rows are: line without the field that is counted.
    pub(crate) rejected: (&'static str, &'static str),
}

/// Writes the summary, the remarks and the metrics to standard error. The last line is that of the
/// chunks, which programs read.
pub(crate) fn remark(
    args: &ResultArgs,
    metrics: &JobMetrics,
    progress: &Progress,
    rows: u64,
    started: Instant,
    nouns: Nouns,
) {
    let is_watched = output::is_terminal(args.output.as_deref()) && io::stderr().is_terminal();
    if is_watched && !args.quiet {
        say(&summary(args, metrics, progress, rows, started, nouns));
    }
    say_remarks(args, metrics);
    say_rejected(args, metrics.rejected, nouns);
    if args.explain && metrics.rows_read > 0 {
        let (read, kept) = (grouped(metrics.rows_read), grouped(metrics.tokens));
        let (keys, written) = (grouped(metrics.groups), grouped(rows));
        let rejected = grouped(metrics.rejected);
        say(&format!(
            "measured    {read} rows read, {rejected} rejected, {kept} kept; {keys} before having and limit, \
             {written} written"
        ));
    }
    if args.explain && !args.stats {
        let decisions = &metrics.decisions;
        decisions
            .iter()
            .for_each(|it| say(&format!("device: {it}")));
    }
    if args.stats {
        if let Some(peak) = peak_memory() {
            say(&format!("peak memory: {}", size::show(peak)));
        }
        say(&metrics.to_string());
    }
}

/// Writes how many lines or rows were rejected.
fn say_rejected(args: &ResultArgs, rejected: u64, nouns: Nouns) {
    let (what, why) = nouns.rejected;
    if rejected > 0 && !args.quiet {
        say(&format!("keymill: {} {why}", number(rejected, what)));
    }
}

fn summary(
    args: &ResultArgs,
    metrics: &JobMetrics,
    progress: &Progress,
    rows: u64,
    started: Instant,
    nouns: Nouns,
) -> String {
    let hidden = rows.saturating_sub(shown_rows(args) as u64);
    let more = match hidden {
        0 => String::new(),
        _ => format!(
            "… and {} more; use --top N or a pipe to see them\n",
            grouped(hidden)
        ),
    };
    let seconds = started.elapsed().as_secs_f64();
    let bytes = progress.bytes();
    let rate = (bytes as f64 / seconds.max(1e-9)) as u64;
    format!(
        "{more}{}, {}, {} in {:.3} s ({}/s)",
        number(metrics.tokens, nouns.unit),
        number(metrics.groups, "key"),
        size::show_input(bytes),
        seconds,
        size::show_input(rate),
    )
}
