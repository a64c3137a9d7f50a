//! A build without devices: nobody joins.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::marker::PhantomData;

use super::crew::KnownInput;
use super::elsewhere::Elsewhere;
use super::pace::Pace;
use crate::engine::Engine;
use crate::job::Progress;
use crate::{Resources, TokenRule};

/// A device that may join; there is none.
pub(super) struct Joining<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> Joining<'a> {
    pub(super) fn new(
        _: &'a Engine,
        _: &'a TokenRule,
        _: &'a Progress,
        _: &'a Pace,
        _: KnownInput<'_>,
    ) -> Option<Self> {
        None
    }

    pub(super) fn workers(&self) -> usize {
        match self.0 {}
    }

    /// The way of the worker that joins.
    pub(super) fn elsewhere<'w>(
        &'w self,
        _: &'w TokenRule,
        _: &'w Resources,
    ) -> Option<Box<dyn Elsewhere + 'w>> {
        match self.0 {}
    }

    pub(super) fn run(&self, _: impl Fn() + Sync, _: impl FnOnce()) -> String {
        match self.0 {}
    }
}
