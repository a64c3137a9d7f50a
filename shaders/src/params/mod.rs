//! Parameters and results of the shaders, with the same memory layout as in WGSL; one file per
//! shader.

mod count;
mod hash_partition;
mod reduce_by_key;
mod self_test;
mod tokenize;

pub use count::{
    COUNT_HEAD_WORDS, COUNT_KEY_BYTES, COUNT_NO_END, COUNT_TOKENS, CountGroup, CountParams,
    CountReport, count_table_words,
};
pub use hash_partition::HashPartitionParams;
pub use reduce_by_key::{ReduceByKeyParams, ReduceByKeySummary, ReducedGroup};
pub use self_test::{SelfTestAnswers, SelfTestParams};
pub use tokenize::{TokenizeParams, TokenizeSummary};
