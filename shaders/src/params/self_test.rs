//! Parameters and results of `shared/self_test.wgsl`.

use bytemuck::{Pod, Zeroable};

/// `Asked` of `self_test.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestParams {
    /// Number of this run.
    pub run: u32,
    /// Number of rounds of the long loop.
    pub loops: u32,
    /// Unused; the shader requires it to be 0.
    pub pad_0: u32,
    /// Unused.
    pub pad_1: u32,
}

/// `Answers` of `self_test.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestAnswers {
    /// Rounds that the long loop ran.
    pub rounds: u32,
    /// Lanes that added 1 to a shared word.
    pub added: u32,
    /// Greatest lane number read after a barrier.
    pub greatest: u32,
    /// Lanes that read a wrong value after the barrier.
    pub disagreed: u32,
    /// Lanes that won a word by compare-and-swap.
    pub won: u32,
    /// Length of the buffer as the device sees it.
    pub words: u32,
    /// Number of the run that wrote the answers.
    pub run: u32,
}
