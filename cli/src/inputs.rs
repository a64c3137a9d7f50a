//! The files of a command.
#![forbid(unsafe_code)]

use std::error::Error as _;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use keymill::read::{FileSource, Find};
use keymill::shown_name;
use keymill::{Error, ErrorKind, Result};

use crate::args::{FileArgs, ResultArgs};
use crate::result::number;
use crate::{say, storage};

/// Finds the files of a command, and reports links that were skipped.
pub(crate) fn find(args: &FileArgs, result: &ResultArgs) -> Result<FileSource> {
    let mut paths = args.files.clone();
    match &args.files_from {
        Some(list) => paths.extend(listed(list)?),
        None if paths.is_empty() => paths.push(PathBuf::from("-")),
        None => {}
    }
    let how = Find {
        recursive: args.recursive,
        dash_is_stdin: true,
    };
    let source = FileSource::find_with(&paths, how, storage::files);
    let source = source.map_err(|error| with_recursive(args, error))?;
    if !result.quiet && !source.skipped().is_empty() {
        say(&skipped(source.skipped()));
    }
    if !result.quiet && reads_stdin(args) && io::stdin().is_terminal() {
        say("keymill: reading from the terminal; Ctrl-D ends the input");
    }
    Ok(source)
}

/// The names in a list: with a NUL after each if there is one, or else one per line.
fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let read = match list == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => std::fs::read(list),
    };
    let bytes = read.map_err(|cause| {
        let message = format!("the list of files, `{}`, cannot be read", shown_name(list));
        Error::new(ErrorKind::Source, message).with_source(cause)
    })?;
    let end = if bytes.contains(&0) { 0 } else { b'\n' };
    let names = bytes.split(|&byte| byte == end);
    let names = names.map(|name| match end {
        0 => name,
        _ => name.strip_suffix(b"\r").unwrap_or(name),
    });
    let paths: Vec<PathBuf> = names.filter(|name| !name.is_empty()).map(path_of).collect();
    match paths.is_empty() {
        true => {
            let message = format!("the list of files, `{}`, is empty", shown_name(list));
            Err(Error::new(ErrorKind::Source, message))
        }
        false => Ok(paths),
    }
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

/// Adds the option that reads the files of a folder.
fn with_recursive(args: &FileArgs, error: Error) -> Error {
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
pub(crate) fn wants_bar(
    args: &FileArgs,
    result: &ResultArgs,
    is_typed: bool,
    is_terminal: bool,
) -> bool {
    let is_over_input = is_typed && reads_stdin(args);
    !result.quiet && !is_over_input && (result.output.is_some() || is_terminal)
}

/// Returns whether standard input is one of the files.
fn reads_stdin(args: &FileArgs) -> bool {
    (args.files.is_empty() && args.files_from.is_none())
        || args.files.iter().any(|path| path == Path::new("-"))
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
            wants_bar(&args.files, &args.result, is_typed, true)
        };
        assert!(!wants(&[], true) && !wants(&["a", "-", "-o", "x"], true));
        assert!(wants(&[], false) && wants(&["a"], true));
        assert!(!wants(&["a", "--quiet"], true));
    }
}
