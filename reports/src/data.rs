//! The data that is measured: a file of the caller's, seeded texts, seeded rows.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use keymill::probe::Resident;
use keymill::{Error, ErrorKind, Result};
use keymill_datasets::Rng;

use crate::figures::size;
use crate::model::{Data, Kind, Subject};
use crate::plan::Plan;

/// A row is a key and a value of 8 bytes each.
const ROW_BYTES: u64 = 16;

/// A row whose key is a text has 16 bytes of that, 8 that say where it lies, and a value.
const TEXT_ROW_BYTES: u64 = 32;

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
    /// It is to be drawn, from so many keys.
    Rows {
        keys: u64,
        /// Whether these are the first rows of a plan.
        is_first: bool,
    },
    /// It is to be drawn, from so many keys that are texts.
    TextRows { keys: u64 },
}

impl Origin {
    /// What is done with it, what matters most first. Rows are partitioned in the same time whatever
    /// their keys, so only the first rows are.
    pub(crate) fn subjects(&self) -> &'static [Subject] {
        match self {
            Self::Given(_) | Self::Seeded(_) => {
                &[Subject::Count, Subject::Frame, Subject::Tokenize]
            }
            Self::Rows { is_first: true, .. } => &[Subject::HashPartition, Subject::ReduceByKey],
            Self::Rows { .. } | Self::TextRows { .. } => &[Subject::ReduceByKey],
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
    for (number, &(name, keys)) in plan.rows.iter().enumerate() {
        let is_first = number == 0;
        let keys_are = format!("64-bit keys with 64-bit values, drawn from {keys} keys");
        all.push((
            rows(name, keys_are, largest),
            Origin::Rows { keys, is_first },
        ));
    }
    for &(name, keys) in plan.text_rows {
        let keys_are = format!("keys of 16 bytes with 64-bit values, drawn from {keys} keys");
        all.push((rows(name, keys_are, largest), Origin::TextRows { keys }));
    }
    Ok(all)
}

fn seeded(name: &str, bytes: u64) -> Option<(Data, Origin)> {
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

fn rows(name: &str, description: String, bytes: u64) -> Data {
    Data {
        name: name.to_owned(),
        kind: Kind::Rows,
        description,
        is_given: false,
        bytes,
    }
}

/// Reads a file, no further than is measured.
fn given(path: &Path, largest: u64, notes: &mut Vec<String>) -> Result<(Data, Origin)> {
    let shown = path.display();
    let fault = |cause| {
        let message = format!("cannot read `{shown}`");
        Error::new(ErrorKind::Source, message).with_source(cause)
    };
    let file = File::open(path).map_err(fault)?;
    let mut bytes = Vec::new();
    // One byte more tells whether there is more.
    let mut some = file.take(largest.saturating_add(1));
    some.read_to_end(&mut bytes).map_err(fault)?;
    if bytes.is_empty() {
        let message = format!("`{shown}` is empty: there is nothing to measure");
        return Err(Error::new(ErrorKind::Source, message));
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();
    if is_packed(&bytes) {
        notes.push(format!(
            "{name} is compressed, and was measured as the bytes that it is; unpack it to measure \
             what is in it."
        ));
    }
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

fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Draws rows; fewer are the beginning of more.
pub(crate) fn draw_rows(keys: u64, bytes: u64) -> Result<Resident> {
    let (keys, values): (Vec<u64>, Vec<i64>) = drawn(keys, bytes / ROW_BYTES).unzip();
    Resident::rows(keys, values)
}

/// The same rows with keys in hexadecimal digits.
pub(crate) fn draw_text_rows(keys: u64, bytes: u64) -> Result<Resident> {
    let (keys, values): (Vec<u64>, Vec<i64>) = drawn(keys, bytes / TEXT_ROW_BYTES).unzip();
    Resident::keyed(keys.iter().map(|key| format!("{key:016x}")), values)
}

fn drawn(keys: u64, rows: u64) -> impl Iterator<Item = (u64, i64)> {
    let mut rng = Rng::new(1);
    (0..rows).map(move |_| {
        // Spread over all 64 bits, as identifiers are.
        let key = rng.below(keys).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (key, (key >> 54) as i64 - 512)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        std::fs::write(&path, [0x1f, 0x8b, 8]).unwrap();
        given(&path, 100, &mut notes).unwrap();
        assert!(notes[1].contains("compressed"));
        std::fs::write(&path, "").unwrap();
        let empty = given(&path, 100, &mut notes).unwrap_err();
        assert!(empty.to_string().contains("is empty"));
        assert!(given(folder.path(), 100, &mut notes).is_err());
    }

    #[test]
    fn rows_have_the_size_that_was_asked_for() {
        assert_eq!(draw_rows(100, 1 << 16).unwrap().bytes(), 1 << 16);
        assert_eq!(draw_text_rows(100, 1 << 16).unwrap().bytes(), 1 << 16);
    }
}
