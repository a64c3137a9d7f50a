//! What a query is, and its start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::StreamProgress;
use super::driver::Driver;
use super::epoch::Outputs;
use super::handle::{Shared, StreamQuery};
use super::keyed::{Keyed, common_schema, describe_columns};
use super::pace::Pace;
use super::state_function::StateFunction;
use super::step_times::StepMeter;
use crate::exec::RuntimeEnv;
use crate::operator::Order;
use crate::runtime::parallel::caught;
use crate::stream::Faults;
use crate::stream::checkpoint::{Checkpoint, Metadata, Recovered};
use crate::stream::source::SourceContext;
use crate::stream::transform::{RowTransform, Transforms};
use crate::stream::window::Window;
use crate::stream::{
    Delivery, EpochLimits, History, OutputMode, Replay, Sink, SinkContext, StateUpdate,
    StreamSource, Trigger,
};
use crate::{Error, ErrorKind, Result};

/// Called with the report of every epoch.
pub(crate) type Listener = Box<dyn FnMut(&StreamProgress) + Send>;

/// What a query is.
pub(crate) struct QueryPlan {
    pub(crate) env: Arc<RuntimeEnv>,
    pub(crate) sources: Vec<Box<dyn StreamSource>>,
    /// What is done to rows before they are grouped.
    pub(crate) transforms: Vec<Box<dyn RowTransform>>,
    pub(crate) keyed: Keyed,
    pub(crate) update: Option<StateUpdate>,
    /// A function that changes the state, instead of running aggregates.
    pub(crate) function: Option<StateFunction>,
    pub(crate) window: Option<Window>,
    /// Whether all windows are closed when the input has ended.
    pub(crate) flushes: bool,
    pub(crate) mode: Option<OutputMode>,
    pub(crate) order: Option<Order>,
    pub(crate) top: Option<usize>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) trigger: Trigger,
    pub(crate) limits: EpochLimits,
    pub(crate) sinks: Vec<Box<dyn Sink>>,
    pub(crate) checkpoint: Option<PathBuf>,
    pub(crate) required: Option<Delivery>,
    pub(crate) name: Option<String>,
    pub(crate) snapshot_epochs: u64,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) faults: Faults,
}

impl QueryPlan {
    pub(crate) fn new(
        env: Arc<RuntimeEnv>,
        sources: Vec<Box<dyn StreamSource>>,
        keyed: Keyed,
    ) -> Self {
        Self {
            env,
            sources,
            transforms: Vec::new(),
            keyed,
            update: None,
            function: None,
            window: None,
            flushes: false,
            mode: None,
            order: None,
            top: None,
            ttl: None,
            trigger: Trigger::AsFastAsPossible,
            limits: EpochLimits::default(),
            sinks: Vec::new(),
            checkpoint: None,
            required: None,
            name: None,
            snapshot_epochs: 1000,
            listeners: Vec::new(),
            faults: Faults::default(),
        }
    }

    fn mode(&self) -> OutputMode {
        self.mode.unwrap_or(match self.has_state() {
            true => OutputMode::Update,
            false => OutputMode::Append,
        })
    }

    /// What is computed, in a line; another line is another query.
    fn describe(&self, window: Option<&Window>) -> String {
        let mut computed = self.keyed.describe(window);
        if let Some(function) = &self.function {
            computed = format!("{computed}, {}", function.describe());
        }
        for (number, step) in self.transforms.iter().enumerate() {
            let word = if number == 0 { "after" } else { "and" };
            computed = format!("{computed} {word} {}", step.describe());
        }
        computed
    }

    fn has_state(&self) -> bool {
        self.keeps_totals() || self.window.is_some()
    }

    fn keeps_totals(&self) -> bool {
        self.update.is_some() || self.function.is_some()
    }

    /// How often results arrive when the query is killed and started again.
    pub(crate) fn delivery(&self) -> (Delivery, String) {
        let lossy = self
            .sources
            .iter()
            .find(|it| it.replay() == Replay::Nothing);
        if self.checkpoint.is_none() {
            let why = "there is no checkpoint: a restart begins from nothing";
            return (Delivery::AtLeastOnce, why.to_owned());
        }
        if let Some(source) = lossy {
            let why = format!(
                "`{}` does not give again what was received and not committed",
                source.describe()
            );
            return (Delivery::AtLeastOnce, why);
        }
        match self.sinks.iter().min_by_key(|sink| sink.delivery()) {
            Some(sink) => {
                let (delivery, name) = (sink.delivery(), sink.describe());
                (delivery, format!("`{name}` is {}", delivery.name()))
            }
            None => (Delivery::AtLeastOnce, "there is no sink".to_owned()),
        }
    }

    /// Says what the query does, a line a step.
    pub(crate) fn explain(&self) -> String {
        let names = |names: Vec<String>| names.join(", ");
        let sources = names(self.sources.iter().map(|it| it.describe()).collect());
        let sinks = names(self.sinks.iter().map(|it| it.describe()).collect());
        let state = match (&self.window, self.update) {
            (Some(window), _) => window.to_string(),
            _ if self.function.is_some() => "by a function".to_owned(),
            (None, Some(StateUpdate::Running)) => "running totals".to_owned(),
            (None, None) => "none: every epoch stands alone".to_owned(),
        };
        let (delivery, why) = self.delivery();
        let checkpoint = self.checkpoint.as_ref();
        let checkpoint = checkpoint.map_or("none".to_owned(), crate::shown_name);
        format!(
            "source      {sources}\ntrigger     {:?}\ncompute     {}\nstate       {state}\n\
             mode        {}\nsink        {sinks}\ncheckpoint  {checkpoint}\n\
             guarantee   {}: {why}\n",
            self.trigger,
            self.describe(None),
            self.mode(),
            delivery.name(),
        )
    }

    fn check(&self) -> Result<()> {
        self.trigger.check()?;
        self.mode().check(self.has_state(), self.window.as_ref())?;
        if self.flushes && (self.window.is_none() || self.mode() != OutputMode::Append) {
            let message = "a flush writes the windows that the mode `append` has kept back until then; \
                           other queries have written their groups already";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.function.is_some() && self.window.is_some() {
            let message =
                "windows keep aggregates; a function over state is for queries without windows";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.ttl.is_some() && (!self.keeps_totals() || self.window.is_some()) {
            let message =
                "a time to live is of running totals; windows are removed when they close";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.sinks.is_empty() {
            let message = "a stream needs a sink";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let (delivery, why) = self.delivery();
        if let Some(required) = self.required.filter(|&required| delivery < required) {
            let message = format!(
                "the query cannot deliver {}, as it was required to: {why}",
                required.name()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }

    /// Checks what can be checked without opening anything, and says what the query does.
    ///
    /// # Errors
    ///
    /// Those of the plan.
    pub(crate) fn validate(self) -> Result<String> {
        self.check()?;
        let explained = self.explain();
        let rows = common_schema(&self.sources)?;
        let (_, rows) = Transforms::bind(self.transforms, rows)?;
        let mut grouping = self.keyed.bind(rows.as_ref(), self.window)?;
        if let Some(function) = self.function {
            grouping = grouping.with_function(function)?;
        }
        if let Some(order) = &self.order {
            grouping.order_columns(order)?;
        }
        Ok(explained)
    }

    /// Starts the query: restores its state, and starts its thread.
    ///
    /// # Errors
    ///
    /// Those of the plan, the checkpoint, the sources and the sinks.
    pub(crate) fn start(mut self) -> Result<StreamQuery> {
        self.check()?;
        let mode = self.mode();
        let has_state = self.has_state();
        let query = self.describe(self.window.as_ref());
        let rows = common_schema(&self.sources)?;
        let (transforms, rows) = Transforms::bind(self.transforms, rows)?;
        let mut grouping = self.keyed.bind(rows.as_ref(), self.window)?;
        grouping.transforms = transforms;
        if let Some(function) = self.function {
            grouping = grouping.with_function(function)?;
        }
        let definition = grouping.definition.clone();
        let order = self
            .order
            .take()
            .unwrap_or(match (&rows, &grouping.function) {
                (None, None) => Order::Count,
                _ => Order::Key,
            });
        let order = grouping.order_columns(&order)?;
        let state = describe_columns(&grouping.state_schema);
        let kinds = self.sources.iter().map(|it| it.kind().to_owned());
        let state = has_state.then_some(state);
        let metadata = Metadata::new(query.clone(), definition, state, kinds.collect());
        let checkpoint = match &self.checkpoint {
            Some(folder) => Some(Checkpoint::open(folder, metadata.clone())?),
            None => None,
        };
        let metadata = checkpoint.as_ref().map_or(&metadata, Checkpoint::metadata);
        let (id, hash_seed) = (metadata.id.clone(), metadata.hash_seed);
        let store = match has_state {
            true => Some(Arc::new(grouping.new_store(&self.env, hash_seed)?)),
            false => None,
        };
        let recovered = match &checkpoint {
            Some(checkpoint) => checkpoint.recover(store.as_deref())?,
            None => Recovered::default(),
        };
        check_replays(&self.sources, &recovered)?;
        let shared = Arc::new(Shared::default());
        start_sources(&mut self.sources, &self.env, &shared, &recovered)?;
        let context = SinkContext {
            query: id.clone(),
            schema: grouping.schema.clone(),
            key_columns: grouping.key_columns,
            mode,
        };
        let sinks = start_sinks(self.sinks, &context, &recovered)?;
        let remarks = recovered.remarks.clone();
        let outputs = Outputs {
            mode,
            order,
            top: self.top,
            ttl: self
                .ttl
                .map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 2)),
            grouping,
            store,
            query,
            windows: Vec::new(),
        };
        let driver = Driver {
            env: self.env,
            sources: self.sources,
            sinks,
            outputs,
            checkpoint,
            trigger: self.trigger,
            flushes: self.flushes,
            limits: self.limits,
            snapshot_epochs: self.snapshot_epochs,
            listeners: self.listeners,
            faults: self.faults,
            shared: shared.clone(),
            id: id.clone(),
            run_id: format!("{:016x}", crate::runtime::random_seed()),
            name: self.name,
            next: recovered.next,
            watermark: recovered.watermark,
            meter: StepMeter::default(),
            pace: Pace::new(self.trigger),
        };
        spawn(driver, recovered, shared, id, remarks)
    }
}

fn spawn(
    mut driver: Driver,
    recovered: Recovered,
    shared: Arc<Shared>,
    id: String,
    remarks: Vec<String>,
) -> Result<StreamQuery> {
    let thread = std::thread::Builder::new().name("keymill-stream".to_owned());
    let spawned = thread.spawn({
        let shared = shared.clone();
        move || {
            let result = caught(|| driver.run(recovered));
            drop(driver);
            shared.end(result);
        }
    });
    let thread = spawned.map_err(|cause| {
        let message = "the system starts no thread for the query";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })?;
    Ok(StreamQuery {
        shared,
        thread: Some(thread),
        id,
        remarks,
    })
}

/// Refuses to compute the damaged state of committed epochs again without their input.
fn check_replays(sources: &[Box<dyn StreamSource>], recovered: &Recovered) -> Result<()> {
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

fn start_sources(
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

fn start_sinks(
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
