//! The stages of the river, one file each.
#![forbid(unsafe_code)]

pub mod count;
pub mod frame;
pub mod lowercase;
pub mod tokenize;
