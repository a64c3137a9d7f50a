//! Replaces `gpu_autojoin` in a build without devices.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::marker::PhantomData;

use super::Progress;
use super::chunk_sink::ChunkSink;
use super::context::KnownInput;
use super::env::RuntimeEnv;
use super::job::Job;
use super::throughput::Throughput;
use crate::Resources;

/// A device that may join. It never exists.
pub(super) struct GpuAutojoin<'a, J>(Infallible, PhantomData<&'a J>);

impl<'a, J: Job> GpuAutojoin<'a, J> {
    pub(super) fn new(
        _: &'a RuntimeEnv,
        _: &'a J,
        _: &'a Progress,
        _: &'a Throughput,
        _: KnownInput<'_>,
    ) -> Option<Self> {
        None
    }

    pub(super) fn workers(&self) -> usize {
        match self.0 {}
    }

    pub(super) fn chunk_sink<'w>(
        &'w self,
        _: &'w Resources,
    ) -> Option<Box<dyn ChunkSink<J::Operator> + 'w>> {
        match self.0 {}
    }

    pub(super) fn run(&self, _: impl Fn() + Sync, _: impl FnOnce()) -> String {
        match self.0 {}
    }
}
