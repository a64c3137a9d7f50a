//! `keymill compare`.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use keymill::shown_name;
use keymill::write::{OutputFile, cannot_write};
use keymill::{Cancel, Error, ErrorKind, Result};
use keymill_report::{
    History, Report, Request, SCHEMA, Step, compare, to_charts, to_html, to_json, to_markdown,
};

use crate::args::CompareArgs;
use crate::{exit, output, print};

/// The files of a report.
const JSON: &str = "report.json";
const TEXT: &str = "report.md";
const PAGE: &str = "report.html";

/// Maximum length of the progress line. A longer line would wrap and could not be overwritten.
const LINE: usize = 72;

pub(crate) fn run(args: &CompareArgs) -> Result<i32> {
    if args.schema {
        print(SCHEMA)?;
        return Ok(exit::DONE);
    }
    let cancel = Cancel::default();
    exit::cancel_on_signal(&cancel);
    let folder = args.output.as_deref().filter(|it| !output::is_standard(it));
    folder.map_or(Ok(()), try_folder)?;
    let history = args.history.as_deref().map(History::open).transpose()?;
    let request = Request {
        quick: args.quick,
        data: args.data.clone(),
        tokens: args.tokens.clone(),
        command: command(),
        cancel,
    };
    let is_watched = !args.quiet && io::stderr().is_terminal();
    let report = compare(&request, &mut |step| show(step, is_watched));
    clear(is_watched);
    let mut report = report?;
    if let Some(history) = &history {
        history.compare(&mut report)?;
        history.add(&report)?;
    }
    match folder {
        Some(folder) => save(&report, folder, args.svg)?,
        None => print(&to_markdown(&report))?,
    }
    if report.interrupted {
        return Ok(exit::INTERRUPTED);
    }
    verdict(&report)
}

/// Checks before the measurement that the folder can be created and the files written. It removes the
/// folders that it created, so that an interrupted run leaves nothing.
fn try_folder(folder: &Path) -> Result<()> {
    let is_missing = |one: &&Path| !one.as_os_str().is_empty() && !one.exists();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    make_folder(folder)?;
    let tried = [JSON, TEXT, PAGE].map(|name| write(&folder.join(name), "a test"));
    let result = tried.into_iter().try_for_each(|file| file.map(drop));
    for made in missing {
        // Fails if another program has put something there.
        let _ = fs::remove_dir(made);
    }
    result
}

fn make_folder(folder: &Path) -> Result<()> {
    let what = format!("into the folder `{}`", shown_name(folder));
    fs::create_dir_all(folder).map_err(|cause| cannot_write(&what, cause))
}

/// Writes all files, and the recommendations to standard output.
fn save(report: &Report, folder: &Path, with_charts: bool) -> Result<()> {
    let mut texts = vec![
        (JSON.to_owned(), to_json(report)?),
        (TEXT.to_owned(), to_markdown(report)),
        (PAGE.to_owned(), to_html(report)),
    ];
    if with_charts {
        let charts = to_charts(report).into_iter();
        texts.extend(charts.map(|(name, file)| (name + ".svg", file)));
    }
    make_folder(folder)?;
    let files = texts
        .iter()
        .map(|(name, text)| write(&folder.join(name), text));
    // No file is replaced before all are written.
    let files: Vec<OutputFile> = files.collect::<Result<_>>()?;
    files.into_iter().try_for_each(OutputFile::commit)?;
    let recommended = report.recommendations.iter();
    let lines: Vec<String> = recommended
        .map(|it| format!("{}: {}\n", it.data, it.text))
        .collect();
    print(&lines.concat())
}

fn write(path: &Path, text: &str) -> Result<OutputFile> {
    let mut file = OutputFile::create(path)?;
    file.write_all(text.as_bytes())
        .map_err(|cause| cannot_write("the report", cause))?;
    Ok(file)
}

/// Returns an error for a report that is not reliable. The report was written anyway.
fn verdict(report: &Report) -> Result<i32> {
    if report.is_sound() {
        return Ok(exit::DONE);
    }
    let first = report.disagreements.first().cloned().or_else(|| {
        let on_cpu = |it: &&keymill_report::model::Failure| it.adapter.is_none();
        let failure = report.failures.iter().find(on_cpu)?;
        Some(format!("{}: {}", failure.what, failure.error))
    });
    let message = format!(
        "the report is not reliable because of a bug in keymill, which it names: {}",
        first.unwrap_or_default()
    );
    Err(Error::new(ErrorKind::Internal, message))
}

/// Returns the command line, quoted for a shell.
fn command() -> String {
    let arguments = std::env::args_os().skip(1);
    arguments.fold("keymill".to_owned(), |line, argument| {
        line + " " + &quoted(&argument)
    })
}

fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "-_=+./,:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    match text.chars().any(char::is_control) {
        // Bash, zsh and ksh read these escapes. The command stays on one line.
        true => format!("$'{}'", text.chars().map(escaped).collect::<String>()),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A character between `$'` and `'`.
fn escaped(character: char) -> String {
    match character {
        '\'' | '\\' => format!("\\{character}"),
        '\n' => r"\n".to_owned(),
        _ if character.is_control() => {
            let bytes = character.to_string().into_bytes();
            bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
        }
        _ => character.to_string(),
    }
}

/// Writes the progress line over the previous one.
fn show(step: &Step, is_watched: bool) {
    if is_watched {
        let line = format!("{:3.0} %  {}", step.done * 100.0, step.what);
        let line: String = line.chars().take(LINE).collect();
        let _ = write!(io::stderr(), "\r\x1b[2K{line}");
    }
}

fn clear(is_watched: bool) {
    if is_watched {
        let _ = write!(io::stderr(), "\r\x1b[2K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted(OsStr::new("a/b-1.txt")), "a/b-1.txt");
        assert_eq!(quoted(OsStr::new("split: ;")), "'split: ;'");
        assert_eq!(quoted(OsStr::new("it's")), r"'it'\''s'");
        assert_eq!(quoted(OsStr::new("")), "''");
        assert_eq!(
            quoted(OsStr::new("it's\na\\\x1b\u{9b}é")),
            r"$'it\'s\na\\\x1b\xc2\x9bé'"
        );
    }

    #[test]
    fn trying_a_folder_leaves_nothing() {
        let around = tempfile::tempdir().unwrap();
        let deep = around.path().join("a/b/c");
        try_folder(&deep).unwrap();
        assert!(!around.path().join("a").exists());
        // A folder that existed before stays.
        fs::create_dir(around.path().join("a")).unwrap();
        try_folder(&deep).unwrap();
        assert!(around.path().join("a").exists() && !around.path().join("a/b").exists());
        fs::write(around.path().join("file"), "").unwrap();
        assert!(try_folder(&around.path().join("file/inside")).is_err());
    }

    #[test]
    fn a_report_of_answers_that_differ_is_a_failure() {
        let mut report = Report {
            answers_agree: true,
            ..Report::default()
        };
        assert_eq!(verdict(&report).unwrap(), exit::DONE);
        report.answers_agree = false;
        report.disagreements.push("avx2 answered 5".to_owned());
        let error = verdict(&report).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("avx2 answered 5"));
    }
}
