//! The stages of keymill as WGSL compute shaders: the sources, and their parameters as Rust
//! structs.
//!
//! A stage's file has the same stem as the CPU kernel. If a stage has several shaders, the others
//! are in a folder with that name. Shared parts are in `wgsl/shared`. [`Shader::compose`] builds a
//! shader from core WGSL only. [`Shader::compose_for`] selects other files of the shared parts if a
//! [`Permutation`] has a feature that makes them faster. Each algorithm is written once, and the
//! results are the same. The comment at the top of each file describes its entry points.
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

/// Bytes of text per workgroup.
pub const TILE_BYTES: usize = 4096;

/// Bytes of text per invocation. Texts are padded to a multiple of this.
pub const LANE_BYTES: usize = 16;

/// Rows per workgroup of `hash_partition`.
pub const PARTITION_TILE_ROWS: usize = 2048;

/// Maximum number of partitions that `hash_partition` sorts in one pass.
pub const PARTITION_DIGITS: usize = 256;

/// Rows per workgroup of `reduce_by_key`.
pub const REDUCE_TILE_ROWS: usize = 4096;

/// Table slots per workgroup when `reduce_by_key` lists its groups.
pub const LISTED_SLOTS: usize = 256;
