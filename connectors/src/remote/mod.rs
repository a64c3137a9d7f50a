//! What file systems on other machines share: reading ahead, URLs.
#![forbid(unsafe_code)]

mod address;
mod blocks;

pub(crate) use address::Address;
pub(crate) use blocks::{Blocks, Fetch};
