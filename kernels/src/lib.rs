//! Tokenize, hash-partition and reduce-by-key over bytes and integers.
//!
//! One file or folder per stage; each has an oracle, and runs on every [`Level`] with the same
//! answer.
#![deny(unsafe_code)]

mod buffer;
pub mod contract_hash;
mod groups;
mod isa;
mod level;
mod limits;
pub mod oracle;
mod rule;
pub mod stage;
mod table;
mod unicode;

pub use buffer::{Block, HugeVec, extend_hugely};
pub use contract_hash::ContractSeed;
pub use groups::{Groups, LongGroup, MidGroup, Once, OnceLong, ShortGroup};
pub use level::{Level, UnknownLevel};
pub use limits::Limits;
pub use rule::{RuleError, TokenRule};
pub use table::{KeyTable, Secret};
pub use unicode::UNICODE_VERSION;
