//! `keymill stream`, `keymill run` and `keymill validate`.
#![forbid(unsafe_code)]

mod database;
mod dataset;
mod job_file;
mod place;
mod plan;
mod row_args;
mod store;
mod topic;
mod web;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use keymill::stream::{
    Delivery, MetricsServer, StreamProgress, StreamQuery, Trigger, Window, session, sliding, sum,
};
use keymill::{Error, ErrorKind, KeyedStream, Order, Result};

use crate::args::{Sort, StreamArgs};
use crate::result::number;
#[allow(
    unused_imports,
    reason = "a program with all features has no use for it"
)]
use crate::storage::not_built;
use crate::{exit, machine, print, say};

pub(crate) use plan::StreamPlan;
use topic::Group;

/// How often the query is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the query of a job file.
pub(crate) fn run_file(file: &Path) -> Result<i32> {
    run(&job_file::read(file)?)
}

/// Says what the query of a job file would do.
pub(crate) fn validate(file: &Path) -> Result<i32> {
    let explained = job(&job_file::read(file)?)?.validate()?;
    print(&explained).map(|()| exit::DONE)
}

/// Runs the query until it ends, or until a signal. The first signal lets it finish what was received,
/// the second one gives up the epoch that runs.
pub(crate) fn run(plan: &StreamPlan) -> Result<i32> {
    let args = &plan.args;
    let signals = Arc::new(AtomicU8::new(0));
    let is_started = Arc::new(AtomicBool::new(false));
    let (counted, waits) = (signals.clone(), is_started.clone());
    exit::on_signals(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        // A start may wait long for other systems. It may end at any point, as by a kill.
        if !waits.load(Ordering::SeqCst) {
            exit::end(exit::INTERRUPTED);
        }
    });
    let job = job(plan)?;
    if args.explain {
        say(job.explain().trim_end());
    }
    let server = args.metrics.as_deref().map(metrics_server).transpose()?;
    let query = job.start()?;
    is_started.store(true, Ordering::SeqCst);
    if let Some(server) = &server {
        server.watch(&query);
    }
    if !args.quiet {
        query
            .remarks()
            .iter()
            .for_each(|it| say(&format!("keymill: {it}")));
    }
    wait(args, &query, &signals)?;
    if !args.quiet && !args.progress {
        say_rejected(&query);
    }
    match signals.load(Ordering::Relaxed) {
        0 => Ok(exit::DONE),
        _ => Ok(exit::INTERRUPTED),
    }
}

/// Says how many rows the sources have rejected.
fn say_rejected(query: &StreamQuery) {
    let last = query.last_progress();
    let sources = last.iter().flat_map(|progress| &progress.sources);
    let rejected: u64 = sources.map(|source| source.num_rejected_rows).sum();
    if rejected > 0 {
        let rows = number(rejected, "row");
        say(&format!(
            "keymill: {rows} rejected; see numRejectedRows of --progress"
        ));
    }
}

/// Serves metrics. A port that the system has chosen is said.
fn metrics_server(address: &str) -> Result<MetricsServer> {
    let server = MetricsServer::bind(address)?;
    if address.ends_with(":0") {
        let address = server.local_addr();
        say(&format!("keymill: metrics at http://{address}/metrics"));
    }
    Ok(server)
}

fn wait(args: &StreamArgs, query: &StreamQuery, signals: &AtomicU8) -> Result<()> {
    let (mut stops, mut told) = (0, String::new());
    while !query.await_termination_timeout(PAUSE)? {
        let wanted = signals.load(Ordering::Relaxed);
        if wanted > stops {
            query.stop(stops == 0);
            stops += 1;
        }
        let status = query.status();
        let (is_paused, status) = (status.is_paused(), status.message);
        if is_paused && status != told && !args.quiet {
            say(&format!("keymill: {status}"));
            told = status;
        }
    }
    Ok(())
}

fn job(plan: &StreamPlan) -> Result<KeyedStream> {
    let args = &plan.args;
    let engine = machine::engine(&args.machine)?;
    let group = Group::of(plan.sources.iter().map(|(_, form)| form));
    let keyed = keyed(plan, &engine, group.as_ref())?;
    let keyed = match (window(args), args.per_epoch) {
        (Some(window), _) => keyed.window(window),
        (None, true) => keyed,
        (None, false) => keyed.update_state(sum()),
    };
    let keyed = match args.flush {
        true => keyed.flush_windows(),
        false => keyed,
    };
    let keyed = limited(args, keyed);
    let keyed = match args.mode {
        Some(mode) => keyed.mode(mode),
        None => keyed,
    };
    let keyed = match args.sort {
        Some(Sort::Count) => keyed.order_by(Order::Count),
        Some(Sort::Key) => keyed.order_by(Order::Key),
        _ => keyed,
    };
    let keyed = match &args.checkpoint {
        Some(folder) => keyed.checkpoint(folder),
        None => keyed,
    };
    let keyed = match args.require.as_deref() {
        Some("exactly-once") => keyed.require(Delivery::ExactlyOnce),
        Some("idempotent") => keyed.require(Delivery::Idempotent),
        _ => keyed,
    };
    let keyed = match args.progress {
        true => keyed.on_progress(|progress: &StreamProgress| say(&progress.to_json())),
        false => keyed,
    };
    let keyed = match &args.name {
        Some(name) => keyed.name(name),
        None => keyed,
    };
    let mut late = args.late_to.iter().enumerate();
    let keyed = late.try_fold(keyed, |keyed, (number, url)| {
        let place = (args.sink.to.len() + number, url);
        let (url, sink) = plan::sink_of(&args.sink, place);
        Ok::<_, Error>(keyed.late_rows_to(place::sink(&url, &sink, None)?))
    })?;
    // Only one sink can commit the offsets of the source with its results.
    let group = group.as_ref().filter(|_| plan.sinks.len() == 1);
    let keyed = plan.sinks.iter().try_fold(keyed, |keyed, (url, sink)| {
        Ok::<_, Error>(keyed.sink(place::sink(url, sink, group)?))
    })?;
    Ok(with_kill_point(keyed))
}

/// What is computed of each epoch.
fn keyed(
    plan: &StreamPlan,
    engine: &keymill::Engine,
    group: Option<&Group>,
) -> Result<KeyedStream> {
    let args = &plan.args;
    let mut sources = plan
        .sources
        .iter()
        .enumerate()
        .map(|(number, (url, form))| {
            // Every source has a log of its own.
            let log = form
                .wal
                .as_ref()
                .map(|folder| folder.join(number.to_string()));
            let lines = row_args::lines(form, args)?;
            if url.starts_with("kafka:") {
                let source = topic::source(url, form, group, lines)?;
                return row_args::rows(source, None, args);
            }
            if form.share.is_some() {
                let message =
                    format!("`{url}` cannot be shared; only topics of Kafka have --share");
                return Err(Error::new(ErrorKind::Config, message));
            }
            let source = place::source(url, &form.from_option, log.as_deref())?;
            row_args::rows(source, lines, args)
        });
    let first = sources.next().unwrap_or_else(|| Err(no_source()))?;
    let stream = sources.try_fold(engine.stream(first), |stream, source| {
        Ok::<_, Error>(stream.union(source?))
    })?;
    let stream = stream.trigger(trigger(args));
    if args.count {
        let tokens = stream.tokenize(args.tokens.clone());
        let tokens = if args.lowercase {
            tokens.lowercase()
        } else {
            tokens
        };
        return Ok(tokens.count_by_key());
    }
    if args.key.is_empty() {
        let message = "say what to compute: --count, or --key with --agg";
        return Err(Error::new(ErrorKind::Config, message));
    }
    let columns = args.distinct_on.iter();
    let stream = match (args.distinct_on.is_empty(), args.distinct_for) {
        (true, _) => stream,
        (false, Some(time)) => stream.drop_duplicates_within(columns, time),
        (false, None) => stream.drop_duplicates(columns),
    };
    Ok(stream.group_by(
        args.key.iter().map(String::as_str),
        row_args::aggregates(args)?,
    ))
}

fn window(args: &StreamArgs) -> Option<Window> {
    let mut window = match (args.window, args.session) {
        (Some(size), _) => sliding(size, args.slide.unwrap_or(size)),
        (None, Some(gap)) => session(gap),
        (None, None) => return None,
    };
    if let Some(time) = &args.time {
        window = window.on(time.as_str());
    }
    if let Some(delay) = args.watermark {
        window = window.watermark(delay);
    }
    Some(window)
}

fn no_source() -> Error {
    Error::new(ErrorKind::Config, "name a source with --from")
}

fn trigger(args: &StreamArgs) -> Trigger {
    match (args.once, args.available_now, args.every) {
        (true, ..) => Trigger::Once,
        (_, true, _) => Trigger::AvailableNow,
        (_, _, Some(interval)) => Trigger::Every(interval),
        _ => Trigger::AsFastAsPossible,
    }
}

fn limited(args: &StreamArgs, mut keyed: KeyedStream) -> KeyedStream {
    if let Some(files) = args.max_files {
        keyed = keyed.max_files_per_epoch(files);
    }
    if let Some(bytes) = args.max_bytes {
        keyed = keyed.max_bytes_per_epoch(bytes);
    }
    if let Some(rows) = args.max_rows {
        keyed = keyed.max_rows_per_epoch(rows);
    }
    if let Some(time) = args.ttl {
        keyed = keyed.state_ttl(time);
    }
    // A console says itself that there are more rows.
    let only_console = args.sink.to.iter().all(|url| url.starts_with("console:"));
    let of_all = |_: &usize| args.window.is_some() || !only_console;
    if let Some(rows) = args.sink.top.filter(of_all) {
        keyed = keyed.top(rows);
    }
    if let Some(epochs) = args.snapshot_every {
        keyed = keyed.snapshot_every(epochs);
    }
    keyed
}

/// Kills this process at a step of an epoch, for tests: `KEYMILL_TEST_KILL_AT=delta:3`. With
/// `KEYMILL_TEST_STOP_AT` it stops there until it gets the signal to continue.
fn with_kill_point(keyed: KeyedStream) -> KeyedStream {
    let wanted = |name: &str| std::env::var(name).ok();
    let (kill, stop) = (
        wanted("KEYMILL_TEST_KILL_AT"),
        wanted("KEYMILL_TEST_STOP_AT"),
    );
    if kill.is_none() && stop.is_none() {
        return keyed;
    }
    keyed.fault_hook(move |point, epoch| {
        let here = Some(format!("{point}:{epoch}"));
        #[cfg(target_os = "linux")]
        if here == stop {
            use rustix::process::{Signal, getpid, kill_process};
            let _ = kill_process(getpid(), Signal::STOP);
            // Another thread may take the signal, and this one must not go on meanwhile.
            std::thread::sleep(Duration::from_millis(50));
        }
        if here == kill {
            #[cfg(target_os = "linux")]
            {
                let process = rustix::process::getpid();
                let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            }
            std::process::abort();
        }
    })
}
