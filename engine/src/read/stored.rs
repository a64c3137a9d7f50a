//! Finds the files of a storage by path, by pattern, and in folders.
#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::find::{Find, Found, cannot_open};
use super::pattern::{Part, is_match, parse};
use super::storage::join;
use super::{Storage, StoragePath, StoredFile};
use crate::{Error, ErrorKind, Result};

/// The files of a path or a pattern, ordered by name.
///
/// # Errors
///
/// [`ErrorKind::Source`] if there is none, or if it is a folder and `how` does not read folders; and those
/// of the storage.
pub(super) fn find(place: &StoragePath, how: Find) -> Result<Vec<Found>> {
    let storage = &place.storage;
    let files = match storage.find(&place.path)? {
        Some(file) => vec![file],
        None => matches(place)?,
    };
    let mut found = Vec::new();
    for file in files {
        match (file.is_folder(), how.recursive) {
            (false, _) => found.push(file),
            (true, true) => folder(&**storage, &file.path, &mut found)?,
            (true, false) => return Err(is_folder(&storage.url(&file.path))),
        }
    }
    Ok(found.into_iter().map(|it| of(storage, it)).collect())
}

/// A file of a storage as one that was found.
pub(super) fn of(storage: &Arc<dyn Storage>, file: StoredFile) -> Found {
    Found {
        path: storage.url(&file.path).into(),
        size: file.size,
        is_stdin: false,
        stored: Some((storage.clone(), file)),
    }
}

fn is_folder(url: &str) -> Error {
    let message = format!("`{url}` is a folder, and reading folders is not enabled");
    let cause = io::Error::from(io::ErrorKind::IsADirectory);
    Error::new(ErrorKind::Source, message).with_source(cause)
}

/// Adds all files in a folder and its subfolders.
fn folder(storage: &dyn Storage, path: &str, found: &mut Vec<StoredFile>) -> Result<()> {
    for file in listed(storage, path)? {
        match file.is_folder() {
            true => folder(storage, &file.path, found)?,
            false => found.push(file),
        }
    }
    Ok(())
}

/// What is in a folder, ordered by name.
fn listed(storage: &dyn Storage, folder: &str) -> Result<Vec<StoredFile>> {
    let mut files = storage.list(folder)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The matches of a pattern.
fn matches(place: &StoragePath) -> Result<Vec<StoredFile>> {
    let url = place.url();
    let Some((parts, wants_folder)) = parse(&place.path) else {
        let cause = io::ErrorKind::NotFound.into();
        return Err(cannot_open(&PathBuf::from(url), cause));
    };
    let mut found = vec![StoredFile::folder("")];
    for part in &parts {
        let mut next = Vec::new();
        for file in found.iter().filter(|it| it.is_folder()) {
            follow(&*place.storage, part, &file.path, &mut next)?;
        }
        found = next;
    }
    found.retain(|file| file.is_folder() || !wants_folder);
    // Names without wildcards after the last pattern may not be there.
    let mut files = Vec::new();
    for file in found {
        files.extend(match file.is_folder() {
            true => place.storage.find(&file.path)?,
            false => Some(file),
        });
    }
    match files.is_empty() {
        true => {
            let message = format!("no file is called `{url}` or matches it; check the pattern");
            Err(Error::new(ErrorKind::Source, message))
        }
        false => Ok(files),
    }
}

/// Adds what a part of a pattern matches in a folder.
fn follow(
    storage: &dyn Storage,
    part: &Part,
    folder: &str,
    next: &mut Vec<StoredFile>,
) -> Result<()> {
    match part {
        // Whether it is there is seen when something is read in it.
        Part::Name(name) => next.push(StoredFile::folder(join(folder, &name.to_string_lossy()))),
        Part::Matching(pattern) => {
            let files = existing(storage, folder)?.into_iter();
            next.extend(files.filter(|it| is_match(pattern, it.name())));
        }
        Part::Deep => folders(storage, folder, next)?,
    }
    Ok(())
}

/// Adds a folder and its subfolders, except hidden ones.
fn folders(storage: &dyn Storage, folder: &str, next: &mut Vec<StoredFile>) -> Result<()> {
    next.push(StoredFile::folder(folder));
    for file in existing(storage, folder)? {
        if file.is_folder() && !file.name().starts_with('.') {
            folders(storage, &file.path, next)?;
        }
    }
    Ok(())
}

/// What is in a folder; nothing if there is no such folder.
fn existing(storage: &dyn Storage, folder: &str) -> Result<Vec<StoredFile>> {
    match storage.find(folder)? {
        Some(file) if file.is_folder() => listed(storage, folder),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use super::*;
    use crate::read::{FileSource, Offset, ReadAt, Source, SplitBytes};

    /// Paths and texts. Folders are there by their files.
    struct Paths(BTreeMap<&'static str, &'static [u8]>);

    struct Bytes(&'static [u8]);

    impl ReadAt for Bytes {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
            io::Read::read(&mut &self.0[at as usize..], into)
        }
    }

    impl Storage for Paths {
        fn scheme(&self) -> &'static str {
            "paths"
        }

        fn url(&self, path: &str) -> String {
            format!("paths:/{path}")
        }

        fn list(&self, folder: &str) -> Result<Vec<StoredFile>> {
            let inside = |path: &&str| {
                let rest = path.strip_prefix(folder)?;
                let rest = rest.trim_start_matches('/');
                let name = rest.split('/').next()?;
                let is_file = name.len() == rest.len();
                let full = join(folder, name);
                Some(match is_file {
                    true => {
                        StoredFile::file(full, self.0[path].len() as u64, SystemTime::UNIX_EPOCH)
                    }
                    false => StoredFile::folder(full),
                })
            };
            let mut files: Vec<StoredFile> = self.0.keys().filter_map(inside).collect();
            files.dedup();
            files.reverse();
            Ok(files)
        }

        fn find(&self, path: &str) -> Result<Option<StoredFile>> {
            if let Some(bytes) = self.0.get(path) {
                let size = bytes.len() as u64;
                return Ok(Some(StoredFile::file(path, size, SystemTime::UNIX_EPOCH)));
            }
            let below = join(path, "");
            let has = path.is_empty() || self.0.keys().any(|it| it.starts_with(&below));
            Ok(has.then(|| StoredFile::folder(path.trim_end_matches('/'))))
        }

        fn open(&self, file: &StoredFile) -> Result<Box<dyn ReadAt>> {
            Ok(Box::new(Bytes(self.0[file.path.as_str()])))
        }
    }

    fn paths() -> StoragePath {
        let files = [
            ("a.txt", &b"to be or"[..]),
            ("b.log", b"not"),
            ("in/c.txt", b"to be"),
            ("in/er/d.txt", b""),
            (".git/e.txt", b"no"),
        ];
        StoragePath::new(Arc::new(Paths(files.into())), "")
    }

    fn found(path: &str, recursive: bool) -> Result<Vec<String>> {
        let place = StoragePath::new(paths().storage, path);
        let how = Find {
            recursive,
            ..Find::default()
        };
        let found = find(&place, how)?.into_iter();
        Ok(found.map(|it| it.stored.unwrap().1.path).collect())
    }

    #[test]
    fn patterns_match_like_a_shell() {
        for (pattern, expected) in [
            ("a.txt", &["a.txt"][..]),
            ("*.txt", &["a.txt"]),
            ("?.[a-l]*", &["b.log"]),
            ("*/*.txt", &["in/c.txt"]),
            ("**/*.txt", &["a.txt", "in/c.txt", "in/er/d.txt"]),
            (".*/*", &[".git/e.txt"]),
            ("*/c.txt", &["in/c.txt"]),
        ] {
            assert_eq!(found(pattern, false).unwrap(), expected, "{pattern}");
        }
        assert_eq!(found("i*", true).unwrap(), ["in/c.txt", "in/er/d.txt"]);
        for (path, says) in [
            ("none", "check the name"),
            ("none*", "matches it"),
            ("a.txt/*", "matches it"),
            ("*/none", "matches it"),
            ("in", "is a folder"),
            ("i*", "is a folder"),
        ] {
            let error = found(path, false).unwrap_err();
            assert!(error.to_string().contains(says), "{path}: {error}");
        }
    }

    #[test]
    fn files_of_a_storage_are_read_as_local_ones_are() {
        let find = |url: &str| {
            Ok(url
                .strip_prefix("paths:/")
                .map(|path| StoragePath::new(paths().storage, path)))
        };
        let source = FileSource::find_with(&["paths:/*.*".into()], Find::default(), find).unwrap();
        let mut read = Vec::new();
        for split in source.splits().unwrap() {
            let to = source.latest(&split).unwrap();
            let SplitBytes::At(bytes) = source.read(&split, Offset::START..to).unwrap() else {
                panic!("{split:?}");
            };
            let mut text = vec![0; bytes.size() as usize];
            assert_eq!(bytes.read_at(&mut text, 0).unwrap(), text.len());
            read.push((split.name().to_owned(), text));
        }
        let expected = [("paths:/a.txt", "to be or"), ("paths:/b.log", "not")];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        assert_eq!(read, expected);
        let engine = crate::Engine::new().unwrap();
        let tokens = engine
            .read_source(source)
            .tokenize(crate::TokenRule::Whitespace);
        let counts = tokens.count_by_key().collect().unwrap();
        assert_eq!((counts.len(), counts.get("not")), (4, Some(1)));
    }
}
