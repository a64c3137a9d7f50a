//! Ends at once although much lies on disk.
//!
//! What was spilled is in files without a name, and the last process that has one open waits while
//! the system frees its pages: a second for some gigabytes. So an interrupted process leaves these
//! files to another one, which has nothing to do but to end after it.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

/// Names, to a process that is to hold files, the one that it was started by.
const HELD_FOR: &str = "KEYMILL_HELD_FOR";

/// A file up to this size is freed soon enough.
const SOON_FREED: u64 = 64 << 20;

/// How often a process looks whether the other has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// Tells whether this process was started to hold files. If so it has done that already: the other
/// process has ended.
pub(crate) fn has_held() -> bool {
    let Some(other) = std::env::var_os(HELD_FOR) else {
        return false;
    };
    while other == OsStr::new(&parent_id().to_string()) {
        thread::sleep(PAUSE);
    }
    true
}

/// Leaves large files that have lost their name to a process that ends after this one.
///
/// Where that cannot be started, this one takes longer to end.
pub(crate) fn leave_files() {
    let files = nameless_files(SOON_FREED);
    let are_passed_on = |file: &File| fcntl_setfd(file, FdFlags::empty()).is_ok();
    if files.is_empty() || !files.iter().all(are_passed_on) {
        return;
    }
    let _ = Command::new("/proc/self/exe")
        .env(HELD_FOR, std::process::id().to_string())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

/// The open files of more than so many bytes that have lost their name, opened once more.
fn nameless_files(bytes: u64) -> Vec<File> {
    let is_wanted = |path: &PathBuf| {
        // Files alone may be opened: opening a pipe could wait for ever.
        fs::metadata(path).is_ok_and(|found| {
            found.is_file() && found.nlink() == 0 && found.blocks().saturating_mul(512) > bytes
        })
    };
    let open = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let paths = open.map(|entry| entry.path()).filter(is_wanted);
    paths.filter_map(|path| File::open(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn large_files_without_a_name_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |mut file: &File, bytes: usize| file.write_all(&vec![1; bytes]).unwrap();
        let nameless = tempfile::tempfile_in(&folder).unwrap();
        let small = tempfile::tempfile_in(&folder).unwrap();
        let named = File::create(folder.path().join("named")).unwrap();
        write(&nameless, 3 << 20);
        write(&small, 1 << 10);
        write(&named, 3 << 20);
        // A file system may be slow to say how much it keeps.
        for file in [&nameless, &small, &named] {
            file.sync_all().unwrap();
        }
        let number = |file: &File| file.metadata().unwrap().ino();
        let found: Vec<_> = nameless_files(2 << 20).iter().map(number).collect();
        assert!(found.contains(&number(&nameless)));
        assert!(!found.contains(&number(&small)) && !found.contains(&number(&named)));
    }
}
