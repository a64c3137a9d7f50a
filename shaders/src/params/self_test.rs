//! What `shared/self_test.wgsl` is told and tells.

use bytemuck::{Pod, Zeroable};

/// `Asked` of `self_test.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestParams {
    /// Which run this is.
    pub run: u32,
    /// Rounds of the long loop.
    pub loops: u32,
    /// Nothing; the shader counts on it being 0.
    pub pad_0: u32,
    /// Nothing.
    pub pad_1: u32,
}

/// `Answers` of `self_test.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestAnswers {
    /// Rounds that the long loop made.
    pub rounds: u32,
    /// Lanes that added one.
    pub added: u32,
    /// The greatest lane that was seen behind a barrier.
    pub greatest: u32,
    /// Lanes that saw another lane's word not yet written.
    pub disagreed: u32,
    /// Lanes that won a word by compare-and-swap.
    pub won: u32,
    /// Words that are there, as the device sees it.
    pub words: u32,
    /// The run that answered.
    pub run: u32,
}
