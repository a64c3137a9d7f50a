//! Files of the log.
//!
//! ```text
//! START.log = form, then for each body: length, CRC-32, bytes
//! ```
//!
//! The name is the offset of the first byte of the first body. A file is only appended to by the process
//! that made it.
#![forbid(unsafe_code)]

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The first bytes of a file.
const FORM: &[u8] = b"keymill http log 1\n";

/// The bytes before each body.
const HEAD: u64 = 12;

/// A body in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Where its head is.
    position: u64,
    pub(super) bytes: u64,
}

/// The file that is appended to.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// The end of what is whole.
    end: u64,
}

impl Segment {
    /// Makes a file for bodies from an offset on.
    pub(super) fn create(folder: &Path, start: u64) -> io::Result<Self> {
        let path = folder.join(format!("{start:020}.log"));
        // A file of this name has no whole body, or its start would be an earlier offset.
        let mut file = File::create(&path)?;
        file.write_all(FORM)?;
        file.sync_data()?;
        sync_folder(folder)?;
        Ok(Self {
            path,
            file,
            end: FORM.len() as u64,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.end
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes bodies, and makes them durable. After an error, [`Segment::undo`] removes what was written.
    pub(super) fn append(&mut self, bodies: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let mut end = self.end;
        for body in bodies {
            let body = body.as_ref();
            let bytes = body.len() as u64;
            let mut head = [0; HEAD as usize];
            head[..8].copy_from_slice(&bytes.to_le_bytes());
            head[8..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
            self.file.write_all(&head)?;
            self.file.write_all(body)?;
            end += HEAD + bytes;
        }
        self.file.sync_data()?;
        self.end = end;
        Ok(())
    }

    /// Removes what was not written as a whole.
    pub(super) fn undo(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.sync_data()
    }
}

/// Reads a body again.
pub(super) fn read(place: &Place) -> io::Result<Vec<u8>> {
    let mut file = File::open(&place.path)?;
    file.seek(SeekFrom::Start(place.position))?;
    match next(&mut file)? {
        Some(body) if body.len() as u64 == place.bytes => Ok(body),
        _ => Err(damaged()),
    }
}

/// Locks a log, which is made if it is not there; `None` if another query has it, which may append and remove. The
/// system frees it when the process ends.
pub(super) fn lock(folder: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

/// The whole bodies of all files, in order, with the offset of each. What a kill has cut off is removed.
pub(super) fn scan(folder: &Path) -> io::Result<Vec<(u64, Place)>> {
    fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|it| it.to_str());
        let start = name.and_then(|it| it.strip_suffix(".log")?.parse::<u64>().ok());
        files.extend(start.map(|start| (start, path)));
    }
    files.sort_unstable();
    let mut all = Vec::new();
    for (start, path) in files {
        all.extend(scan_file(start, &path)?);
    }
    Ok(all)
}

fn scan_file(mut offset: u64, path: &Path) -> io::Result<Vec<(u64, Place)>> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut form = vec![0; FORM.len()];
    if length < FORM.len() as u64 {
        return Ok(Vec::new());
    }
    file.read_exact(&mut form)?;
    if form != FORM {
        return Err(damaged());
    }
    let (mut places, mut position) = (Vec::new(), FORM.len() as u64);
    while let Some(body) = next(&mut file)? {
        let bytes = body.len() as u64;
        let path = path.to_owned();
        places.push((
            offset,
            Place {
                path,
                position,
                bytes,
            },
        ));
        offset += bytes;
        position += HEAD + bytes;
    }
    if position < length {
        refuse_damage(&mut file, position, length)?;
        file.set_len(position)?;
        file.sync_data()?;
    }
    Ok(places)
}

/// The body at the position of the file; `None` if it is not whole.
fn next(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    Read::by_ref(file).take(HEAD).read_to_end(&mut head)?;
    let Ok(head) = <[u8; HEAD as usize]>::try_from(head) else {
        return Ok(None);
    };
    let (length, checksum) = head.split_at(8);
    let length = u64::from_le_bytes(length.try_into().map_err(|_| damaged())?);
    let mut body = Vec::new();
    Read::by_ref(file).take(length).read_to_end(&mut body)?;
    let is_whole = length > 0
        && body.len() as u64 == length
        && crc32fast::hash(&body).to_le_bytes() == *checksum;
    Ok(is_whole.then_some(body))
}

/// A body that is not whole with whole ones after it was not cut off by a kill.
fn refuse_damage(file: &mut File, position: u64, length: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = [0; 8];
    if position + HEAD > length || file.read_exact(&mut bytes).is_err() {
        return Ok(());
    }
    let after = position
        .saturating_add(HEAD)
        .saturating_add(u64::from_le_bytes(bytes));
    if after >= length {
        return Ok(());
    }
    file.seek(SeekFrom::Start(after))?;
    match next(file)? {
        Some(_) => Err(damaged()),
        None => Ok(()),
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the log is damaged: a checksum is wrong",
    )
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    // Other systems cannot sync folders.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(folder: &Path) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let found = scan(folder)?;
        found
            .iter()
            .map(|(start, place)| Ok((*start, read(place)?)))
            .collect()
    }

    fn whole() -> Vec<(u64, Vec<u8>)> {
        vec![(7, b"to be\n".to_vec()), (13, b"or\n".to_vec())]
    }

    fn written(folder: &Path) -> PathBuf {
        let mut segment = Segment::create(folder, 7).unwrap();
        segment.append(&["to be\n", "or\n"]).unwrap();
        segment.path
    }

    #[test]
    fn a_log_is_of_one_query() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap().unwrap();
        assert!(lock(folder.path()).unwrap().is_none());
        drop(first);
        assert!(lock(folder.path()).unwrap().is_some());
        assert_eq!(bodies(folder.path()).unwrap(), []);
    }

    #[test]
    fn a_cut_end_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let bytes = fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let found = bodies(folder.path()).unwrap();
            assert_eq!(found, whole()[..found.len()], "{length}");
            assert_eq!(found.len() == 2, length == bytes.len());
            // The second scan finds the same, and the file ends with it.
            assert_eq!(bodies(folder.path()).unwrap(), found);
        }
        // Zeros that a file system has left after a crash.
        fs::write(&path, [&bytes[..], &[0; 40]].concat()).unwrap();
        assert_eq!(bodies(folder.path()).unwrap(), whole());
    }

    #[test]
    fn a_flipped_bit_before_whole_bodies_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let bytes = fs::read(&path).unwrap();
        let first = FORM.len() + HEAD as usize;
        for bit in 8 * (FORM.len() + 8)..8 * (first + 6) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            assert!(scan(folder.path()).is_err(), "{bit}");
        }
        fs::write(&path, "something else, and long enough").unwrap();
        assert!(scan(folder.path()).is_err());
    }
}
