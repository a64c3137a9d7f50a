//! The data that is measured: a file of the caller's, seeded texts, seeded rows.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use keymill::probe::Resident;
use keymill::read::{FileSource, Find, Offset, ReadAt, Source, SplitBytes};
use keymill::shown_name;
use keymill::{Error, ErrorKind, Result};
use keymill_datasets::{Ranks, Rng, Skew};

use crate::figures::size;
use crate::model::{Data, Kind, Subject};
use crate::plan::{FULL, KEYS, Plan, QUICK, RowSet};

/// A row is a key and a value of 8 bytes each.
const ROW_BYTES: u64 = 16;

/// A row whose key is a text has 16 bytes of that, 8 that say where it lies, and a value.
const TEXT_ROW_BYTES: u64 = 32;

/// A key that is dealt out.
const KEY_BYTES: u64 = 4;
const KEYS_PART: u64 = ROW_BYTES / KEY_BYTES;

/// Rows of less than this are too few to be timed.
const LEAST_ROWS: u64 = 64 << 10;

/// How far from where it should end a text is searched for the end of a line.
const LINE: usize = 4096;

/// Where data comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// It is here already.
    Given(Text),
    /// It is to be made.
    Seeded(&'static keymill_datasets::Dataset),
    /// It is to be drawn.
    Rows(RowSet),
    /// 32-bit keys that are to be drawn.
    Keys,
}

impl Origin {
    /// What is done with it, what matters most first.
    pub(crate) fn subjects(&self) -> &'static [Subject] {
        match self {
            Self::Given(_) | Self::Seeded(_) => {
                &[Subject::Count, Subject::Frame, Subject::Tokenize]
            }
            Self::Rows(_) => &[Subject::ReduceByKey],
            Self::Keys => &[Subject::HashPartition],
        }
    }
}

/// Text that is shared, so that a part of it takes no memory.
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

    /// The beginning, of at most so many bytes: up to the end of a line if one is near, else of a
    /// word if one is.
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
    let behind = |is_end: fn(&u8) -> bool| {
        let place = text[near..].iter().rposition(is_end)?;
        Some(near + place + 1)
    };
    behind(|byte| *byte == b'\n')
        .or_else(|| behind(u8::is_ascii_whitespace))
        .unwrap_or(text.len())
}

/// All data of a plan: text first, then rows. Remarks about it go to `notes`.
pub(crate) fn choose(
    plan: &Plan,
    file: Option<&Path>,
    largest: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<(Data, Origin)>> {
    let mut all = match file {
        Some(path) => vec![given(path, largest, notes)?],
        None => plan
            .texts
            .iter()
            .filter_map(|name| seeded(name, largest))
            .collect(),
    };
    // Rows beside a file are no larger than it is, as nobody asked for them.
    let largest = match file {
        Some(_) => all
            .iter()
            .map(|(data, _)| data.bytes)
            .max()
            .unwrap_or(largest)
            .max(LEAST_ROWS),
        None => largest,
    };
    // A quarter as many bytes are as many rows: each has a key of 4 bytes where others have 16.
    all.push((keys(largest / KEYS_PART), Origin::Keys));
    let row_sets = plan.rows.iter();
    all.extend(row_sets.map(|set| (rows(set, largest), Origin::Rows(*set))));
    Ok(all)
}

/// Keys that are dealt out.
pub(crate) fn keys(bytes: u64) -> Data {
    Data {
        name: KEYS.to_owned(),
        kind: Kind::Keys,
        description: "32-bit keys, drawn from all there are, of rows whose numbers are dealt out"
            .to_owned(),
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

pub(crate) fn rows(set: &RowSet, bytes: u64) -> Data {
    let how = match set.is_zipf {
        true => "drawn by Zipf's law",
        false => "drawn evenly",
    };
    let (kind, keys_are) = match set.is_text {
        true => (Kind::TextRows, "keys that are texts of 16 bytes"),
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

/// Reads a file as a count does, decompressed, no further than is measured.
fn given(path: &Path, largest: u64, notes: &mut Vec<String>) -> Result<(Data, Origin)> {
    // One byte more tells whether there is more.
    let bytes = read(path, largest.saturating_add(1))?;
    if bytes.is_empty() {
        let shown = shown_name(path);
        let message = format!("`{shown}` is empty: there is nothing to measure");
        return Err(Error::new(ErrorKind::Source, message));
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = apart(shown_name(name));
    let is_cut = bytes.len() as u64 > largest;
    let text = Text::new(bytes).first(largest);
    let description = match is_cut {
        true => format!("the first {} of the file", size(text.bytes())),
        false => "the whole file".to_owned(),
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

/// The name of a file that is called as data that is made would have the figures of both.
fn apart(name: String) -> String {
    let mut rows = QUICK.rows.iter().chain(FULL.rows);
    let is_made =
        name == KEYS || rows.any(|set| set.name == name) || keymill_datasets::find(&name).is_some();
    match is_made {
        true => format!("{name} (file)"),
        false => name,
    }
}

/// The first bytes of what is in a file.
fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let source = FileSource::find(&[path.to_owned()], Find::default())?;
    let fault = |cause: io::Error| {
        let message = format!("cannot read `{}`", shown_name(path));
        Error::new(ErrorKind::Source, message).with_source(cause)
    };
    let mut bytes = Vec::new();
    // A name may be a pattern, and stand for several files.
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

/// Draws rows; fewer are the beginning of more.
pub(crate) fn draw_rows(set: &RowSet, bytes: u64) -> Result<Resident> {
    let mut rng = Rng::new(1);
    let ranks = set
        .is_zipf
        .then(|| Ranks::zipf(u32::try_from(set.keys).unwrap_or(u32::MAX), Skew::ONE));
    let row = |_| {
        let rank = match &ranks {
            Some(ranks) => ranks.draw(&mut rng) as u64,
            None => rng.below(set.keys),
        };
        // Spread over all 64 bits, as identifiers are.
        let key = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (key, (key >> 54) as i64 - 512)
    };
    let row_bytes = match set.is_text {
        true => TEXT_ROW_BYTES,
        false => ROW_BYTES,
    };
    let (keys, values): (Vec<u64>, Vec<i64>) = (0..bytes / row_bytes).map(row).unzip();
    match set.is_text {
        true => Resident::keyed(keys.iter().map(|key| format!("{key:016x}")), values),
        false => Resident::rows(keys, values),
    }
}

/// Draws keys; fewer are the beginning of more.
pub(crate) fn draw_keys(bytes: u64) -> Resident {
    let mut rng = Rng::new(1);
    let keys = (0..bytes / KEY_BYTES).map(|_| (rng.next_u64() >> 32) as u32);
    Resident::keys(keys.collect::<Vec<u32>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{UNIFORM, ZIPF};

    #[test]
    fn a_part_ends_with_a_line_or_else_a_word() {
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
    fn a_file_is_read_as_far_as_it_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.txt");
        std::fs::write(&path, "one two three four").unwrap();
        let mut notes = Vec::new();
        let (data, _) = given(&path, 9, &mut notes).unwrap();
        assert_eq!((data.name.as_str(), data.bytes), ("words.txt", 8));
        assert_eq!(notes.len(), 1);
        let (data, _) = given(&path, 18, &mut notes).unwrap();
        assert_eq!((data.bytes, notes.len()), (18, 1));
        // The head of a gzip file, and nothing behind it.
        std::fs::write(&path, [0x1f, 0x8b, 8]).unwrap();
        assert!(given(&path, 100, &mut notes).is_err());
        std::fs::write(&path, "").unwrap();
        let empty = given(&path, 100, &mut notes).unwrap_err();
        assert!(empty.to_string().contains("is empty"));
        assert!(given(folder.path(), 100, &mut notes).is_err());
    }

    #[test]
    fn a_file_is_kept_apart_from_made_data_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["zipf-30k", "rows-10m", KEYS] {
            let path = folder.path().join(name);
            std::fs::write(&path, "to be or not").unwrap();
            let (data, _) = given(&path, 100, &mut Vec::new()).unwrap();
            assert_eq!((data.name, data.is_given), (format!("{name} (file)"), true));
        }
    }

    #[test]
    fn rows_have_the_size_that_was_asked_for() {
        assert_eq!(draw_rows(&UNIFORM, 1 << 16).unwrap().bytes(), 1 << 16);
        assert_eq!(draw_rows(&ZIPF, 1 << 16).unwrap().bytes(), 1 << 16);
        let texts = RowSet {
            is_text: true,
            ..UNIFORM
        };
        assert_eq!(draw_rows(&texts, 1 << 16).unwrap().bytes(), 1 << 16);
        assert_eq!(draw_keys(1 << 16).bytes(), 1 << 16);
    }

    #[test]
    fn what_is_compressed_is_measured_unpacked() {
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
