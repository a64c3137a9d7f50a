//! Shell completions and man pages, generated from the arguments.
#![forbid(unsafe_code)]

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::Shell;
use keymill::shown_name;
use keymill::{Error, ErrorKind, Result};

use crate::args::Cli;
use crate::{exit, print};

pub(crate) fn completions(shell: Shell) -> Result<i32> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "keymill", &mut text);
    finish(&text)
}

pub(crate) fn man(words: &[String]) -> Result<i32> {
    let mut all = Cli::command();
    all.build();
    let name = words.join("-");
    let about = find(&all, &name).cloned().ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            format!(
                "no command is called `{}`; `keymill help` lists the commands",
                shown_name(words.join(" "))
            ),
        )
    })?;
    let name = about.get_display_name().unwrap_or("keymill").to_owned();
    let usage = synopsis(&about);
    let page = clap_mangen::Man::new(about.override_usage(usage))
        .title(name.to_uppercase())
        .source(concat!("keymill ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text).map_err(|cause| {
        Error::new(ErrorKind::Internal, "cannot generate the man page").with_source(cause)
    })?;
    // The text below the options has its own headings.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA\n", ".SH NOTES\n");
    finish(text.as_bytes())
}

/// Finds a command by the name of its man page: `datasets`, or `datasets-make` for a subcommand.
fn find<'c>(command: &'c Command, name: &str) -> Option<&'c Command> {
    if name.is_empty() {
        return Some(command);
    }
    command.get_subcommands().find_map(|inner| {
        let rest = name.strip_prefix(inner.get_name())?;
        match rest.strip_prefix('-') {
            Some("") => None,
            Some(rest) => find(inner, rest),
            None => rest.is_empty().then_some(inner),
        }
    })
}

/// Returns the synopsis of a command in one line, with the values of options.
fn synopsis(command: &Command) -> String {
    let called = command.get_bin_name().unwrap_or("keymill");
    let (positional, options): (Vec<_>, Vec<_>) =
        command.get_arguments().partition(|arg| arg.is_positional());
    let options = options.into_iter().map(|option| {
        let short = option.get_short().map(|it| format!("-{it}"));
        let long = option.get_long().map(|it| format!("--{it}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let value = match option.get_action().takes_values() {
            true => format!(" {}", value_name(option)),
            false => String::new(),
        };
        in_brackets(option, format!("{}{value}", names.join("|")))
    });
    let positional = positional.into_iter().map(|arg| {
        let more = match arg.get_action() {
            ArgAction::Append => "...",
            _ => "",
        };
        in_brackets(arg, value_name(arg)) + more
    });
    let inner = command.has_subcommands().then(|| {
        match command.is_subcommand_required_set() {
            true => "COMMAND",
            false => "[COMMAND]",
        }
        .to_owned()
    });
    let words = std::iter::once(called.to_owned()).chain(options);
    words
        .chain(positional)
        .chain(inner)
        .collect::<Vec<_>>()
        .join(" ")
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names
        .iter()
        .map(|name| name.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn in_brackets(arg: &Arg, text: String) -> String {
    match arg.is_required_set() {
        true => text,
        false => format!("[{text}]"),
    }
}

fn finish(text: &[u8]) -> Result<i32> {
    print(&String::from_utf8_lossy(text))?;
    Ok(exit::DONE)
}
