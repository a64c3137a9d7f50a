//! The command line of keymill.
#![forbid(unsafe_code)]

mod args;
mod checkpoint;
mod compare;
mod count;
mod datasets;
mod devices;
mod exit;
mod help;
mod inputs;
#[cfg(feature = "kafka")]
mod kafka;
mod machine;
mod named;
mod output;
mod pages;
mod progress;
mod reduce;
mod result;
mod size;
mod sql;
mod storage;
mod stream;
mod system;
mod top;

use std::io::{self, Write};

use keymill::Result;
use keymill::shown_name;
use keymill::write::cannot_write;

use args::Command;
use output::Output;

fn main() {
    let done = match args::parse() {
        Ok(cli) => run(cli.command),
        Err(other) => answer(&other),
    };
    exit::end(done.unwrap_or_else(|error| exit::report(&error)))
}

/// Writes clap's help or its error about the command line.
///
/// Unlike clap, it fails if the help cannot be written, and escapes control characters in arguments.
fn answer(other: &clap::Error) -> Result<i32> {
    let text = other.render().to_string();
    if other.use_stderr() {
        let lines: Vec<String> = text.trim_end().split('\n').map(shown_name).collect();
        say(&lines.join("\n"));
    } else {
        print(&text)?;
    }
    Ok(other.exit_code())
}

fn run(command: Command) -> Result<i32> {
    match command {
        Command::Count(args) => count::run(&args),
        Command::Reduce(args) => reduce::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::Stream(args) => stream::run(&(*args).into()),
        Command::Run { file } => stream::run_file(&file),
        Command::Validate { file } => stream::validate(&file),
        Command::Top(args) => top::run(&args),
        #[cfg(feature = "kafka")]
        Command::Kafka { command } => kafka::run(&command),
        Command::Checkpoint { command } => checkpoint::run(&command),
        Command::Compare(args) => compare::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Datasets(args) => datasets::run(&args),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { command } => pages::man(&command),
    }
}

/// Writes a text to standard output.
fn print(text: &str) -> Result<()> {
    let mut output = Output::open(None)?;
    output
        .write_all(text.as_bytes())
        .map_err(|cause| cannot_write("the output", cause))
}

/// Writes a line to standard error and ignores errors.
fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
