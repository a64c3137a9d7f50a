//! A folder of reports, to compare the runs of one machine over time.

mod diff;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use keymill::shown_name;
use keymill::write::{OutputFile, cannot_write};
use keymill::{Error, ErrorKind, Result};

use crate::json;
use crate::model::{Machine, Report};

/// The end of the names of reports in a history.
const END: &str = ".json";

/// A folder with one report a run.
///
/// # Examples
///
/// ```no_run
/// use keymill_report::{History, Request, compare};
///
/// let history = History::open("history".as_ref())?;
/// let mut report = compare(&Request::default(), &mut |_| {})?;
/// history.compare(&mut report)?;
/// history.add(&report)?;
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct History {
    folder: PathBuf,
}

impl History {
    /// Opens a folder, and creates it if it is missing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if nothing can be written into it.
    pub fn open(folder: &Path) -> Result<Self> {
        let what = format!("into the folder `{}`", shown_name(folder));
        fs::create_dir_all(folder).map_err(|cause| cannot_write(&what, cause))?;
        // Dropped without a commit, so nothing stays.
        OutputFile::create(&folder.join("test"))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Compares a report with the latest one of the same machine, plan and token rule, and sets
    /// [`Report::since`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] or [`ErrorKind::Format`] for a report in the folder that cannot be read.
    /// Reports of other versions of the format are left out.
    pub fn compare(&self, report: &mut Report) -> Result<()> {
        let mut latest: Option<Report> = None;
        for path in self.paths()? {
            let Some(before) = read(&path)? else { continue };
            let is_later = latest.as_ref().is_none_or(|it| it.started < before.started);
            if is_later && is_comparable(&before, report) {
                latest = Some(before);
            }
        }
        report.since = latest.map(|before| diff::since(&before, report));
        Ok(())
    }

    /// Adds a complete and sound report, and returns whether it was added.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] if it cannot be written.
    pub fn add(&self, report: &Report) -> Result<bool> {
        if report.interrupted || !report.is_sound() {
            return Ok(false);
        }
        let Report {
            started, machine, ..
        } = report;
        // A name with colons cannot be written on every system.
        let name = format!("{started}-{}", machine.fingerprint).replace(':', "-");
        let mut file = OutputFile::create(&self.folder.join(name + END))?;
        let text = json::to_json(report)?;
        file.write_all(text.as_bytes())
            .map_err(|cause| cannot_write("the report", cause))?;
        file.commit()?;
        Ok(true)
    }

    fn paths(&self) -> Result<Vec<PathBuf>> {
        let entries =
            fs::read_dir(&self.folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let entries = entries.map_err(|cause| cannot_read(&self.folder, cause))?;
        let names = entries.iter().map(fs::DirEntry::path);
        let is_report = |it: &PathBuf| it.extension().is_some_and(|end| end == &END[1..]);
        Ok(names.filter(is_report).collect())
    }
}

/// Reads a report, if it is of this version of the format.
fn read(path: &Path) -> Result<Option<Report>> {
    let text = fs::read_to_string(path).map_err(|cause| cannot_read(path, cause))?;
    let parsed = json::head(&text).and_then(|head| match head.is_current() {
        true => json::from_json(&text).map(Some),
        false => Ok(None),
    });
    parsed.map_err(|cause| {
        let message = format!("cannot read the report `{}`; remove it", shown_name(path));
        Error::new(ErrorKind::Format, message).with_source(cause)
    })
}

fn cannot_read(path: &Path, cause: std::io::Error) -> Error {
    let message = format!("cannot read `{}`", shown_name(path));
    Error::new(ErrorKind::Source, message).with_source(cause)
}

/// Returns whether two reports measured the same work on the same machine, with any version of keymill.
fn is_comparable(before: &Report, now: &Report) -> bool {
    let of = |it: &Report| (it.plan.clone(), it.tokens.clone());
    let machine = |it: &Machine| Machine {
        fingerprint: String::new(),
        keymill: String::new(),
        ..it.clone()
    };
    of(before) == of(now) && machine(&before.machine) == machine(&now.machine)
}

#[cfg(test)]
mod tests;
