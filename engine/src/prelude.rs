//! What most programs import.
//!
//! ```
//! use keymill::prelude::*;
//! ```
#![forbid(unsafe_code)]

pub use crate::engine::Engine;
pub use crate::job::tokens::{field, lines, split, whitespace, words};
pub use crate::job::{Counts, Utf8};
pub use crate::operator::{BatchLimits, Order};
pub use crate::{Cancel, ErrorKind, Level, TokenRule};
