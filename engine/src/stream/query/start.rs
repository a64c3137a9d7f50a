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

/// A sink of a query.
pub(super) struct StartedSink {
    pub(super) sink: Box<dyn Sink>,
    /// The last epoch that it had when it started.
    last: Option<u64>,
    /// What it needs to start, and the first epoch that the checkpoint does not know, until it has started.
    pending: Option<(SinkContext, u64)>,
}

impl StartedSink {
    fn new(sink: Box<dyn Sink>, context: &SinkContext, next: u64) -> Result<Self> {
        let mut it = Self {
            sink,
            last: None,
            pending: Some((context.clone(), next)),
        };
        match it.ensure_started() {
            // The first epoch waits for it.
            Err(error) if error.kind() == ErrorKind::Unavailable && it.sink.may_start_later() => {
                Ok(it)
            }
            started => started.map(|()| it),
        }
    }

    /// Starts the sink, if it did not answer before.
    pub(super) fn ensure_started(&mut self) -> Result<()> {
        let Some((context, next)) = &self.pending else {
            return Ok(());
        };
        self.sink.start(context)?;
        let last = self.sink.last_epoch()?;
        if let Some(last) = last.filter(|last| last >= next) {
            let message = format!(
                "`{}` has epoch {last}, and the checkpoint knows the epochs before {next}; restore \
                 the checkpoint, or begin with another one and an empty sink",
                self.sink.describe(),
            );
            return Err(Error::new(ErrorKind::Checkpoint, message));
        }
        self.last = last;
        self.pending = None;
        Ok(())
    }

    /// Whether it had an epoch when it started.
    pub(super) fn has(&self, epoch: u64) -> bool {
        self.last.is_some_and(|last| last >= epoch)
    }
}

pub(super) fn start_sinks(
    sinks: Vec<Box<dyn Sink>>,
    context: &SinkContext,
    recovered: &Recovered,
) -> Result<Vec<StartedSink>> {
    let started = sinks
        .into_iter()
        .map(|sink| StartedSink::new(sink, context, recovered.next));
    started.collect()
}

/// The names of sinks in reports: first those of results.
pub(super) fn sink_names(sinks: &[StartedSink], late_sinks: &[StartedSink]) -> Vec<String> {
    let names = sinks.iter().map(|it| it.sink.describe());
    let late = late_sinks.iter();
    let late = late.map(|it| format!("{} (late rows)", it.sink.describe()));
    names.chain(late).collect()
}
