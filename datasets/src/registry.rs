//! The named data sets: one line each.

use std::fmt;
use std::io::{self, Write};

use crate::block::Written;
use crate::book::Book;
use crate::integers::Integers;
use crate::pathological::Pathological;
use crate::sensors::Sensors;
use crate::unique::Unique;
use crate::urls::Urls;
use crate::visits::Visits;
use crate::zipf::Zipf;

/// Something that makes the same bytes every time.
pub trait Generator: Sync {
    /// Writes as many whole records as fit into `bytes`, block by block.
    ///
    /// The data never depends on how much of it is asked for: a smaller size gives the beginning of
    /// a larger one, but for the last separator, which is a line feed where it would have been a
    /// blank, and but for [`Pathological::Giant`], whose only token is as long as the data.
    ///
    /// # Errors
    ///
    /// What `out` reports, and `InvalidInput` where a parameter is outside the range that its
    /// documentation gives.
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written>;
}

/// A data set with a name.
#[derive(Clone, Copy)]
pub struct Dataset {
    /// The name by which commands, benches and the manifest call it.
    pub name: &'static str,
    /// What it is, in a line.
    pub description: &'static str,
    generator: &'static dyn Generator,
}

impl Dataset {
    /// Writes as many whole records as fit into `bytes`, block by block, so that any size takes
    /// little memory.
    ///
    /// # Errors
    ///
    /// What `out` reports.
    ///
    /// # Examples
    ///
    /// ```
    /// let zipf = keymill_datasets::find("zipf-30k").ok_or(std::io::ErrorKind::NotFound)?;
    /// let mut out = Vec::new();
    /// let written = zipf.write_to(1000, &mut out)?;
    /// assert_eq!(written.bytes, out.len() as u64);
    /// assert!((980..=1000).contains(&out.len()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_to(&self, bytes: u64, mut out: &mut (impl Write + ?Sized)) -> io::Result<Written> {
        self.generator.write_to(bytes, &mut out)
    }

    /// Makes the data in memory.
    ///
    /// # Panics
    ///
    /// Where there is not memory enough.
    ///
    /// # Examples
    ///
    /// ```
    /// let equal = keymill_datasets::find("equal").map(|set| set.to_vec(15));
    /// assert_eq!(equal.as_deref(), Some(&b"equal equal\n"[..]));
    /// ```
    #[must_use]
    pub fn to_vec(&self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes);
        self.write_to(bytes as u64, &mut out).expect(
            "a vector takes every write, and a test runs the parameters of every named set",
        );
        out
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

const fn set(
    name: &'static str,
    description: &'static str,
    generator: &'static dyn Generator,
) -> Dataset {
    Dataset {
        name,
        description,
        generator,
    }
}

static ALL: [Dataset; 18] = [
    set(
        "zipf-30k",
        "words by Zipf's law, 30,000 of them, ASCII",
        &Zipf::DEFAULT,
    ),
    set(
        "zipf-1m",
        "words by Zipf's law, a million of them, ASCII",
        &Zipf {
            vocabulary: 1_000_000,
            ..Zipf::DEFAULT
        },
    ),
    set(
        "zipf-multibyte",
        "words by Zipf's law, 30,000 of them, three in ten of other scripts than ASCII",
        &Zipf {
            multi_byte: 300,
            ..Zipf::DEFAULT
        },
    ),
    set(
        "book",
        "the first 100 chapters of Moby-Dick, again and again",
        &Book,
    ),
    set(
        "unique",
        "keys of about 10 bytes, four in five new",
        &Unique { seed: 1 },
    ),
    set(
        "integers-1m",
        "numbers in decimal, a million of them, each as likely as every other",
        &Integers {
            seed: 1,
            values: 1_000_000,
        },
    ),
    set(
        "urls-200k",
        "addresses of web pages, 200,000 of them, each as likely as every other",
        &Urls::DEFAULT,
    ),
    set(
        "visits",
        "lines `site,count` of 100,000 sites",
        &Visits::DEFAULT,
    ),
    set(
        "sensors-413",
        "lines `station;temperature` of 413 stations",
        &Sensors::DEFAULT,
    ),
    set(
        "sensors-10k",
        "lines `station;temperature` of 10,000 stations, names of up to 100 bytes",
        &Sensors {
            stations: 10_000,
            multi_byte: 250,
            ..Sensors::DEFAULT
        },
    ),
    set("giant", "one token and a line feed", &Pathological::Giant),
    set(
        "separators",
        "nothing but white space, ASCII and not",
        &Pathological::Separators,
    ),
    set(
        "equal",
        "the same key again and again",
        &Pathological::Equal,
    ),
    set(
        "prefix-8",
        "65,536 keys with the same first 8 bytes",
        &Pathological::Prefix(8),
    ),
    set(
        "prefix-16",
        "65,536 keys with the same first 16 bytes",
        &Pathological::Prefix(16),
    ),
    set(
        "prefix-32",
        "65,536 keys with the same first 32 bytes",
        &Pathological::Prefix(32),
    ),
    set(
        "invalid-utf8",
        "words, random bytes and broken UTF-8",
        &Pathological::InvalidUtf8,
    ),
    set(
        "nul",
        "keys with NUL bytes before, in and after them",
        &Pathological::Nul,
    ),
];

/// All named data sets.
///
/// # Examples
///
/// ```
/// for set in keymill_datasets::all() {
///     println!("{:<15} {}", set.name, set.description);
///     assert!(set.to_vec(1000).len() <= 1000);
/// }
/// ```
#[must_use]
pub fn all() -> &'static [Dataset] {
    &ALL
}

/// The data set of that name.
///
/// # Examples
///
/// ```
/// assert!(keymill_datasets::find("giant").is_some());
/// assert!(keymill_datasets::find("dwarf").is_none());
/// ```
#[must_use]
pub fn find(name: &str) -> Option<&'static Dataset> {
    ALL.iter().find(|set| set.name == name)
}
