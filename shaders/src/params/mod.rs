//! What the host and the shaders say to each other, byte for byte; a file for each shader.

mod self_test;
mod tokenize;

pub use self_test::{SelfTestAnswers, SelfTestParams};
pub use tokenize::{TokenizeParams, TokenizeSummary};
