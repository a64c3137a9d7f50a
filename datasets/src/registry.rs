//! The list of named data sets.

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

/// A generator of data that is the same in every run.
pub trait Generator: Sync {
    /// Writes as many whole records as fit in `bytes`, in blocks.
    ///
    /// A smaller size gives the beginning of a larger one. There are two exceptions: the last
    /// separator is a line feed even if it is a blank in the larger data, and the only token of
    /// [`Pathological::Giant`] is as long as the data.
    ///
    /// # Errors
    ///
    /// Errors of `out`, and `InvalidInput` if a parameter is outside its documented range.
    fn write_to(&self, bytes: u64, out: &mut dyn Write) -> io::Result<Written>;
}

/// A data set with a name.
#[derive(Clone, Copy)]
pub struct Dataset {
    /// The name used by commands, benches and the manifest.
    pub name: &'static str,
    /// A description in one line.
    pub description: &'static str,
    generator: &'static dyn Generator,
}

impl Dataset {
    /// Writes as many whole records as fit in `bytes`, in blocks, so that any size needs little
    /// memory.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
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

    /// Returns the data in memory.
    ///
    /// # Panics
    ///
    /// If there is not enough memory.
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
        self.write_to(bytes as u64, &mut out)
            .expect("writes to a vector succeed, and tests check the parameters of all named sets");
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
        "30,000 ASCII words, Zipf-distributed",
        &Zipf::DEFAULT,
    ),
    set(
        "zipf-1m",
        "1,000,000 ASCII words, Zipf-distributed",
        &Zipf {
            vocabulary: 1_000_000,
            ..Zipf::DEFAULT
        },
    ),
    set(
        "zipf-multibyte",
        "30,000 words, Zipf-distributed, 30 % of them not ASCII",
        &Zipf {
            multi_byte: 300,
            ..Zipf::DEFAULT
        },
    ),
    set(
        "book",
        "the first 100 chapters of Moby-Dick, repeated",
        &Book,
    ),
    set(
        "unique",
        "keys of about 10 bytes, 80 % of them new",
        &Unique { seed: 1 },
    ),
    set(
        "integers-1m",
        "1,000,000 numbers in decimal, uniformly distributed",
        &Integers {
            seed: 1,
            values: 1_000_000,
        },
    ),
    set(
        "urls-200k",
        "200,000 URLs, uniformly distributed",
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
        "only white space, ASCII and Unicode",
        &Pathological::Separators,
    ),
    set("equal", "the same key, repeated", &Pathological::Equal),
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
        "words, random bytes and invalid UTF-8",
        &Pathological::InvalidUtf8,
    ),
    set(
        "nul",
        "keys with NUL bytes before, in and after them",
        &Pathological::Nul,
    ),
];

/// Returns all named data sets.
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

/// Returns the data set with this name.
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
