//! The stages of keymill as WGSL compute shaders: sources, and the Rust mirror of their parameters.
//!
//! A stage's file has the stem of its twin in the kernels; where a stage has several, one for each
//! way to do it, they lie in a folder of that name. What stages share lies in `wgsl/shared`;
//! [`Shader::compose`] puts them together from WGSL's core alone. [`Shader::compose_for`] takes
//! another file of a shared part where a [`Permutation`] has a feature that pays there; the algorithm
//! stands once, and so does the answer.
//!
//! # Examples
//!
//! ```
//! use keymill_shaders::{Shader, Stage};
//!
//! let shader = Shader::compose(Stage::Tokenize);
//! assert!(shader.wgsl().contains("fn write_spans("));
//! assert_eq!(shader.place_of(1).file, "shared/tile.wgsl");
//! ```
#![forbid(unsafe_code)]

mod compose;
mod params;
mod permutation;
mod sources;

pub use compose::{Place, Shader, version};
pub use params::{
    COUNT_HEAD_WORDS, COUNT_KEY_BYTES, COUNT_NO_END, COUNT_TOKENS, CountGroup, CountParams,
    CountReport, HashPartitionParams, ReduceByKeyParams, ReduceByKeySummary, ReducedGroup,
    SelfTestAnswers, SelfTestParams, TokenizeParams, TokenizeSummary, count_table_words,
};
pub use permutation::Permutation;
pub use sources::{Binding, Stage};

/// Bytes of text that one workgroup takes.
pub const TILE_BYTES: usize = 4096;

/// Bytes of text that one invocation takes; texts are padded to a multiple of it.
pub const LANE_BYTES: usize = 16;

/// Rows that one workgroup of `hash_partition` takes.
pub const PARTITION_TILE_ROWS: usize = 2048;

/// Partitions that `hash_partition` tells apart in one pass.
pub const PARTITION_DIGITS: usize = 256;

/// Rows that one workgroup of `reduce_by_key` takes.
pub const REDUCE_TILE_ROWS: usize = 4096;

/// Slots of its table that one workgroup of `reduce_by_key` lists.
pub const LISTED_SLOTS: usize = 256;
