//! The data that is measured: the caller's file, seeded texts, seeded rows.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keymill::probe::Resident;
use keymill::read::{FileSource, Find, Offset, ReadAt, Source, SplitBytes};
use keymill::shown_name;
use keymill::{Error, ErrorKind, Result};
use keymill_datasets::Rng;

use crate::figures::size;
use crate::model::{Data, Kind, Subject};
use crate::plan::{FULL, KEYS, Plan, QUICK, RowSet};
use crate::recommend::EMPTY;
use crate::rows::ROW_BYTES;

/// Bytes of a key that is partitioned.
const KEY_BYTES: u64 = 4;
const KEYS_PART: u64 = ROW_BYTES / KEY_BYTES;

/// Minimum bytes of rows for a measurement.
const LEAST_ROWS: u64 = 64 << 10;

/// A part of a text ends at a line end within this number of bytes before its planned end.
const LINE: usize = 4096;

/// The origin of data.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The text of the caller's file.
    Given(Text),
    /// A data set that is generated.
    Seeded(&'static keymill_datasets::Dataset),
    /// A table in CSV that is generated.
    Csv(&'static keymill_datasets::Dataset),
    /// Random rows.
    Rows(RowSet),
    /// Random 32-bit keys.
    Keys,
}

impl Origin {
    /// Returns the subjects that are measured with this data, the most important one first.
    pub(crate) fn subjects(&self) -> &'static [Subject] {
        match self {
            Self::Given(_) | Self::Seeded(_) => {
                &[Subject::Count, Subject::Frame, Subject::Tokenize]
            }
            Self::Csv(_) => &[Subject::GroupByCsv],
            Self::Rows(_) => &[Subject::ReduceByKey],
            Self::Keys => &[Subject::HashPartition],
        }
    }
}

/// A shared text. A part of it needs no memory of its own.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    whole: Arc<Vec<u8>>,
    end: usize,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.whole[..self.end]
    }
}

impl Text {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            end: bytes.len(),
            whole: Arc::new(bytes),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.end as u64
    }

    /// Returns at most the first `bytes` bytes. They end with a line or a word, if one ends near.
    pub(crate) fn first(&self, bytes: u64) -> Self {
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        let end = match wanted < self.end {
            true => cut(&self.whole[..wanted]),
            false => self.end,
        };
        Self {
            whole: Arc::clone(&self.whole),
            end,
        }
    }
}

fn cut(text: &[u8]) -> usize {
    let near = text.len().saturating_sub(LINE);
    let after_last = |is_end: fn(&u8) -> bool| {
        let place = text[near..].iter().rposition(is_end)?;
        Some(near + place + 1)
    };
    after_last(|byte| *byte == b'\n')
        .or_else(|| after_last(u8::is_ascii_whitespace))
        .unwrap_or(text.len())
}

/// Returns all data of a plan: texts first, then keys and rows. Remarks are added to `notes`.
pub(crate) fn choose(
    plan: &Plan,
    files: &[PathBuf],
    largest: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<(Data, Origin)>> {
    // All files are in memory at the same time.
    let part = largest / (files.len().max(1) as u64);
    let mut all: Vec<(Data, Origin)> = Vec::new();
    for path in files {
        let (mut data, origin) = given(path, part, notes)?;
        let names: Vec<&str> = all.iter().map(|(data, _)| data.name.as_str()).collect();
        data.name = numbered(&data.name, &names);
        all.push((data, origin));
    }
    if files.is_empty() {
        all.extend(plan.texts.iter().filter_map(|name| seeded(name, largest)));
    }
    // With files, the rows are at most as large as the largest file.
    let largest = match files {
        [] => largest,
        _ => {
            let bytes = all.iter().map(|(data, _)| data.bytes);
            bytes.max().unwrap_or(0).max(LEAST_ROWS)
        }
    };
    // A key has 4 bytes and a row 16. This gives the same number of keys as of rows.
    all.push((keys(largest / KEYS_PART), Origin::Keys));
    let row_sets = plan.rows.iter();
    all.extend(row_sets.map(|set| (rows(set, largest), Origin::Rows(*set))));
    all.extend(plan.tables.iter().filter_map(|name| csv(name, largest)));
    Ok(all)
}

/// Returns a name that no other file has.
fn numbered(name: &str, others: &[&str]) -> String {
    let mut names = (2..).map(|number| format!("{name} ({number})"));
    match others.contains(&name) {
        false => name.to_owned(),
        true => names
            .find(|it| !others.contains(&it.as_str()))
            .unwrap_or_default(),
    }
}

/// Describes the keys that are partitioned.
pub(crate) fn keys(bytes: u64) -> Data {
    Data {
        name: KEYS.to_owned(),
        kind: Kind::Keys,
        description: "random 32-bit keys of rows, whose row numbers are partitioned".to_owned(),
        is_given: false,
        bytes,
    }
}

pub(crate) fn seeded(name: &str, bytes: u64) -> Option<(Data, Origin)> {
    let set = keymill_datasets::find(name)?;
    let data = Data {
        name: name.to_owned(),
        kind: Kind::Text,
        description: set.description.to_owned(),
        is_given: false,
        bytes,
    };
    Some((data, Origin::Seeded(set)))
}

fn csv(name: &str, bytes: u64) -> Option<(Data, Origin)> {
    let set = keymill_datasets::find(name)?;
    let data = Data {
        name: name.to_owned(),
        kind: Kind::Csv,
        description: set.description.to_owned(),
        is_given: false,
        bytes,
    };
    Some((data, Origin::Csv(set)))
}

pub(crate) fn rows(set: &RowSet, bytes: u64) -> Data {
    let how = match set.is_zipf {
        true => "drawn by Zipf's law",
        false => "drawn uniformly",
    };
    let (kind, keys_are) = match set.is_text {
        true => (Kind::TextRows, "text keys of 16 bytes"),
        false => (Kind::Rows, "64-bit keys"),
    };
    Data {
        name: set.name.to_owned(),
        kind,
        description: format!(
            "{keys_are} with 64-bit values, {how} from {} keys",
            set.keys
        ),
        is_given: false,
        bytes,
    }
}

/// Reads and decompresses the part of a file that is measured.
fn given(path: &Path, largest: u64, notes: &mut Vec<String>) -> Result<(Data, Origin)> {
    // One more byte shows whether the file is longer.
    let bytes = read(path, largest.saturating_add(1))?;
    let name = match is_standard_input(path) {
        true => "standard input".to_owned(),
        false => shown_name(path.file_name().unwrap_or(path.as_os_str())),
    };
    let name = distinct_name(name);
    let is_cut = bytes.len() as u64 > largest;
    let text = Text::new(bytes).first(largest);
    let description = match (is_cut, text.bytes()) {
        (true, bytes) => format!("the first {} of the file", size(bytes)),
        (false, 0) => EMPTY.to_owned(),
        (false, _) => "the whole file".to_owned(),
    };
    if is_cut {
        notes.push(format!("Of {name}, {description} were measured."));
    }
    let data = Data {
        name,
        kind: Kind::Text,
        description,
        is_given: true,
        bytes: text.bytes(),
    };
    Ok((data, Origin::Given(text)))
}

/// Marks the name of a file that equals the name of generated data, so that their figures are not
/// mixed.
fn distinct_name(name: String) -> String {
    let mut rows = QUICK.rows.iter().chain(FULL.rows);
    let is_generated =
        name == KEYS || rows.any(|set| set.name == name) || keymill_datasets::find(&name).is_some();
    match is_generated {
        true => format!("{name} (file)"),
        false => name,
    }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads at most the first `most` bytes of a file, decompressed, or of standard input as it is.
fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    if is_standard_input(path) {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(most).read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|cause| {
            Error::new(ErrorKind::Source, "cannot read standard input").with_source(cause)
        });
    }
    let source = FileSource::find(&[path.to_owned()], Find::default())?;
    let fault = |cause: io::Error| {
        let message = format!("cannot read `{}`", shown_name(path));
        Error::new(ErrorKind::Source, message).with_source(cause)
    };
    let mut bytes = Vec::new();
    // The path may be a pattern for several files.
    for split in source.splits()? {
        let room = most - bytes.len() as u64;
        match source.read(&split, Offset::START..source.latest(&split)?)? {
            SplitBytes::Memory(text) => bytes.extend_from_slice(text),
            SplitBytes::At(file) => read_at(&*file, room, &mut bytes).map_err(fault)?,
            SplitBytes::Stream(stream) => {
                stream.take(room).read_to_end(&mut bytes).map_err(fault)?;
            }
        }
    }
    Ok(bytes)
}

fn read_at(file: &dyn ReadAt, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let size = usize::try_from(file.size().min(most)).unwrap_or(usize::MAX);
    let (before, mut at) = (bytes.len(), 0);
    bytes.resize(before + size, 0);
    while at < size {
        match file.read_at(&mut bytes[before + at..], at as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(some) => at += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Generates random keys. A smaller number of keys is a prefix of a larger one.
pub(crate) fn draw_keys(bytes: u64) -> Resident {
    let mut rng = Rng::new(1);
    let keys = (0..bytes / KEY_BYTES).map(|_| (rng.next_u64() >> 32) as u32);
    Resident::keys(keys.collect::<Vec<u32>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_with_a_line_or_a_word() {
        let part = |text: &str, bytes| {
            let text = Text::new(text.into()).first(bytes);
            String::from_utf8(text.as_ref().to_vec()).unwrap()
        };
        assert_eq!(part("one two\nthree four", 10), "one two\n");
        assert_eq!(part("one two three", 9), "one two ");
        assert_eq!(part("onetwothree", 9), "onetwothr");
        assert_eq!(part("one two", 7), "one two");
        assert_eq!(part("one two", u64::MAX), "one two");
    }

    #[test]
    fn only_the_measured_part_of_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.txt");
        std::fs::write(&path, "one two three four").unwrap();
        let mut notes = Vec::new();
        let (data, _) = given(&path, 9, &mut notes).unwrap();
        assert_eq!((data.name.as_str(), data.bytes), ("words.txt", 8));
        assert_eq!(notes.len(), 1);
        let (data, _) = given(&path, 18, &mut notes).unwrap();
        assert_eq!((data.bytes, notes.len()), (18, 1));
        // A gzip header without content.
        std::fs::write(&path, [0x1f, 0x8b, 8]).unwrap();
        assert!(given(&path, 100, &mut notes).is_err());
        std::fs::write(&path, "").unwrap();
        let (empty, _) = given(&path, 100, &mut notes).unwrap();
        assert_eq!(
            (empty.bytes, empty.description.as_str()),
            (0, "an empty file")
        );
        assert!(given(folder.path(), 100, &mut notes).is_err());
    }

    #[test]
    fn a_file_with_the_name_of_generated_data_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["zipf-30k", "rows-10m", KEYS] {
            let path = folder.path().join(name);
            std::fs::write(&path, "to be or not").unwrap();
            let (data, _) = given(&path, 100, &mut Vec::new()).unwrap();
            assert_eq!((data.name, data.is_given), (format!("{name} (file)"), true));
        }
    }

    #[test]
    fn files_of_one_name_are_numbered() {
        assert_eq!(numbered("a", &[]), "a");
        assert_eq!(numbered("a", &["a", "a (2)"]), "a (3)");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        std::fs::write(&path, "to be or not").unwrap();
        let files = [path.clone(), path];
        let all = choose(&QUICK, &files, 1 << 20, &mut Vec::new()).unwrap();
        let names: Vec<&str> = all.iter().map(|(data, _)| data.name.as_str()).collect();
        assert_eq!(names[..3], ["words", "words (2)", KEYS]);
    }

    #[test]
    fn keys_have_the_requested_size() {
        assert_eq!(draw_keys(1 << 16).bytes(), 1 << 16);
    }

    #[test]
    fn compressed_files_are_decompressed() {
        // `printf 'to be or not to be\n' | gzip -n`
        let packed = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x2b, 0xc9, 0x57, 0x48,
            0x4a, 0x55, 0xc8, 0x2f, 0x52, 0xc8, 0xcb, 0x2f, 0x51, 0x28, 0x01, 0x71, 0xb8, 0x00,
            0x7d, 0x3a, 0x57, 0x22, 0x13, 0x00, 0x00, 0x00,
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.gz");
        std::fs::write(&path, packed).unwrap();
        let (data, origin) = given(&path, 100, &mut Vec::new()).unwrap();
        let Origin::Given(text) = origin else {
            panic!("{origin:?}");
        };
        assert_eq!(text.as_ref(), b"to be or not to be\n");
        assert_eq!(
            (data.bytes, data.description.as_str()),
            (19, "the whole file")
        );
    }
}
