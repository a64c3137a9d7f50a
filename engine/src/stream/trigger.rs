//! When an epoch begins.

use std::time::Duration;

use crate::{Error, ErrorKind, Result};

/// The shortest interval.
const SHORTEST: Duration = Duration::from_millis(10);

/// When an epoch begins. There is no epoch without new data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trigger {
    /// At every multiple of an interval after the start. An epoch that takes longer than the interval
    /// is followed by the next one at once.
    Every(Duration),
    /// As soon as there is something to read and the epoch before is done.
    AsFastAsPossible,
    /// One epoch of everything that is there, up to the limits; then the query ends.
    Once,
    /// Epochs until everything that was there at the start is read; then the query ends.
    AvailableNow,
}

impl Trigger {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Every(interval) if interval < SHORTEST => Err(Error::new(
                ErrorKind::Config,
                format!("an interval of {interval:?}; the shortest is {SHORTEST:?}"),
            )),
            _ => Ok(()),
        }
    }
}
