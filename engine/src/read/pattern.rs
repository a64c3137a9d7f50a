//! Paths by pattern, as a shell matches them: `logs/*.gz`, `.hidden*`, `**/*.txt`.
//!
//! The names of a folder are matched one by one, by the `glob` crate's patterns. Its own walk of
//! folders cannot be used: it stops at a name that is not UTF-8, and matches no name that begins with
//! a dot.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf, is_separator};

use glob::{MatchOptions, Pattern};

use super::find::cannot_open;
use crate::Result;

/// A hidden name is matched only by a pattern that begins with the dot.
const LIKE_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One part of a pattern, between separators.
enum Part {
    /// This name.
    Name(OsString),
    /// All names that match.
    Matching(Pattern),
    /// This folder and all folders in it.
    Deep,
}

/// Tells whether a path may be a pattern.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(has_marks)
}

fn has_marks(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The paths that match, in the order of their names; none if it is no pattern.
///
/// A byte that is not UTF-8 is matched as one or more unknown characters.
///
/// # Errors
///
/// [`crate::ErrorKind::Source`] naming a folder that cannot be read.
pub(super) fn matches(path: &Path) -> Result<Vec<PathBuf>> {
    let Some((parts, wants_folder)) = path.to_str().and_then(parse) else {
        return Ok(Vec::new());
    };
    let mut found = vec![PathBuf::new()];
    for part in &parts {
        let mut next = Vec::new();
        for path in found {
            follow(part, path, &mut next)?;
        }
        found = next;
    }
    found.retain(|path| !wants_folder || path.is_dir());
    Ok(found)
}

/// The parts of a pattern, and whether it ends as only a folder's name may.
fn parse(text: &str) -> Option<(Vec<Part>, bool)> {
    let parts = Path::new(text)
        .components()
        .map(|component| match component {
            Component::Normal(name) => match name.to_str()? {
                "**" => Some(Part::Deep),
                name if has_marks(name) => Pattern::new(name).ok().map(Part::Matching),
                _ => Some(Part::Name(name.to_owned())),
            },
            other => Some(Part::Name(other.as_os_str().to_owned())),
        });
    let parts = parts.collect::<Option<Vec<Part>>>()?;
    has_marks(text).then_some((parts, text.ends_with(is_separator)))
}

/// What a part leads to from a path.
fn follow(part: &Part, path: PathBuf, next: &mut Vec<PathBuf>) -> Result<()> {
    match part {
        Part::Name(name) => {
            let path = path.join(name);
            if path.symlink_metadata().is_ok() {
                next.push(path);
            }
        }
        Part::Matching(pattern) => {
            let is_match =
                |name: &OsString| pattern.matches_with(&name.to_string_lossy(), LIKE_A_SHELL);
            let names = names_in(&path)?.into_iter().filter(is_match);
            next.extend(names.map(|name| path.join(name)));
        }
        Part::Deep => folders(path, next)?,
    }
    Ok(())
}

/// A folder and the folders in it, but for hidden ones; linked folders are not entered.
fn folders(path: PathBuf, next: &mut Vec<PathBuf>) -> Result<()> {
    let names = names_in(&path)?;
    next.push(path.clone());
    for name in names {
        let below = path.join(&name);
        let is_folder = below.symlink_metadata().is_ok_and(|it| it.is_dir());
        if is_folder && !name.to_string_lossy().starts_with('.') {
            folders(below, next)?;
        }
    }
    Ok(())
}

/// The names in a folder, in order; none in what is no folder.
fn names_in(path: &Path) -> Result<Vec<OsString>> {
    let folder = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    let entries = fs::read_dir(folder).and_then(|entries| {
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        names.collect::<io::Result<Vec<_>>>()
    });
    match entries {
        Ok(mut names) => {
            names.sort();
            Ok(names)
        }
        Err(_) if !folder.is_dir() => Ok(Vec::new()),
        Err(cause) => Err(cannot_open(folder, cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(folder: &Path, pattern: &str) -> Vec<String> {
        let found = matches(&folder.join(pattern)).unwrap().into_iter();
        let shown = found.map(|path| path.strip_prefix(folder).unwrap().display().to_string());
        shown.collect()
    }

    #[test]
    fn patterns_match_as_a_shell_s() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for name in [
            "a.txt",
            "b.log",
            ".hidden",
            "in/c.txt",
            "in/er/d.txt",
            ".git/e.txt",
        ] {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), "x").unwrap();
        }
        for (pattern, found) in [
            ("*", &["a.txt", "b.log", "in"][..]),
            ("*.txt", &["a.txt"]),
            (".h*", &[".hidden"]),
            (".*/*", &[".git/e.txt"]),
            ("?.[a-l]*", &["b.log"]),
            ("*/", &["in"]),
            ("*/*.txt", &["in/c.txt"]),
            ("**/*.txt", &["a.txt", "in/c.txt", "in/er/d.txt"]),
            ("in/**", &["in", "in/er"]),
            ("a.txt/*", &[]),
            ("none*", &[]),
            ("[", &[]),
            ("a.txt", &[]),
        ] {
            assert_eq!(matching(folder, pattern), found, "{pattern}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf_8_is_a_name() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let odd = folder
            .path()
            .join(std::ffi::OsStr::from_bytes(b"a\xff.txt"));
        // Some file systems have no such names.
        if fs::write(&odd, "x").is_err() {
            eprintln!("skipped: this file system has no such names");
            return;
        }
        fs::write(folder.path().join("b.txt"), "x").unwrap();
        assert_eq!(matches(&folder.path().join("b*")).unwrap().len(), 1);
        assert_eq!(matches(&folder.path().join("a*")).unwrap(), [odd]);
    }
}
