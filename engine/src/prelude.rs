//! What most programs import.
//!
//! ```
//! use keymill::prelude::*;
//! ```
//!
//! Programs that drive a [`CountOperator`](crate::CountOperator) themselves, or look at metrics and
//! devices, name these types by their own paths.
#![forbid(unsafe_code)]

pub use crate::api::Engine;
pub use crate::api::{Counts, Utf8};
pub use crate::operator::{BatchLimits, Order};
pub use crate::plan::token_rule::{field, lines, split, whitespace, words};
pub use crate::{Cancel, DeviceChoice, ErrorKind, Level, TokenRule};
