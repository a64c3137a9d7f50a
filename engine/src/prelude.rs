//! The items that most programs import.
//!
//! ```
//! use keymill::prelude::*;
//! ```
//!
//! Programs that drive an [`Operator`](crate::Operator) themselves, or that read metrics, import these
//! types from the crate root.
#![forbid(unsafe_code)]

pub use crate::api::{Counts, Engine, Groups, Utf8};
pub use crate::expr::{Expr, col, lit, when};
pub use crate::operator::{Order, OrderBy};
pub use crate::plan::token_rule::{field, lines, split, whitespace, words};
pub use crate::{BatchLimits, Cancel, DeviceChoice, ErrorKind, Level, TokenRule};
