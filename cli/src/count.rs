//! `keymill count`.
#![forbid(unsafe_code)]

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use keymill::read::{Compression, FileSource, Find};
use keymill::shown_name;
use keymill::write::{Format, grouped};
use keymill::{
    BatchLimits, Cancel, CountJob, Engine, Error, ErrorKind, JobMetrics, Level, Order, Progress,
    Result, ResultStream, Shaders,
};

use crate::args::{CountArgs, MachineArgs, ResultArgs, Sort};
use crate::output::{self, Output};
use crate::progress::Bar;
use crate::system::kibibytes_of;
use crate::{exit, say, size};

/// The default number of rows on a terminal.
const SCREENFUL: usize = 40;

/// Counts and exits. The process ends without freeing its tables, which would take long.
pub(crate) fn run(args: &CountArgs) -> Result<i32> {
    let started = Instant::now();
    let cancel = Cancel::default();
    exit::stop_on_signal(&cancel);
    check_rows(&args.result)?;
    let format = choose_format(&args.result)?;
    let progress = Progress::default();
    let engine = engine(&args.machine)?;
    if shows_remarks(&args.result) {
        adjusted(&args.machine, &engine)
            .iter()
            .for_each(|it| say(it));
    }
    let job = job(args, &engine)?.cancel(&cancel).progress(&progress);
    if args.result.explain {
        say(&job.explain());
    }
    let output = Output::open(args.result.output.as_deref())?;
    let is_watched = wants_bar(args, io::stdin().is_terminal(), output::is_terminal(None));
    let mut bar = Bar::start(&progress, is_watched);
    let stream = job.stream(order(args.result.sort), limits(&args.result));
    let mut stream = stream.map_err(with_device)?;
    if output::is_terminal(args.result.output.as_deref()) {
        bar.stop();
    }
    let shown = shown_rows(&args.result);
    let rows = engine.install(|| write(&mut stream, format, output, shown))?;
    bar.stop();
    remark(&args.result, &stream.metrics(), &progress, rows, started);
    exit::end(exit::DONE)
}

fn job(args: &CountArgs, engine: &Engine) -> Result<CountJob> {
    let stdin = [PathBuf::from("-")];
    let paths = if args.files.is_empty() {
        &stdin
    } else {
        args.files.as_slice()
    };
    let how = Find {
        recursive: args.recursive,
        dash_is_stdin: true,
    };
    let source = FileSource::find(paths, how).map_err(|error| with_recursive(args, error))?;
    if !args.result.quiet && !source.skipped().is_empty() {
        say(&skipped(source.skipped()));
    }
    if !args.result.quiet && reads_stdin(args) && io::stdin().is_terminal() {
        say("keymill: reading from the terminal; Ctrl-D ends the input");
    }
    let tokens = engine.read_source(source).tokenize(args.tokens.clone());
    let tokens = if args.lowercase {
        tokens.lowercase()
    } else {
        tokens
    };
    Ok(tokens.count_by_key())
}

/// Adds the options that run the job without the missing device.
fn with_device(error: Error) -> Error {
    if error.kind() != ErrorKind::Device {
        return error;
    }
    let advice = "`keymill devices --all` lists adapters; --device cpu or auto runs without one";
    Error::new(error.kind(), format!("{error}; {advice}"))
}

/// Adds the option that reads the files of a folder.
fn with_recursive(args: &CountArgs, error: Error) -> Error {
    let cause = error.source().and_then(|it| it.downcast_ref());
    let is_folder = |it: &io::Error| it.kind() == io::ErrorKind::IsADirectory;
    if args.recursive || !cause.is_some_and(is_folder) {
        return error;
    }
    Error::new(error.kind(), format!("{}; -r reads them", error.message()))
}

/// Returns the remark about broken symlinks.
fn skipped(links: &[PathBuf]) -> String {
    let what = number(links.len() as u64, "symlink");
    let shown: Vec<String> = links
        .iter()
        .take(3)
        .map(|path| format!("`{}`", shown_name(path)))
        .collect();
    let more = match links.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {}", number(more as u64, "other")),
    };
    let shown = shown.join(", ");
    format!("keymill: {what} skipped, because the target does not exist: {shown}{more}")
}

/// Returns whether a progress bar may be shown: not while input is typed, and not if the result goes to
/// a pipe.
fn wants_bar(args: &CountArgs, is_typed: bool, is_terminal: bool) -> bool {
    let is_over_input = is_typed && reads_stdin(args);
    !args.result.quiet && !is_over_input && (args.result.output.is_some() || is_terminal)
}

/// Returns whether standard input is one of the files.
fn reads_stdin(args: &CountArgs) -> bool {
    args.files.is_empty() || args.files.iter().any(|path| path == Path::new("-"))
}

/// Returns the level of the variable `KEYMILL_LEVEL`, if it is set.
pub(crate) fn level_of_environment() -> Result<Option<Level>> {
    const VARIABLE: &str = "KEYMILL_LEVEL";
    match std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
        Some(name) => {
            let level = name.to_string_lossy().parse::<Level>();
            level
                .map(Some)
                .map_err(|cause| Error::new(ErrorKind::Config, VARIABLE).with_source(cause))
        }
        None => Ok(None),
    }
}

/// Creates the engine of a command.
pub(crate) fn engine(args: &MachineArgs) -> Result<Engine> {
    let mut builder = Engine::builder().device(args.device.clone());
    if let Some(level) = args
        .level
        .map_or_else(level_of_environment, |it| Ok(Some(it)))?
    {
        builder = builder.level(level);
    }
    if let Some(threads) = args.threads {
        builder = builder.threads(threads);
    }
    if let Some(memory) = args.memory {
        builder = builder.memory(memory);
    }
    if let Some(folder) = &args.spill_dir {
        builder = builder.spill_dir(folder);
    }
    if let Some(file) = device_cache() {
        builder = builder.device_cache(file);
    }
    if let Some(shaders) = shaders()? {
        builder = builder.shaders(shaders);
    }
    builder.build()
}

/// Returns whether remarks may be written to standard error without an error: on a terminal, or with
/// `--explain` or `--stats`.
fn shows_remarks(args: &ResultArgs) -> bool {
    let is_asked = args.explain || args.stats;
    !args.quiet && (is_asked || io::stderr().is_terminal())
}

/// Returns a remark if the job uses more memory or fewer threads than requested.
fn adjusted(args: &MachineArgs, engine: &Engine) -> Option<String> {
    let (memory, threads) = (engine.memory(), engine.threads());
    let asked_memory = args.memory.filter(|&asked| asked < memory).map(|asked| {
        let (least, asked) = (size::show(memory as u64), size::show(asked as u64));
        format!("memory is {least}, the minimum, not {asked}")
    });
    let asked_threads = args.threads.or_else(|| {
        let all = thread::available_parallelism().ok()?;
        Some(all.get())
    });
    let asked_threads = asked_threads
        .filter(|&asked| asked > threads)
        .map(|asked| format!("threads: {threads}, not {asked}, as each needs 10 MiB of memory"));
    let said: Vec<String> = asked_memory.into_iter().chain(asked_threads).collect();
    (!said.is_empty()).then(|| format!("keymill: {}", said.join("; ")))
}

/// Returns the value of `KEYMILL_SHADERS`, if it is set.
fn shaders() -> Result<Option<Shaders>> {
    let Some(name) = set("KEYMILL_SHADERS") else {
        return Ok(None);
    };
    let wrong = |cause: Error| {
        let message = format!("KEYMILL_SHADERS={}", shown_name(&name));
        Error::new(ErrorKind::Config, message).with_source(cause)
    };
    name.to_string_lossy().parse().map(Some).map_err(wrong)
}

/// Returns an environment variable that is set and not empty.
fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|it| !it.is_empty())
}

/// Returns the file that caches the costs of devices. It is in the user's cache folder, unless
/// `KEYMILL_CACHE` names another folder or is `off`.
fn device_cache() -> Option<PathBuf> {
    let folder = match set("KEYMILL_CACHE") {
        Some(off) if off == "off" => return None,
        Some(folder) => PathBuf::from(folder),
        None if cfg!(windows) => PathBuf::from(set("LOCALAPPDATA")?).join("keymill"),
        None if cfg!(target_os = "macos") => {
            PathBuf::from(set("HOME")?).join("Library/Caches/keymill")
        }
        None => match set("XDG_CACHE_HOME") {
            Some(folder) => PathBuf::from(folder).join("keymill"),
            None => PathBuf::from(set("HOME")?).join(".cache/keymill"),
        },
    };
    Some(folder.join("devices"))
}

fn order(sort: Sort) -> Order {
    match sort {
        Sort::Count => Order::Count,
        Sort::Key => Order::Key,
        Sort::None => Order::None,
    }
}

fn limits(args: &ResultArgs) -> BatchLimits {
    let mut limits = BatchLimits::default();
    limits.top = args.top;
    limits
}

/// Refuses `--top` without an order: the rows would depend on threads, memory and device.
fn check_rows(args: &ResultArgs) -> Result<()> {
    if args.top.is_none() || !matches!(args.sort, Sort::None) {
        return Ok(());
    }
    let message = "--top N needs an order, and --sort none has no order; \
                   use --sort count or --sort key";
    Err(Error::new(ErrorKind::Config, message))
}

/// Returns the requested format, or the default for the output.
fn choose_format(args: &ResultArgs) -> Result<Format> {
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

fn is_compressed(path: &Path) -> bool {
    Compression::of_name(path) != Compression::None
}

/// Returns the format for a file name, by its extension before `.gz` or `.zst`.
fn format_of_name(path: &Path) -> Option<Format> {
    let path = match is_compressed(path) {
        true => Path::new(path.file_stem()?),
        false => path,
    };
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "tsv" => Some(Format::Tsv),
        "csv" => Some(Format::Csv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        "parquet" => Some(Format::Parquet),
        "arrow" | "feather" => Some(Format::Arrow),
        _ => None,
    }
}

/// Returns how many rows are written. The rest is only counted.
fn shown_rows(args: &ResultArgs) -> usize {
    let is_unasked = args.top.is_none() && args.format.is_none();
    if is_unasked && output::is_terminal(args.output.as_deref()) {
        SCREENFUL
    } else {
        usize::MAX
    }
}

/// Writes the first rows of a result. Returns the number of all rows.
fn write(
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

/// Writes the summary, the remarks and the metrics to standard error. The last line is that of the
/// chunks, which programs read.
fn remark(
    args: &ResultArgs,
    metrics: &JobMetrics,
    progress: &Progress,
    rows: u64,
    started: Instant,
) {
    let is_watched = output::is_terminal(args.output.as_deref()) && io::stderr().is_terminal();
    if is_watched && !args.quiet {
        say(&summary(args, metrics, progress, rows, started));
    }
    say_remarks(args, metrics);
    say_rejected(args, metrics.rejected);
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

/// Writes the remarks about devices.
fn say_remarks(args: &ResultArgs, metrics: &JobMetrics) {
    if !args.quiet {
        metrics
            .remarks
            .iter()
            .for_each(|it| say(&format!("keymill: {it}")));
    }
}

/// Writes how many lines were rejected.
fn say_rejected(args: &ResultArgs, rejected: u64) {
    if rejected > 0 && !args.quiet {
        say(&format!(
            "keymill: {} without the field that is counted",
            number(rejected, "line")
        ));
    }
}

/// Formats a number with a noun in singular or plural.
fn number(of: u64, what: &str) -> String {
    let plural = if of == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(of))
}

/// Returns the peak of resident memory, if the system reports it.
fn peak_memory() -> Option<u64> {
    kibibytes_of("/proc/self/status", "VmHWM")
}

fn summary(
    args: &ResultArgs,
    metrics: &JobMetrics,
    progress: &Progress,
    rows: u64,
    started: Instant,
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
        number(metrics.tokens, "token"),
        number(metrics.groups, "key"),
        size::show_input(bytes),
        seconds,
        size::show_input(rate),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn no_bar_is_shown_while_input_is_typed() {
        let wants = |words: &[&str], is_typed| {
            let cli = Cli::parse_from(["keymill", "count"].iter().chain(words));
            let Command::Count(args) = cli.command else {
                panic!("{words:?} is another command");
            };
            wants_bar(&args, is_typed, true)
        };
        assert!(!wants(&[], true) && !wants(&["a", "-", "-o", "x"], true));
        assert!(wants(&[], false) && wants(&["a"], true));
        assert!(!wants(&["a", "--quiet"], true));
    }
}
