//! Lets tests kill the process at every step of the protocol.

use std::fmt;
use std::sync::Arc;

/// A step of the protocol of an epoch.
pub type KillPoint = &'static str;

/// Called at every step, with the epoch. Without a hook nothing happens.
#[derive(Clone, Default)]
pub(crate) struct Faults(Option<Arc<Hook>>);

type Hook = dyn Fn(KillPoint, u64) + Send + Sync;

impl Faults {
    /// The steps, in the order of an epoch.
    pub(crate) const POINTS: [KillPoint; 15] = [
        "chosen",
        "offsets-unfinished",
        "offsets",
        "computed",
        "merged",
        "delta-unfinished",
        "delta",
        "prepared",
        "sink",
        "commit-unfinished",
        "commit",
        "snapshot-unfinished",
        "snapshot-state",
        "snapshot",
        "collected",
    ];

    pub(crate) fn new(hook: impl Fn(KillPoint, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(super) fn at(&self, point: KillPoint, epoch: u64) {
        debug_assert!(Self::POINTS.contains(&point), "{point} is not in the list");
        if let Some(hook) = &self.0 {
            hook(point, epoch);
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Faults(hook)"
        } else {
            "Faults(none)"
        })
    }
}
