//! What file systems on other machines share: waiting for answers, reading ahead, URLs.
#![forbid(unsafe_code)]

mod address;
mod blocks;
mod runtime;

pub(crate) use address::Address;
pub(crate) use blocks::{Blocks, Fetch};
#[cfg(feature = "s3")]
pub(crate) use runtime::wait_at_most;
pub(crate) use runtime::{attempts, wait_long};
#[cfg(feature = "hdfs")]
pub(crate) use runtime::{handle, wait};
