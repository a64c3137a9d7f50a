//! Tokenize, hash-partition and reduce-by-key over bytes and integers.
//!
//! One file or folder per stage. Each stage has an oracle, and gives the same result on every
//! [`Level`].
#![deny(unsafe_code)]

pub mod accumulate;
mod buffer;
mod isa;
mod key_counts;
mod level;
pub mod oracle;
pub mod parse;
mod rule;
pub mod stable_hash;
pub mod stage;
mod table;
mod tuning;
mod unicode;

pub use buffer::{Block, HugeVec, extend_hugely};
pub use key_counts::{KeyCounts, LongGroup, MidGroup, PackedLong, PackedShort, ShortGroup};
pub use level::{Level, UnknownLevel};
pub use rule::{RuleError, TokenRule};
pub use stable_hash::HashSeed;
pub use table::{HashKey, IntKeyTable, InternError, KeyTable, PairKeyTable};
pub use tuning::Tuning;
pub use unicode::UNICODE_VERSION;
