//! Starts the sources and sinks of a query.

use super::handle::Shared;
use crate::exec::RuntimeEnv;
use crate::stream::checkpoint::Recovered;
use crate::stream::source::SourceContext;
use crate::stream::{History, Replay, Sink, SinkContext, StreamSource};
use crate::{Error, ErrorKind, Result};

/// Refuses to compute the damaged state of committed epochs again without their input.
pub(super) fn check_replays(
    sources: &[Box<dyn StreamSource>],
    recovered: &Recovered,
) -> Result<()> {
    let committed = |(epoch, _): &&(u64, _)| *epoch < recovered.committed;
    for (epoch, offsets) in recovered.replays.iter().take_while(committed) {
        let mut inputs = sources.iter().zip(&offsets.ranges);
        let lost =
            inputs.find(|(source, range)| range.is_some() && source.replay() == Replay::Nothing);
        if let Some((source, _)) = lost {
            let message = format!(
                "the state of epoch {epoch} is damaged ({}), and `{}` does not give its input \
                 again; restore the file, or begin with another checkpoint",
                recovered.remarks.join("; "),
                source.describe()
            );
            return Err(Error::new(ErrorKind::Checkpoint, message));
        }
    }
    Ok(())
}

pub(super) fn start_sources(
    sources: &mut [Box<dyn StreamSource>],
    env: &RuntimeEnv,
    shared: &Shared,
    recovered: &Recovered,
) -> Result<()> {
    let memory = env.memory / 4 / sources.len();
    for (number, source) in sources.iter_mut().enumerate() {
        let positions = recovered.positions.as_ref();
        let ranges = recovered.ranges.iter();
        let history = History {
            position: positions.and_then(|all| all.get(number).cloned()),
            ranges: ranges
                .filter_map(|epoch| epoch.get(number).cloned().flatten())
                .collect(),
        };
        source.start(SourceContext {
            history,
            wake: shared.wake.clone(),
            memory,
        })?;
    }
    Ok(())
}

/// A sink, and the last epoch that it had when the query started.
pub(super) type StartedSink = (Box<dyn Sink>, Option<u64>);

pub(super) fn start_sinks(
    sinks: Vec<Box<dyn Sink>>,
    context: &SinkContext,
    recovered: &Recovered,
) -> Result<Vec<StartedSink>> {
    let mut started = Vec::new();
    for mut sink in sinks {
        sink.start(context)?;
        let last = sink.last_epoch()?;
        if let Some(last) = last.filter(|&last| last >= recovered.next) {
            let message = format!(
                "`{}` has epoch {last}, and the checkpoint knows the epochs before {}; restore \
                 the checkpoint, or begin with another one and an empty sink",
                sink.describe(),
                recovered.next
            );
            return Err(Error::new(ErrorKind::Checkpoint, message));
        }
        started.push((sink, last));
    }
    Ok(started)
}

/// The names of sinks in reports: first those of results.
pub(super) fn sink_names(sinks: &[StartedSink], late_sinks: &[StartedSink]) -> Vec<String> {
    let names = sinks.iter().map(|(sink, _)| sink.describe());
    let late = late_sinks.iter();
    let late = late.map(|(sink, _)| format!("{} (late rows)", sink.describe()));
    names.chain(late).collect()
}
