//! Measures whether a GPU is faster for this data on this machine, and recommends CPU or GPU.
//!
//! ```text
//! machine, data ─▶ plan ─▶ races ─▶ Report ─▶ agreement, crossover, recommendation
//!                                     └─▶ report.json (with a schema), report.md, report.html
//! ```
//!
//! [`compare`] measures and returns a [`Report`]. [`to_json`], [`to_markdown`] and [`to_html`] write it, and
//! [`from_json`] reads it. [`History`] compares the runs of one machine. All measurements run in this process, without a compiler, another program
//! or the network.
#![forbid(unsafe_code)]

mod agreement;
mod clock;
mod compare;
mod crossover;
mod data;
mod doubts;
mod figures;
#[cfg(test)]
mod fixtures;
mod history;
mod html;
mod json;
mod latency;
mod machine;
mod markdown;
mod measure;
pub mod model;
mod needed;
mod plan;
mod recommend;
mod resident;
mod rows;
mod session;
mod since;
mod summary;
mod targets;
mod variants;

pub use compare::{Request, Step, compare};
pub use history::History;
pub use html::{to_charts, to_html};
pub use json::{SCHEMA, from_json, to_json};
pub use markdown::to_markdown;
pub use model::Report;
