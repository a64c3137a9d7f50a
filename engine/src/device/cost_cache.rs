//! A cache of device costs, stored in a file between processes.
//!
//! One line for each device and kind of job: the device, the kind, seconds to start, seconds per
//! byte, and the number of jobs that skipped the device since the measurement. Lines that cannot be
//! parsed are ignored.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::join_policy::Cost;

const HEAD: &str = "keymill devices 1";

/// A device identity (name, driver, shaders) and a kind of job.
type Name = (String, String);

/// Costs by device and kind of job.
#[derive(Debug, Default)]
pub(crate) struct CostCache {
    file: Option<PathBuf>,
    known: Mutex<BTreeMap<Name, Cost>>,
}

impl CostCache {
    /// Creates a cache with the costs in a file. Later changes are written to that file.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        let known = file.as_deref().map(read).unwrap_or_default();
        Self {
            file,
            known: Mutex::new(known),
        }
    }

    pub(crate) fn get(&self, device: &str, job: &str) -> Option<Cost> {
        self.lock().get(&name(device, job)).copied()
    }

    /// Stores a cost, and writes the file. Write errors are ignored.
    pub(crate) fn set(&self, device: &str, job: &str, cost: Cost) {
        let (name, mut known) = (name(device, job), self.lock());
        if known.insert(name.clone(), cost) == Some(cost) {
            return;
        }
        if let Some(file) = &self.file {
            // Another process may have written the file in the meantime.
            let mut all = read(file);
            all.insert(name, cost);
            let _ = write(file, &all);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Cost>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(device: &str, job: &str) -> Name {
    // Drivers choose the names, so they may contain separators.
    let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    (plain(device), plain(job))
}

fn read(file: &Path) -> BTreeMap<Name, Cost> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines();
    match lines.next() {
        Some(HEAD) => lines.filter_map(parse).collect(),
        _ => BTreeMap::new(),
    }
}

fn parse(line: &str) -> Option<(Name, Cost)> {
    let mut parts = line.split('\t');
    let name = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut seconds = || {
        let seconds: f64 = parts.next()?.parse().ok()?;
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
    };
    let (launch, per_byte) = (seconds()?, seconds()?);
    let cost = Cost {
        launch,
        per_byte,
        jobs_skipped: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some((name, cost))
}

/// Replaces the file atomically: another process may read it at any time.
fn write(file: &Path, known: &BTreeMap<Name, Cost>) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(new, "{HEAD}")?;
    for ((device, job), cost) in known {
        let Cost {
            launch,
            per_byte,
            jobs_skipped,
        } = cost;
        writeln!(
            new,
            "{device}\t{job}\t{launch:e}\t{per_byte:e}\t{jobs_skipped}"
        )?;
    }
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost {
        launch: 0.000_25,
        per_byte: 1.0 / 3e9,
        jobs_skipped: 3,
    };

    #[test]
    fn costs_are_kept_between_processes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/devices");
        let costs = CostCache::new(Some(file.clone()));
        assert_eq!(costs.get("gpu\t1", "count"), None);
        costs.set("gpu\t1", "count", COST);
        costs.set("gpu 2", "count", COST);
        let again = CostCache::new(Some(file));
        assert_eq!(again.get("gpu\t1", "count"), Some(COST));
        assert_eq!(again.get("gpu\t1", "other"), None);
    }

    #[test]
    fn unreadable_files_and_lines_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("devices");
        for text in [
            "",
            "another head\ngpu\tcount\t1\t1\t0\n",
            "keymill devices 1\ngpu\tcount\tNaN\t1\t0\ngpu\tcount\t1\n\u{0}\ngpu\tcount\t-1\t1\t0\n",
        ] {
            std::fs::write(&file, text).unwrap();
            let costs = CostCache::new(Some(file.clone()));
            assert_eq!(costs.get("gpu", "count"), None, "{text}");
        }
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert_eq!(CostCache::new(Some(file)).get("gpu", "count"), None);
        // The parent of this path is a file: nothing is written, and no error is reported.
        let nowhere = CostCache::new(Some(folder.path().join("devices/below/a-file")));
        nowhere.set("gpu", "count", COST);
        assert_eq!(nowhere.get("gpu", "count"), Some(COST));
    }
}
