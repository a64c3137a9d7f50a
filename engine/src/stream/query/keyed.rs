//! The keyed aggregation of a query: runs one epoch as a batch job.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::aggregate::AggregateExpr;
use crate::exec::{
    self, GroupByJob, InputPart, Job, JobInput, JobOptions, RuntimeEnv, TextCountJob,
};
use crate::expr::{Expr, RowSteps};
use crate::operator::text_count::columns::count_schema;
use crate::operator::{Drain, Operator, Order, OrderBy};
use crate::state::GroupShape;
use crate::stream::EpochInput;
use crate::stream::checkpoint::Definition;
use crate::{BatchLimits, Cancel, Error, ErrorKind, Result, StateStore};

/// What is computed of each epoch.
pub(crate) enum Keyed {
    /// Counts of tokens.
    Tokens(TextCountJob),
    /// Aggregates of rows.
    Rows {
        /// What is done with the rows before.
        steps: RowSteps,
        keys: Vec<Expr>,
        aggregates: Vec<AggregateExpr>,
    },
}

impl Keyed {
    /// Describes it in a line; another line is another query.
    pub(super) fn describe(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match self {
            Self::Tokens(job) => {
                let lowercase = if job.lowercase { " in lower case" } else { "" };
                format!("count of tokens ({}){lowercase}", job.rule)
            }
            Self::Rows {
                steps,
                keys,
                aggregates,
            } => {
                let keys = list(keys.iter().map(ToString::to_string).collect());
                let aggregates = list(aggregates.iter().map(named).collect());
                let steps = steps.describe();
                let steps = steps
                    .iter()
                    .map(|(step, what)| format!(" of rows: {step} {what}"));
                format!("{aggregates} by {keys}{}", steps.collect::<String>())
            }
        }
    }

    /// What is computed of rows of these columns, or of text.
    pub(super) fn definition(&self, rows: Option<&SchemaRef>) -> Definition {
        match self {
            Self::Tokens(_) => Definition::Tokens,
            Self::Rows {
                keys, aggregates, ..
            } => Definition::Rows {
                columns: rows
                    .iter()
                    .flat_map(|schema| schema.fields())
                    .map(|field| (field.name().clone(), field.data_type().to_string()))
                    .collect(),
                keys: keys.iter().map(ToString::to_string).collect(),
                aggregates: aggregates
                    .iter()
                    .map(|it| (it.to_string(), it.output_name()))
                    .collect(),
            },
        }
    }

    /// The aggregation over rows of these columns, or over text.
    pub(super) fn bind(self, rows: Option<&SchemaRef>) -> Result<Grouping> {
        match (self, rows) {
            (Self::Tokens(job), None) => Ok(Grouping::tokens(job)),
            (
                Self::Rows {
                    steps,
                    keys,
                    aggregates,
                },
                Some(schema),
            ) => Grouping::rows(schema, steps, &keys, &aggregates),
            (Self::Tokens(_), Some(_)) => Err(Error::new(
                ErrorKind::Config,
                "the source gives rows, which have no tokens; group them by columns",
            )),
            (Self::Rows { .. }, None) => Err(Error::new(
                ErrorKind::Config,
                "the source gives text, which has no columns; tokenize it, or name its columns",
            )),
        }
    }
}

fn named(aggregate: &AggregateExpr) -> String {
    let (call, name) = (aggregate.to_string(), aggregate.output_name());
    if call == name {
        return call;
    }
    format!("{call} as {name}")
}

/// An aggregation of known columns.
pub(super) struct Grouping {
    runner: Runner,
    pub(super) schema: SchemaRef,
    pub(super) state_schema: SchemaRef,
    pub(super) key_columns: usize,
    count_column: Option<String>,
    new_store: NewStore,
}

enum Runner {
    Tokens(TextCountJob),
    Rows(RowSteps, GroupByJob),
}

type NewStore = Box<dyn Fn() -> Result<crate::StateStoreBuilder> + Send>;

/// The groups of an epoch, and what was read.
pub(super) struct Grouped {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The adapter that has computed some of it.
    pub(super) device: Option<String>,
}

impl Grouping {
    fn tokens(job: TextCountJob) -> Self {
        Self {
            runner: Runner::Tokens(job),
            schema: count_schema(),
            state_schema: count_schema(),
            key_columns: 1,
            count_column: Some("count".to_owned()),
            new_store: Box::new(StateStore::for_counts),
        }
    }

    fn rows(
        input: &SchemaRef,
        steps: RowSteps,
        keys: &[Expr],
        aggregates: &[AggregateExpr],
    ) -> Result<Self> {
        let bound = steps.bind(input)?;
        let input = bound.schema();
        let shape = GroupShape::new(input, keys, aggregates)?;
        let key_columns = shape.key_types().len();
        let count = shape.first_count().map(|number| key_columns + number);
        let schema = shape.schema().clone();
        let (input, keys, aggregates) = (input.clone(), keys.to_vec(), aggregates.to_vec());
        Ok(Self {
            key_columns,
            count_column: count.map(|column| schema.field(column).name().clone()),
            schema,
            state_schema: shape.state_schema().clone(),
            runner: Runner::Rows(steps, GroupByJob::new(shape)),
            new_store: Box::new(move || {
                StateStore::for_group_by(&input, keys.clone(), aggregates.clone())
            }),
        })
    }

    /// A store for the state, without groups.
    pub(super) fn new_store(&self, env: &RuntimeEnv, hash_seed: u64) -> Result<StateStore> {
        let store = (self.new_store)()?;
        store.level(env.level).hash_seed(hash_seed).build()
    }

    /// Whether `order` can be had, and the columns that it names.
    pub(super) fn order_columns(&self, order: &Order) -> Result<Vec<OrderBy>> {
        let columns = match order {
            Order::Count => {
                let count = self.count_column.as_ref().ok_or_else(|| {
                    let message = "the order by count needs the aggregate `count`";
                    Error::new(ErrorKind::Config, message)
                })?;
                vec![OrderBy::new(count).descending()]
            }
            Order::Columns(columns) => columns.clone(),
            Order::Key | Order::None => Vec::new(),
        };
        let lacks = |by: &&OrderBy| self.schema.field_with_name(by.column()).is_err();
        match columns.iter().find(lacks) {
            Some(by) => {
                let message = format!("cannot sort by `{}`: there is no such column", by.column());
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(columns),
        }
    }

    /// The states of the groups of an epoch. Keys that several inputs have come several times.
    pub(super) fn states(
        &self,
        env: &RuntimeEnv,
        inputs: Vec<EpochInput>,
        cancel: &Cancel,
        epoch: u64,
    ) -> Result<Grouped> {
        let mut all = Grouped {
            batches: Vec::new(),
            rows: 0,
            bytes: 0,
            device: None,
        };
        for (number, input) in (0..).zip(inputs) {
            let options = JobOptions {
                cancel: cancel.clone(),
                part: InputPart {
                    epoch,
                    input: number,
                },
                ..JobOptions::default()
            };
            let grouped = match &self.runner {
                Runner::Tokens(job) => run(env, job, input, None, &options)?,
                Runner::Rows(steps, job) => run(env, job, input, Some(steps), &options)?,
            };
            all.batches.extend(grouped.batches);
            all.rows += grouped.rows;
            all.bytes += grouped.bytes;
            all.device = grouped.device.or(all.device);
        }
        Ok(all)
    }

    /// The answers of states.
    pub(super) fn answers(
        &self,
        env: &RuntimeEnv,
        states: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>> {
        match &self.runner {
            Runner::Tokens(job) => answers(env, job, states),
            Runner::Rows(_, job) => answers(env, job, states),
        }
    }
}

fn run<J: Job>(
    env: &RuntimeEnv,
    job: &J,
    input: EpochInput,
    steps: Option<&RowSteps>,
    options: &JobOptions,
) -> Result<Grouped> {
    let input = match input {
        EpochInput::Text(source) => JobInput::Source(source),
        EpochInput::Batches(batches) => JobInput::Batches(match steps {
            Some(steps) => batches.with_steps(steps, None)?,
            None => batches,
        }),
    };
    let limits = BatchLimits::default();
    let output = exec::run(env, job, input, options, Drain::State, &Order::None, limits)?;
    let seen = output.seen;
    Ok(Grouped {
        batches: env.pool.install(|| output.batches.collect::<Result<_>>())?,
        rows: if seen.tokens > 0 {
            seen.tokens
        } else {
            seen.rows
        },
        bytes: seen.bytes,
        device: output.stats.device,
    })
}

fn answers<J: Job>(env: &RuntimeEnv, job: &J, states: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let mut operator = job.operator(&env.resources())?;
    for batch in states {
        operator.push_state(batch)?;
    }
    let batches = operator.drain(Drain::Values, &Order::None, BatchLimits::default())?;
    batches.collect()
}

/// The columns of a schema in a line.
pub(super) fn describe_columns(schema: &SchemaRef) -> String {
    let fields = schema.fields().iter();
    let columns: Vec<String> = fields
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    columns.join(", ")
}

/// The one schema of all sources, or text.
pub(super) fn common_schema(
    sources: &[Box<dyn crate::stream::StreamSource>],
) -> Result<Option<SchemaRef>> {
    let mut schemas = sources.iter().map(|source| source.schema());
    let Some(first) = schemas.next().transpose()? else {
        let message = "a stream needs a source";
        return Err(Error::new(ErrorKind::Config, message));
    };
    for other in schemas {
        let same = match (&first, &other?) {
            (None, None) => true,
            (Some(first), Some(other)) => Arc::ptr_eq(first, other) || first == other,
            _ => false,
        };
        if !same {
            let message = "the sources of a stream have different columns";
            return Err(Error::new(ErrorKind::Config, message));
        }
    }
    Ok(first)
}
