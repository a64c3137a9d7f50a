//! Memory that the hot loops read and write without bounds checks, and the types that make it safe.
#![allow(
    unsafe_code,
    reason = "the hot loops read text at token starts without bounds checks"
)]

mod window;

pub(crate) use window::{REACH, Window, WindowScratch};
