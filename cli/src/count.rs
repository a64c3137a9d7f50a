//! `keymill count`.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::time::Instant;

use keymill::{Cancel, CountJob, Engine, Order, Progress, Result};

use crate::args::{CountArgs, Sort};
use crate::output::{self, Output};
use crate::progress::Bar;
use crate::result::Nouns;
use crate::{exit, inputs, machine, result, say};

/// What remarks say.
const NOUNS: Nouns = Nouns {
    unit: "token",
    rejected: ("line", "without the field that is counted"),
};

/// Counts and exits. The process ends without freeing its tables, which would take long.
pub(crate) fn run(args: &CountArgs) -> Result<i32> {
    let started = Instant::now();
    let cancel = Cancel::default();
    exit::stop_on_signal(&cancel);
    result::check_rows(&args.result, !matches!(args.sort, Sort::None))?;
    let format = result::choose_format(&args.result)?;
    let progress = Progress::default();
    let engine = machine::engine(&args.machine)?;
    if result::shows_remarks(&args.result) {
        machine::adjusted(&args.machine, &engine)
            .iter()
            .for_each(|it| say(it));
    }
    let job = job(args, &engine)?.cancel(&cancel).progress(&progress);
    if args.result.explain {
        say(&job.explain());
    }
    let output = Output::open(args.result.output.as_deref())?;
    let is_watched = inputs::wants_bar(
        &args.files,
        &args.result,
        io::stdin().is_terminal(),
        output::is_terminal(None),
    );
    let mut bar = Bar::start(&progress, is_watched);
    let stream = job.stream(order(args.sort), result::limits(&args.result));
    let mut stream = stream.map_err(machine::with_device)?;
    if output::is_terminal(args.result.output.as_deref()) {
        bar.stop();
    }
    let shown = result::shown_rows(&args.result);
    let rows = engine.install(|| result::write(&mut stream, format, output, shown))?;
    bar.stop();
    let metrics = stream.metrics();
    result::remark(&args.result, &metrics, &progress, rows, started, NOUNS);
    exit::end(exit::DONE)
}

fn job(args: &CountArgs, engine: &Engine) -> Result<CountJob> {
    let source = inputs::find(&args.files, &args.result)?;
    let tokens = engine.read_source(source).tokenize(args.tokens.clone());
    let tokens = if args.lowercase {
        tokens.lowercase()
    } else {
        tokens
    };
    Ok(tokens.count_by_key())
}

fn order(sort: Sort) -> Order {
    match sort {
        Sort::Count => Order::Count,
        Sort::Key => Order::Key,
        Sort::None => Order::None,
    }
}
