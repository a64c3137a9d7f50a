//! What a query is, and its start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::StreamProgress;
use super::commit::{Committer, Writer};
use super::committed_state::Readable;
use super::compute::Memory;
use super::driver::{Driver, SinceSnapshot};
use super::epoch::Outputs;
use super::handle::{Shared, StreamQuery};
use super::keyed::{Keyed, common_schema, describe_columns};
use super::pace::Pace;
use super::start::{check_replays, sink_names, start_sinks, start_sources};
use super::state_function::StateFunction;
use super::step_times::StepMeter;
use crate::exec::RuntimeEnv;
use crate::operator::Order;
use crate::runtime::parallel::caught;
use crate::spill::BatchBuffer;
use crate::stream::Faults;
use crate::stream::checkpoint::{Checkpoint, Metadata, Recovered};
use crate::stream::distinct::BoundDistinct;
use crate::stream::transform::{RowTransform, Transforms};
use crate::stream::window::Window;
use crate::stream::{
    Delivery, Distinct, EpochLimits, OutputMode, Replay, Sink, SinkContext, StateUpdate,
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
    /// What removes duplicates, and how many of `transforms` come before it.
    pub(crate) distinct: Option<(Distinct, usize)>,
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
    /// Where late rows go.
    pub(crate) late_sinks: Vec<Box<dyn Sink>>,
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
            distinct: None,
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
            late_sinks: Vec::new(),
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

    /// What is computed, in a line. A query with another line cannot continue from its checkpoint.
    fn describe(&self, window: Option<&Window>) -> String {
        let mut computed = self.keyed.describe(window);
        if let Some(function) = &self.function {
            computed = format!("{computed}, {}", function.describe());
        }
        for (number, step) in self.transforms.iter().enumerate() {
            let word = if number == 0 { "after" } else { "and" };
            computed = format!("{computed} {word} {}", step.describe());
        }
        if let Some((distinct, _)) = &self.distinct {
            computed = format!("{computed}, {}", distinct.describe());
        }
        computed
    }

    pub(super) fn has_state(&self) -> bool {
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
        if self.has_shared_source() {
            return self.shared_delivery();
        }
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
        let sinks = self.sinks.iter().chain(&self.late_sinks);
        match sinks.min_by_key(|sink| sink.delivery()) {
            Some(sink) => {
                let (delivery, name) = (sink.delivery(), sink.describe());
                (delivery, format!("`{name}` is {}", delivery.name()))
            }
            None => (Delivery::AtLeastOnce, "there is no sink".to_owned()),
        }
    }

    /// Says what the query does, one line per step.
    pub(crate) fn explain(&self) -> String {
        let names = |names: Vec<String>| names.join(", ");
        let sources = names(self.sources.iter().map(|it| it.describe()).collect());
        let mut sinks = names(self.sinks.iter().map(|it| it.describe()).collect());
        for sink in &self.late_sinks {
            sinks = format!("{sinks}, late rows to {}", sink.describe());
        }
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
        self.check_distinct()?;
        self.check_shared_source()?;
        self.check_late_sinks()?;
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

    fn check_distinct(&self) -> Result<()> {
        let Some((distinct, before)) = &self.distinct else {
            return Ok(());
        };
        let has_watermark = self.window.as_ref().is_some_and(|it| it.delay().is_some());
        let message = if distinct.columns.is_empty() {
            "name the columns that rows are distinct on"
        } else if *before < self.transforms.len() {
            "duplicates are removed after all other steps over rows: call drop_duplicates last"
        } else if distinct.within.is_some_and(|within| within.is_zero()) {
            "duplicates cannot be remembered for no time"
        } else if distinct.within.is_some() && has_watermark {
            "the watermark says how long duplicates are remembered; a time for it is for queries without one"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Config, message))
    }

    fn check_late_sinks(&self) -> Result<()> {
        if self.late_sinks.is_empty() {
            return Ok(());
        }
        let has_watermark = self.window.as_ref().is_some_and(|it| it.delay().is_some());
        if !has_watermark || self.mode() == OutputMode::Complete {
            let message = "late rows are those of windows that a watermark has closed, and here it closes none; \
                           set a watermark, and the mode `append` or `update`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let results: Vec<String> = self.sinks.iter().map(|it| it.describe()).collect();
        // Sinks without an address, such as `console:` and `memory`, are not the same place.
        let has_address = |name: &String| !name.ends_with(':') && name.contains(':');
        let mut late = self.late_sinks.iter().map(|it| it.describe());
        match late.find(|it| has_address(it) && results.contains(it)) {
            Some(name) => {
                let message = format!("`{name}` cannot have both results and late rows");
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(()),
        }
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
        if let Some((distinct, _)) = self.distinct {
            distinct.bind(rows.as_ref(), grouping.row_times())?;
        }
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
        grouping.keeps_late_rows = !self.late_sinks.is_empty();
        let distinct = match self.distinct {
            Some((distinct, _)) => Some(distinct.bind(rows.as_ref(), grouping.row_times())?),
            None => None,
        };
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
        let columns = distinct.as_ref().map(BoundDistinct::columns);
        let metadata = Metadata::new(query.clone(), definition, state, columns, kinds.collect());
        let checkpoint = match &self.checkpoint {
            Some(folder) => Some(Checkpoint::open(folder, metadata.clone())?),
            None => None,
        };
        let metadata = checkpoint.as_ref().map_or(&metadata, Checkpoint::metadata);
        let (id, hash_seed) = (metadata.id.clone(), metadata.hash_seed);
        let stores = usize::from(has_state) + usize::from(distinct.is_some());
        let memory = Memory::of_state(&self.env, stores);
        let store = match has_state {
            true => Some(Arc::new(grouping.new_store(&self.env, hash_seed, memory)?)),
            false => None,
        };
        if let Some(distinct) = distinct {
            let store = distinct.new_store(&self.env, hash_seed, memory)?;
            grouping.distinct = Some((distinct, Arc::new(store)));
        }
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
        };
        let recovered = match &checkpoint {
            Some(checkpoint) => checkpoint.recover(&outputs.stores())?,
            None => Recovered::default(),
        };
        let windowed = &outputs.grouping.windowed;
        if let (Some(windowed), Some(store)) = (windowed, &outputs.store) {
            windowed.start(store)?;
        }
        check_replays(&self.sources, &recovered)?;
        let windows = outputs.grouping.windowed.as_ref();
        let windows = windows.map(|it| it.output.clone());
        let readable = Readable::new(outputs.store.clone().map(|store| (store, windows)));
        let shared = Arc::new(Shared::new(readable));
        start_sources(&mut self.sources, &self.env, &shared, &recovered)?;
        let context = SinkContext {
            query: id.clone(),
            schema: outputs.grouping.schema.clone(),
            key_columns: outputs.grouping.key_columns,
            mode,
            stopping: shared.stopping.clone(),
        };
        let sinks = start_sinks(self.sinks, &context, &recovered)?;
        let late_context = SinkContext {
            schema: rows.unwrap_or_else(|| context.schema.clone()),
            key_columns: 0,
            mode: OutputMode::Append,
            ..context
        };
        let late_sinks = start_sinks(self.late_sinks, &late_context, &recovered)?;
        let (outputs, checkpoint) = (Arc::new(outputs), checkpoint.map(Arc::new));
        let names = sink_names(&sinks, &late_sinks);
        let since = checkpoint.as_ref();
        let since = since.map_or_else(SinceSnapshot::default, |it| {
            SinceSnapshot::of(it, &recovered)
        });
        let committer = Committer {
            env: self.env.clone(),
            outputs: outputs.clone(),
            windows: BatchBuffer::new(self.env.memory / 16, self.env.spill_dir.clone()),
            sinks,
            late_sinks,
            checkpoint: checkpoint.clone(),
            faults: self.faults.clone(),
            shared: shared.clone(),
        };
        let driver = Driver {
            can_overlap: outputs.can_overlap() && !self.sources.iter().any(|it| it.is_shared()),
            env: self.env,
            sources: self.sources,
            writer: Writer::Idle(Box::new(committer)),
            sinks: names,
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
            since,
        };
        let query = StreamQuery {
            shared,
            thread: None,
            id,
            first_epoch: recovered.replays.first().map_or(recovered.next, |it| it.0),
            remarks: recovered.remarks.clone(),
        };
        spawn(driver, recovered, query)
    }
}

fn spawn(mut driver: Driver, recovered: Recovered, mut query: StreamQuery) -> Result<StreamQuery> {
    let thread = std::thread::Builder::new().name("keymill-stream".to_owned());
    let spawned = thread.spawn({
        let shared = query.shared.clone();
        move || {
            let result = caught(|| driver.run(recovered));
            drop(driver);
            shared.end(result);
        }
    });
    query.thread = Some(spawned.map_err(|cause| {
        let message = "the system starts no thread for the query";
        Error::new(ErrorKind::Internal, message).with_source(cause)
    })?);
    Ok(query)
}
