//! A build without devices: nobody joins.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::marker::PhantomData;

use super::chunk_sink::ChunkSink;
use super::context::KnownInput;
use super::throughput::Throughput;
use crate::Progress;
use crate::api::Engine;
use crate::{Resources, TokenRule};

/// A device that may join; there is none.
pub(super) struct GpuAutojoin<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> GpuAutojoin<'a> {
    pub(super) fn new(
        _: &'a Engine,
        _: &'a TokenRule,
        _: &'a Progress,
        _: &'a Throughput,
        _: KnownInput<'_>,
    ) -> Option<Self> {
        None
    }

    pub(super) fn workers(&self) -> usize {
        match self.0 {}
    }

    /// The way of the worker that joins.
    pub(super) fn chunk_sink<'w>(
        &'w self,
        _: &'w TokenRule,
        _: &'w Resources,
    ) -> Option<Box<dyn ChunkSink + 'w>> {
        match self.0 {}
    }

    pub(super) fn run(&self, _: impl Fn() + Sync, _: impl FnOnce()) -> String {
        match self.0 {}
    }
}
