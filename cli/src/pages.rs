//! Shell completions and man pages, made of the command line's own description.
#![forbid(unsafe_code)]

use clap::CommandFactory;
use clap_complete::Shell;
use keymill::{Error, ErrorKind, Result};

use crate::args::Cli;
use crate::{exit, print};

pub(crate) fn completions(shell: Shell) -> Result<i32> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "keymill", &mut text);
    finish(&text)
}

pub(crate) fn man(command: Option<&str>) -> Result<i32> {
    let mut all = Cli::command();
    all.build();
    let about = match command {
        None => all,
        Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("no command is called `{name}`; `keymill help` lists them"),
            )
        })?,
    };
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(about).render(&mut text);
    rendered.map_err(|cause| {
        Error::new(ErrorKind::Internal, "cannot make the man page").with_source(cause)
    })?;
    // What stands below the options has headings of its own.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA\n", ".SH NOTES\n");
    finish(text.as_bytes())
}

fn finish(text: &[u8]) -> Result<i32> {
    print(&String::from_utf8_lossy(text))?;
    Ok(exit::DONE)
}
