//! The stages, one file or folder each.
#![forbid(unsafe_code)]

pub mod count;
pub mod csv;
pub mod frame;
pub mod hash_partition;
pub mod lowercase;
pub mod reduce_by_key;
pub mod tokenize;
