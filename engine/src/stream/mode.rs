//! Which groups a query writes.

use std::fmt;
use std::str::FromStr;

use super::window::Window;
use crate::{Error, ErrorKind, Result};

/// Which groups of the state an epoch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputMode {
    /// All groups.
    Complete,
    /// The groups that changed in the epoch.
    Update,
    /// Groups that will not change any more.
    Append,
}

impl OutputMode {
    const ALL: [Self; 3] = [Self::Complete, Self::Update, Self::Append];

    /// The name, which [`FromStr`] reads.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Update => "update",
            Self::Append => "append",
        }
    }

    /// Checks that the mode makes sense for a query.
    pub(super) fn check(self, has_state: bool, window: Option<&Window>) -> Result<()> {
        let why = match (self, has_state) {
            (Self::Append, true) if window.is_some_and(Window::closes) => return Ok(()),
            (Self::Append, true) if window.is_some() => {
                "the mode `append` writes windows that will not change any more, and without a \
                 watermark none ever closes; set one, or use the mode `update` or `complete`"
            }
            (Self::Complete, false) => {
                "the mode `complete` writes all groups of all epochs, and this query keeps none; \
                 update a state, or use the mode `append`"
            }
            (Self::Append, true) => {
                "the mode `append` writes groups that will not change any more, and a running \
                 total may always change; use the mode `update` or `complete`"
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Config, why))
    }
}

impl fmt::Display for OutputMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OutputMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|mode| mode.name() == name).ok_or_else(|| {
            let message = format!("`{name}` is not a mode; use complete, update or append");
            Error::new(ErrorKind::Config, message)
        })
    }
}

/// How the groups of an epoch change the state: see [`sum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateUpdate {
    /// Every aggregate goes on over all epochs.
    Running,
}

/// Adds the counts of an epoch to those of all epochs before. Sums, minima, maxima and means go on in
/// the same way.
#[must_use]
pub fn sum() -> StateUpdate {
    StateUpdate::Running
}
