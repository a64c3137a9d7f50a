//! The formats of tables, by name and by first bytes.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::input::Input;
use super::wrong;
use crate::read::Compression;
use crate::{Error, Result};

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableFormat {
    /// Comma-separated values, with quotes as in RFC 4180.
    Csv,
    /// The same with tabs.
    Tsv,
    /// JSON objects, one per line.
    Json,
    /// Parquet files.
    Parquet,
    /// Arrow IPC files and streams.
    Arrow,
}

impl TableFormat {
    /// All formats and their names; the first name of a format is shown.
    const NAMES: [(&'static str, Self); 10] = [
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("json", Self::Json),
        ("parquet", Self::Parquet),
        ("arrow", Self::Arrow),
        ("ndjson", Self::Json),
        ("jsonl", Self::Json),
        ("ipc", Self::Arrow),
        ("feather", Self::Arrow),
        ("arrows", Self::Arrow),
    ];

    /// Returns the format of a file name, by its extension before `.gz` or `.zst`.
    #[must_use]
    pub fn of_name(path: &Path) -> Option<Self> {
        let path = match Compression::of_name(path) {
            Compression::None => path,
            _ => Path::new(path.file_stem()?),
        };
        path.extension()?
            .to_str()?
            .to_ascii_lowercase()
            .parse()
            .ok()
    }

    /// Returns the format of an input, by its name or its first bytes.
    pub(super) fn detect(input: &Input) -> Result<Self> {
        if let Some(format) = input.first_path().and_then(|path| Self::of_name(&path)) {
            return Ok(format);
        }
        let first = input.first_bytes(6)?;
        Ok(match first.trim_ascii_start() {
            [b'P', b'A', b'R', b'1', ..] => Self::Parquet,
            [b'A', b'R', b'R', b'O', b'W', b'1'] | [0xff, 0xff, 0xff, 0xff, ..] => Self::Arrow,
            [b'{', ..] => Self::Json,
            _ => Self::Csv,
        })
    }
}

impl fmt::Display for TableFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, format)| format == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for TableFormat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, format)| *format).ok_or_else(|| {
            wrong(format!(
                "`{name}` is not a format of tables; use csv, tsv, json, parquet or arrow"
            ))
        })
    }
}
