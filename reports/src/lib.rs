//! Measures whether a GPU is faster for this data on this machine, and recommends CPU or GPU.
//!
//! ```text
//! machine, data ─▶ plan ─▶ races ─▶ Report ─▶ agreement, crossover, recommendation
//!                                     └─▶ report.json (with a schema), report.md
//! ```
//!
//! [`compare`] measures and returns a [`Report`]. [`to_json`] and [`to_markdown`] write it, and
//! [`from_json`] reads it. All measurements run in this process, without a compiler, another program
//! or the network.
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
