//! `keymill datasets`.
#![forbid(unsafe_code)]

use std::io::{self, BufWriter, Write};
use std::path::Path;

use keymill::shown_name;
use keymill::write::cannot_write;
use keymill::{Cancel, Error, ErrorKind, Result};

use crate::args::{DatasetsArgs, DatasetsCommand};
use crate::exit;
use crate::output::{self, Output};

pub(crate) fn run(args: &DatasetsArgs) -> Result<i32> {
    match &args.command {
        None | Some(DatasetsCommand::List) => list()?,
        Some(DatasetsCommand::Make {
            name,
            bytes,
            output,
        }) => make(name, *bytes, output)?,
    }
    Ok(exit::DONE)
}

fn list() -> Result<()> {
    let sets = keymill_datasets::all();
    let is_terminal = output::is_terminal(None);
    let width = sets.iter().map(|set| set.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for set in sets {
        let line = if is_terminal {
            format!("{:width$}  {}\n", set.name, set.description)
        } else {
            format!("{}\t{}\n", set.name, set.description)
        };
        text.push_str(&line);
    }
    crate::print(&text)
}

fn make(name: &str, bytes: u64, path: &Path) -> Result<()> {
    let Some(set) = keymill_datasets::find(name) else {
        let names: Vec<&str> = keymill_datasets::all().iter().map(|set| set.name).collect();
        let message = format!(
            "no data set is called `{}`; use one of {}",
            shown_name(name),
            names.join(", ")
        );
        return Err(Error::new(ErrorKind::Config, message));
    };
    exit::stop_on_signal(&Cancel::default());
    let mut out = BufWriter::with_capacity(1 << 20, Output::open(Some(path))?);
    let written = set.write_to(bytes, &mut out).and_then(|_| out.flush());
    written.map_err(|cause| cannot_make(name, cause))?;
    let output = out
        .into_inner()
        .map_err(|error| cannot_make(name, error.into_error()))?;
    output.commit()
}

fn cannot_make(name: &str, cause: io::Error) -> Error {
    cannot_write(&format!("the data set `{name}`"), cause)
}
