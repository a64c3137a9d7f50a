//! The command line of keymill.
#![forbid(unsafe_code)]

mod args;
mod compare;
mod count;
mod datasets;
mod devices;
mod exit;
mod named;
mod output;
mod pages;
mod progress;
mod size;
mod system;
mod tokens;

use std::io::{self, Write};

use clap::Parser;
use keymill::{Error, ErrorKind, Result};

use args::{Cli, Command};
use output::Output;

fn main() {
    let command = Cli::parse().command;
    let code = run(&command).unwrap_or_else(|error| exit::report(&error));
    exit::end(code)
}

fn run(command: &Command) -> Result<i32> {
    match command {
        Command::Count(args) => count::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Datasets(args) => datasets::run(args),
        Command::Completions { shell } => pages::completions(*shell),
        Command::Man { command } => pages::man(command.as_deref()),
    }
}

/// Writes a whole text to standard output.
fn print(text: &str) -> Result<()> {
    let mut output = Output::open(None)?;
    output
        .write_all(text.as_bytes())
        .map_err(|cause| Error::new(ErrorKind::Sink, "cannot write").with_source(cause))
}

/// Writes a line to standard error, where it may be lost.
fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
