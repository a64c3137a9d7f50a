//! `keymill sql`.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use keymill::{Cancel, Engine, Progress, Result, SqlJob, table_of_sql};

use crate::args::{FileArgs, MachineArgs, ResultArgs};
use crate::output::{self, Output};
use crate::progress::Bar;
use crate::reduce::{self, TableArgs};
use crate::result::Nouns;
use crate::{exit, inputs, machine, result, say};

#[derive(Args, Debug)]
pub(crate) struct SqlArgs {
    /// One SELECT; its table is a file, a pattern, a folder or -, in quotes: FROM 'visits.csv'
    pub(crate) statement: String,

    #[command(flatten)]
    pub(crate) table: TableArgs,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,

    #[command(flatten)]
    pub(crate) result: ResultArgs,
}

/// What remarks say.
const NOUNS: Nouns = Nouns {
    unit: "row",
    rejected: ("bad row", "left out"),
};

/// Runs the statement and exits. The process ends without freeing its tables, which would take long.
pub(crate) fn run(args: &SqlArgs) -> Result<i32> {
    let started = Instant::now();
    let cancel = Cancel::default();
    exit::stop_on_signal(&cancel);
    let format = result::choose_format(&args.result)?;
    let progress = Progress::default();
    let engine = machine::engine(&args.machine)?;
    if result::shows_remarks(&args.result) {
        machine::adjusted(&args.machine, &engine)
            .iter()
            .for_each(|it| say(it));
    }
    let files = files(&args.statement)?;
    let job = job(args, &files, &engine)?;
    let mut job = job.cancel(&cancel).progress(&progress);
    if args.result.explain {
        say(&job.explain());
    }
    let output = Output::open(args.result.output.as_deref())?;
    let (is_typed, is_terminal) = (io::stdin().is_terminal(), output::is_terminal(None));
    let is_watched = inputs::wants_bar(&files, &args.result, is_typed, is_terminal);
    let mut bar = Bar::start(&progress, is_watched);
    let stream = job.stream(result::limits(&args.result));
    let mut stream = stream.map_err(|error| reduce::with_options(machine::with_device(error)))?;
    if output::is_terminal(args.result.output.as_deref()) {
        bar.stop();
    }
    let shown = result::shown_rows(&args.result);
    let rows = engine.install(|| result::write(&mut stream, format, output, shown));
    let rows = rows.map_err(reduce::with_options)?;
    bar.stop();
    let metrics = stream.metrics();
    result::remark(&args.result, &metrics, &progress, rows, started, NOUNS);
    exit::end(exit::DONE)
}

fn job(args: &SqlArgs, files: &FileArgs, engine: &Engine) -> Result<SqlJob> {
    let table = reduce::table(files, &args.table, &args.result)?;
    engine.read_table(table).sql(&args.statement)
}

/// The table of the statement, as files. A folder is all files in it.
fn files(statement: &str) -> Result<FileArgs> {
    let path = PathBuf::from(table_of_sql(statement)?);
    Ok(FileArgs {
        // A URL of a folder is one as well.
        recursive: path.is_dir() || path.to_string_lossy().contains("://"),
        files: vec![path],
        files_from: None,
    })
}
