//! Where results go.
#![forbid(unsafe_code)]

mod output_file;

pub use output_file::{OutputFile, abandon_unfinished};
