//! Queries whose source is shared by several processes.

use super::plan::QueryPlan;
use crate::stream::{Delivery, Trigger};
use crate::{Error, ErrorKind, Result};

impl QueryPlan {
    pub(super) fn has_shared_source(&self) -> bool {
        self.sources.iter().any(|it| it.is_shared())
    }

    /// The offsets are not in a checkpoint: either the sink commits them with the results, or the source
    /// commits them afterwards.
    pub(super) fn shared_delivery(&self) -> (Delivery, String) {
        match &self.sinks[..] {
            [sink] if sink.commits_offsets() => {
                let why = format!(
                    "results and offsets are one transaction of `{}`",
                    sink.describe()
                );
                (Delivery::ExactlyOnce, why)
            }
            _ => {
                let why = "the offsets of a shared source are committed after the results";
                (Delivery::AtLeastOnce, why.to_owned())
            }
        }
    }

    /// Another process may take over a part of the source at any time, but not the state of a query.
    pub(super) fn check_shared_source(&self) -> Result<()> {
        let Some(source) = self.sources.iter().find(|it| it.is_shared()) else {
            return Ok(());
        };
        let why = if self.sources.len() > 1 {
            "it must be the only source"
        } else if self.has_state() {
            "each epoch must stand alone: running totals and windows would be split among the processes; \
             compute results per epoch, or give each process a fixed share and a checkpoint"
        } else if self.distinct.is_some() {
            "each epoch must stand alone, and removing duplicates needs the rows of earlier ones"
        } else if self.checkpoint.is_some() {
            "its offsets are kept with those of the other processes, so a checkpoint would not be read"
        } else if matches!(self.trigger, Trigger::Once | Trigger::AvailableNow) {
            "one process does not know when all is read; run it until it is stopped"
        } else {
            return Ok(());
        };
        let message = format!(
            "`{}` is shared with other processes: {why}",
            source.describe()
        );
        Err(Error::new(ErrorKind::Config, message))
    }
}
