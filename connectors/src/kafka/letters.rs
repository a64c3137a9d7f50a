//! Messages that are not valid rows: kept in files, with the reason of each.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use keymill::read::RowLines;
use keymill::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::letter_file;

/// Bytes that are decoded at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Where each message of a text begins, and its offset.
pub(super) type Spans = Vec<(usize, i64)>;

/// Decodes lines, and writes those that are no rows to files in a folder.
///
/// A file is named after the first message in it, `visits-0-17.json`, and written before its epoch is
/// committed. An epoch that is computed again writes the same files again.
#[derive(Clone)]
pub(super) struct DeadLetters {
    lines: RowLines,
    folder: PathBuf,
}

impl DeadLetters {
    pub(super) fn new(lines: RowLines, folder: PathBuf) -> Self {
        Self { lines, folder }
    }

    pub(super) fn lines(&self) -> &RowLines {
        &self.lines
    }

    /// The rows of a partition, in pieces.
    pub(super) fn rows(
        &self,
        topic: &str,
        number: i32,
        text: Vec<u8>,
        spans: Spans,
    ) -> impl Iterator<Item = Result<RecordBatch>> + Send + use<> {
        let (this, topic) = (self.clone(), topic.to_owned());
        let chunks = chunks(&spans, text.len());
        chunks.into_iter().map(move |messages| {
            let before = this.lines.rejected();
            let start = spans[messages.start].0;
            let batch = this
                .lines
                .decode(&text[start..end(&spans, messages.end, text.len())])?;
            if this.lines.rejected() > before {
                this.keep(&topic, number, &text, &spans, messages)?;
            }
            Ok(batch)
        })
    }

    /// Writes the lines of some messages that are no rows.
    fn keep(
        &self,
        topic: &str,
        number: i32,
        text: &[u8],
        spans: &Spans,
        messages: Range<usize>,
    ) -> Result<()> {
        let (mut letters, mut first) = (Vec::new(), None);
        for message in messages {
            let (start, offset) = spans[message];
            let value = &text[start..end(spans, message + 1, text.len())];
            for line in value.split_inclusive(|&byte| byte == b'\n') {
                let Some(reason) = self.lines.why_rejected(line) else {
                    continue;
                };
                first.get_or_insert(offset);
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let mut letter = json!({
                    "topic": topic, "partition": number, "offset": offset, "reason": reason,
                });
                match str::from_utf8(line) {
                    Ok(value) => letter["value"] = Value::from(value),
                    Err(_) => letter["hex"] = Value::from(hex(line)),
                }
                letters.extend_from_slice(letter.to_string().as_bytes());
                letters.push(b'\n');
            }
        }
        let Some(first) = first else { return Ok(()) };
        let path = self.folder.join(format!("{topic}-{number}-{first}.json"));
        letter_file::write(&self.folder, &path, &letters).map_err(|cause| {
            let message = format!("cannot write the dead letters `{}`", path.display());
            Error::new(ErrorKind::Sink, message).with_source(cause)
        })
    }
}

/// Whole messages, some at a time.
fn chunks(spans: &Spans, length: usize) -> Vec<Range<usize>> {
    let (mut chunks, mut first) = (Vec::new(), 0);
    for next in 1..=spans.len() {
        if next == spans.len() || end(spans, next, length) - spans[first].0 >= CHUNK_BYTES {
            chunks.push(first..next);
            first = next;
        }
    }
    chunks
}

/// Where the messages before this one end.
fn end(spans: &Spans, next: usize, length: usize) -> usize {
    spans.get(next).map_or(length, |&(start, _)| start)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use keymill::arrow::schema::{DataType, Field, Schema};
    use keymill::read::LineFormat;

    use super::*;

    #[test]
    fn lines_that_are_no_rows_are_kept_with_their_offsets() {
        let folder = tempfile::tempdir().unwrap();
        let schema = Schema::new(vec![
            Field::new("site", DataType::Utf8, true),
            Field::new("count", DataType::Int64, true),
        ]);
        let lines = RowLines::new(LineFormat::Json, Arc::new(schema)).unwrap();
        let letters = DeadLetters::new(lines, folder.path().join("dead"));
        let (mut text, mut spans) = (Vec::new(), Spans::new());
        let mut expected = Vec::new();
        for offset in 0..20_000_i64 {
            spans.push((text.len(), 2 * offset));
            let line = match offset % 5000 {
                7 => {
                    expected.push(2 * offset);
                    "{\"site\":\"a\",\"count\":\"many\"}\n".to_owned()
                }
                _ => format!("{{\"site\":\"a\",\"count\":{offset}}}\n"),
            };
            text.extend_from_slice(line.as_bytes());
        }
        let rows = || letters.rows("visits", 3, text.clone(), spans.clone());
        let read: usize = rows().map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(read, 20_000 - 4);
        // A replay writes the same.
        assert_eq!(
            rows().map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
            read
        );
        let mut offsets = Vec::new();
        for entry in fs::read_dir(folder.path().join("dead")).unwrap() {
            for letter in fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
                let letter: Value = serde_json::from_str(letter).unwrap();
                assert_eq!(letter["partition"], 3);
                assert!(!letter["reason"].as_str().unwrap().is_empty());
                offsets.push(letter["offset"].as_i64().unwrap());
            }
        }
        offsets.sort_unstable();
        assert_eq!(offsets, expected);
    }
}
