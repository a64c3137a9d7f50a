//! The obvious code: what every stage has to answer, however fast it is.
#![forbid(unsafe_code)]

mod count;
mod frame;
mod lowercase;
mod marks;
mod tokenize;

pub use count::count;
pub use frame::frame;
pub use lowercase::{lower, lowercase};
pub use tokenize::{is_word, rejected, tokenize};
