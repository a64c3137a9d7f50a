//! SQL over one table: reads a `SELECT`, and makes a plan of it.
//!
//! ```text
//! text ─ parse ─▶ Statement ─ columns of the table ─▶ Plan: rows or groups, then an arrangement
//! ```
#![forbid(unsafe_code)]

mod columns;
mod order;
mod plan;
mod statement;
#[cfg(test)]
mod tests;

use crate::expr::parse::unreadable;

pub(crate) use plan::{Body, Plan};
pub(crate) use statement::Statement;

/// The error of a part of a statement that does not work.
fn refused(part: impl std::fmt::Display, why: impl std::fmt::Display) -> crate::Error {
    unreadable(&part.to_string(), &why.to_string())
}
