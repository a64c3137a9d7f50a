//! Chunks: the pieces of text that one thread counts at a time. No cut splits a token.
//!
//! ```text
//! file    |to be or n|ot to be th|at is      the reads
//! chunks  |to be or |not to be |that is      what is pushed; the rest begins the next chunk
//! ```
#![forbid(unsafe_code)]

mod block;
mod boundary;
mod ranges;
mod reader;
mod slices;

pub(crate) use block::Block;
pub(crate) use boundary::{Boundary, Cut, bytes_of_character_before};
pub(crate) use ranges::Ranges;
pub(crate) use reader::BlockReader;
pub(crate) use slices::Slices;
