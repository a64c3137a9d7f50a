//! The stages of the river, one file each.

pub mod count;
pub mod tokenize;
