//! Simple reference implementations of all stages, for tests.
#![forbid(unsafe_code)]

mod count;
mod frame;
mod hash_partition;
mod lowercase;
mod marks;
mod reduce_by_key;
mod tokenize;

pub use count::count;
pub use frame::frame;
pub use hash_partition::hash_partition;
pub use lowercase::{lower, lowercase};
pub use reduce_by_key::{Reduced, reduce_by_key};
pub use tokenize::{is_word, rejected, tokenize};
