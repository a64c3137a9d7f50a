//! The resources of jobs: threads, memory, a spill folder, and a cancel flag.
#![forbid(unsafe_code)]

mod batch_limits;
mod default_memory;
pub(crate) mod parallel;
mod resources;
mod thread_pool;

pub use batch_limits::BatchLimits;
pub(crate) use default_memory::default_memory;
pub(crate) use resources::random_seed;
pub use resources::{Cancel, MemoryBudget, Reservation, Resources};
pub(crate) use thread_pool::Pool;
