//! What jobs run with: threads, memory, a spill folder, and a way to be cancelled.
#![forbid(unsafe_code)]

mod default_memory;
pub(crate) mod parallel;
mod resources;
mod thread_pool;

pub(crate) use default_memory::default_memory;
pub(crate) use resources::random_seed;
pub use resources::{Cancel, MemoryBudget, Reservation, Resources};
pub(crate) use thread_pool::Pool;
