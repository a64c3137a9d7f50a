//! Data sets with the same bytes on every platform and with every release of Rust.
//!
//! [`all`] lists the named data sets, [`find`] returns one by name, and [`Dataset::write_to`]
//! writes any amount of it in blocks, with little memory. The generators ([`Zipf`], [`Unique`],
//! [`Integers`], [`Urls`], [`Visits`], [`Sensors`], [`H2o`], [`Stations`], [`Pathological`],
//! [`Book`]) can be used with
//! other parameters. [`expected`] returns the correct counts of a data set, from the committed
//! manifest, and [`book`] is a real text.
//!
//! The bytes depend on a seed only. They are computed with integers and `+ − × ÷ √`, and random
//! numbers come from this crate's own [`Rng`].
//!
//! # Examples
//!
//! ```
//! use std::collections::HashMap;
//!
//! let set = keymill_datasets::find("zipf-multibyte").ok_or("no such set")?;
//! let text = String::from_utf8(set.to_vec(1 << 20)).map_err(|_| "not UTF-8")?;
//! let mut counts = HashMap::new();
//! for word in text.split_whitespace() {
//!     *counts.entry(word).or_insert(0u64) += 1;
//! }
//! let known = keymill_datasets::expected(set.name).ok_or("not in the manifest")?;
//! assert_eq!(counts.len() as u64, known.distinct);
//! assert_eq!(counts.values().sum::<u64>(), known.tokens);
//! # Ok::<(), &str>(())
//! ```

#![forbid(unsafe_code)]

mod block;
mod book;
mod decimal;
mod h2o;
mod integers;
mod manifest;
mod pathological;
mod ranks;
mod registry;
mod rng;
mod sensors;
mod stations;
mod unique;
mod urls;
mod visits;
mod words;
mod zipf;

pub use block::Written;
pub use book::{Book, book};
pub use h2o::{H2o, H2oRow};
pub use integers::Integers;
pub use manifest::{CANONICAL_BYTES, Expected, expected, manifest};
pub use pathological::Pathological;
pub use ranks::{Ranks, Skew};
pub use registry::{Dataset, Generator, all, find};
pub use rng::Rng;
pub use sensors::Sensors;
pub use stations::Stations;
pub use unique::Unique;
pub use urls::Urls;
pub use visits::Visits;
pub use words::Lengths;
pub use zipf::Zipf;
