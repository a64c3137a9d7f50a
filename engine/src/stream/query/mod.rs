//! A query: its plan, the loop of epochs, its handle, its reports.

mod commit;
mod committed_state;
mod compute;
mod driver;
mod epoch;
mod handle;
mod keyed;
mod pace;
mod plan;
mod progress;
mod prometheus;
mod report;
mod server;
mod shared_source;
mod sinks;
mod start;
mod state_function;
mod state_over_http;
mod step_times;
mod totals;
mod trace;

pub(crate) use keyed::Keyed;
pub(crate) use plan::QueryPlan;
pub(crate) use state_function::StateFunction;

pub use committed_state::QueryState;
pub use handle::{QueryStatus, StreamQuery};
pub use progress::{
    Durations, EventTimeProgress, SinkProgress, SourceProgress, StateProgress, StreamProgress,
};
pub use server::MetricsServer;
pub use step_times::StepTimes;
