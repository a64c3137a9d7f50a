//! Finds paths by patterns like those of a shell: `logs/*.gz`, `.hidden*`, `**/*.txt`.
//!
//! The names in a folder are matched one by one with the `glob` crate's patterns. Its own directory
//! walk is not used, because it stops at a name that is not UTF-8 and matches no name that begins with
//! a dot.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf, is_separator};

use glob::{MatchOptions, Pattern};

use super::find::cannot_open;
use crate::Result;

const LIKE_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One part of a pattern, between separators.
pub(super) enum Part {
    /// A name without wildcards.
    Name(OsString),
    /// A pattern for names.
    Matching(Pattern),
    /// `**`: a folder and all its subfolders.
    Deep,
}

/// Returns whether a path contains wildcards.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(has_wildcards)
}

fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Returns the matching paths, ordered by name; none if `path` is not a valid pattern.
///
/// Bytes that are not UTF-8 match as U+FFFD.
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

/// Returns whether a name matches. Only a pattern that begins with a dot matches a hidden name; for `glob`
/// alone, `*.*` matches `.git`.
pub(super) fn is_match(pattern: &Pattern, name: &str) -> bool {
    let may_be_hidden = pattern.as_str().starts_with('.');
    (may_be_hidden || !name.starts_with('.')) && pattern.matches_with(name, LIKE_A_SHELL)
}

/// Splits a pattern into parts. The flag says that it ends with a separator and matches only folders.
pub(super) fn parse(text: &str) -> Option<(Vec<Part>, bool)> {
    let parts = Path::new(text)
        .components()
        .map(|component| match component {
            Component::Normal(name) => match name.to_str()? {
                "**" => Some(Part::Deep),
                name if has_wildcards(name) => Pattern::new(name).ok().map(Part::Matching),
                _ => Some(Part::Name(name.to_owned())),
            },
            other => Some(Part::Name(other.as_os_str().to_owned())),
        });
    let parts = parts.collect::<Option<Vec<Part>>>()?;
    has_wildcards(text).then_some((parts, text.ends_with(is_separator)))
}

/// Adds the paths that a part matches below `path`.
fn follow(part: &Part, path: PathBuf, next: &mut Vec<PathBuf>) -> Result<()> {
    match part {
        Part::Name(name) => {
            let path = path.join(name);
            if path.symlink_metadata().is_ok() {
                next.push(path);
            }
        }
        Part::Matching(pattern) => {
            let matches = |name: &OsString| is_match(pattern, &name.to_string_lossy());
            let names = names_in(&path)?.into_iter().filter(matches);
            next.extend(names.map(|name| path.join(name)));
        }
        Part::Deep => folders(path, next)?,
    }
    Ok(())
}

/// Adds a folder and its subfolders, except hidden ones. Symlinks to folders are not followed.
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

/// Returns the ordered names in a folder; none if the path is not a folder.
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
    fn patterns_match_like_a_shell() {
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
            ("*.*", &["a.txt", "b.log"]),
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
    fn names_that_are_not_utf8_are_matched() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let odd = folder
            .path()
            .join(std::ffi::OsStr::from_bytes(b"a\xff.txt"));
        if fs::write(&odd, "x").is_err() {
            eprintln!("skipped: this file system allows only UTF-8 names");
            return;
        }
        fs::write(folder.path().join("b.txt"), "x").unwrap();
        assert_eq!(matches(&folder.path().join("b*")).unwrap().len(), 1);
        assert_eq!(matches(&folder.path().join("a*")).unwrap(), [odd]);
    }
}
