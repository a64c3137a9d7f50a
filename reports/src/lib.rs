//! Whether a GPU pays for this data on this machine: measured, compared, and said in words.
//!
//! ```text
//! machine, data ─▶ plan ─▶ races ─▶ Report ─▶ agreement, crossover, recommendation
//!                                     └─▶ report.json (with a schema), report.md
//! ```
//!
//! [`compare`] measures, and gives a [`Report`]; [`to_json`] and [`to_markdown`] write it, and
//! [`from_json`] reads it again. Everything that is measured runs in this process: no compiler,
//! no other program, no network.
#![forbid(unsafe_code)]

mod agreement;
mod clock;
mod compare;
mod crossover;
mod data;
mod figures;
#[cfg(test)]
mod fixtures;
mod json;
mod machine;
mod markdown;
mod measure;
pub mod model;
mod plan;
mod recommend;
mod resident;
mod session;
mod targets;
mod variants;

pub use compare::{Request, Step, compare};
pub use json::{SCHEMA, from_json, to_json};
pub use markdown::to_markdown;
pub use model::Report;
