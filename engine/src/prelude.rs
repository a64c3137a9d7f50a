//! What most programs import.
//!
//! ```
//! use keymill::prelude::*;
//! ```
//!
//! Programs that drive a [`CountOperator`](crate::CountOperator) themselves, or look at metrics and
//! devices, name these types by their own paths.
#![forbid(unsafe_code)]

pub use crate::api::{Counts, Engine, Groups, Utf8};
pub use crate::expr::col;
pub use crate::operator::{Order, OrderBy};
pub use crate::plan::token_rule::{field, lines, split, whitespace, words};
pub use crate::{BatchLimits, Cancel, DeviceChoice, ErrorKind, Level, TokenRule};
