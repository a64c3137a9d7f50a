//! The keyed aggregation of a query: runs one epoch as a batch job.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::state_function::StateFunction;
use crate::aggregate::{AggregateExpr, count_rows, max};
use crate::exec::{GroupByJob, RuntimeEnv, TextCountJob};
use crate::expr::{Expr, col};
use crate::operator::text_count::columns::count_schema;
use crate::operator::{Order, OrderBy};
use crate::state::GroupShape;
use crate::stream::checkpoint::Definition;
use crate::stream::distinct::BoundDistinct;
use crate::stream::transform::Transforms;
use crate::stream::window::{END, RowTimes, START, Window, Windowed};
use crate::{Error, ErrorKind, Result, StateStore, StateStoreBuilder};

/// What is computed of each epoch.
pub(crate) enum Keyed {
    /// Counts of tokens.
    Tokens(TextCountJob),
    /// Aggregates of rows.
    Rows {
        keys: Vec<Expr>,
        aggregates: Vec<AggregateExpr>,
    },
}

impl Keyed {
    /// Describes it in a line. A query with another line cannot continue from its checkpoint.
    pub(super) fn describe(&self, window: Option<&Window>) -> String {
        let computed = self.describe_groups();
        match window {
            Some(window) => format!("{computed} in {}", window.definition()),
            None => computed,
        }
    }

    fn describe_groups(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match self {
            Self::Tokens(job) => {
                let lowercase = if job.lowercase { " in lower case" } else { "" };
                format!("count of tokens ({}){lowercase}", job.rule)
            }
            Self::Rows { keys, aggregates } => {
                let keys = list(keys.iter().map(ToString::to_string).collect());
                let aggregates = list(aggregates.iter().map(named).collect());
                format!("{aggregates} by {keys}")
            }
        }
    }

    /// The aggregation over rows of these columns, or over text.
    pub(super) fn bind(self, rows: Option<&SchemaRef>, window: Option<Window>) -> Result<Grouping> {
        let times = match &window {
            Some(window) => Windowed::times(window, rows)?,
            None => None,
        };
        let groups = match (self, rows) {
            (Self::Tokens(job), None) => Groups::Tokens(job),
            (Self::Rows { keys, aggregates }, Some(schema)) => Groups::Rows(Rows {
                schema: schema.clone(),
                keys,
                aggregates,
            }),
            (Self::Tokens(_), Some(_)) => {
                let message = "the source gives rows, which have no tokens; group them by columns";
                return Err(Error::new(ErrorKind::Config, message));
            }
            (Self::Rows { .. }, None) => {
                let message = "the source gives text, which has no columns; tokenize it, or name its \
                               columns";
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        match window {
            Some(window) => Grouping::windowed(groups, window, times),
            None => Grouping::new(groups),
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

/// What is computed of known columns.
enum Groups {
    Tokens(TextCountJob),
    Rows(Rows),
}

/// Aggregates of rows of known columns.
#[derive(Clone)]
struct Rows {
    schema: SchemaRef,
    keys: Vec<Expr>,
    aggregates: Vec<AggregateExpr>,
}

impl Rows {
    fn shape(&self) -> Result<GroupShape> {
        GroupShape::new(&self.schema, &self.keys, &self.aggregates)
    }

    fn store(&self) -> Result<StateStoreBuilder> {
        StateStore::for_group_by(&self.schema, self.keys.clone(), self.aggregates.clone())
    }

    /// The same by window, too, whose start is the first column of the rows and of the keys.
    fn by_window(&self, schema: SchemaRef) -> Self {
        let mut keys = vec![col(START)];
        keys.extend(self.keys.iter().cloned());
        Self {
            schema,
            keys,
            aggregates: self.aggregates.clone(),
        }
    }

    fn definition(&self, window: Option<&Window>) -> Definition {
        let fields = self.schema.fields().iter();
        let columns = fields.map(|field| (field.name().clone(), field.data_type().to_string()));
        let aggregates = self.aggregates.iter();
        Definition::Rows {
            columns: columns.collect(),
            keys: self.keys.iter().map(ToString::to_string).collect(),
            aggregates: aggregates
                .map(|it| (it.to_string(), it.output_name()))
                .collect(),
            window_milliseconds: window.map(Window::size),
            sessions: window.is_some_and(Window::is_session),
        }
    }
}

impl Groups {
    fn runner(&self) -> Result<Runner> {
        Ok(match self {
            Self::Tokens(job) => Runner::Tokens(job.clone()),
            Self::Rows(rows) => Runner::Rows(GroupByJob::new(rows.shape()?)),
        })
    }

    /// The groups as rows that a window's start can be added to.
    fn as_rows(&self) -> Rows {
        match self {
            Self::Tokens(_) => Rows {
                schema: Arc::new(Schema::new(vec![count_schema().field(0).clone()])),
                keys: vec![col("key")],
                aggregates: vec![count_rows().alias("count")],
            },
            Self::Rows(rows) => rows.clone(),
        }
    }
}

/// An aggregation of known columns.
pub(super) struct Grouping {
    /// What is done to rows first.
    pub(super) transforms: Transforms,
    pub(super) runner: Runner,
    /// The results: keys, then aggregates.
    pub(super) schema: SchemaRef,
    pub(super) state_schema: SchemaRef,
    pub(super) key_columns: usize,
    pub(super) windowed: Option<Windowed>,
    /// What removes duplicates, and the values that have come.
    pub(super) distinct: Option<(BoundDistinct, Arc<StateStore>)>,
    /// Whether late rows are wanted.
    pub(super) keeps_late_rows: bool,
    /// The function that makes the state from the groups of an epoch.
    pub(super) function: Option<BoundFunction>,
    /// What is computed, for the checkpoint.
    pub(super) definition: Definition,
    count_column: Option<String>,
    new_store: NewStore,
}

/// A function over state, and the group-by that keeps it.
pub(super) struct BoundFunction {
    pub(super) function: StateFunction,
    pub(super) rows: SchemaRef,
    pub(super) shape: Arc<GroupShape>,
}

pub(super) enum Runner {
    Tokens(TextCountJob),
    Rows(GroupByJob),
}

type NewStore = Box<dyn Fn() -> Result<StateStoreBuilder> + Send + Sync>;

impl Grouping {
    fn new(groups: Groups) -> Result<Self> {
        match &groups {
            Groups::Tokens(_) => Ok(Self {
                transforms: Transforms::default(),
                runner: groups.runner()?,
                schema: count_schema(),
                state_schema: count_schema(),
                key_columns: 1,
                windowed: None,
                distinct: None,
                keeps_late_rows: false,
                function: None,
                definition: Definition::Tokens,
                count_column: Some("count".to_owned()),
                new_store: Box::new(StateStore::for_counts),
            }),
            Groups::Rows(rows) => Self::of_rows(groups.runner()?, rows.clone()),
        }
    }

    fn windowed(groups: Groups, window: Window, times: Option<RowTimes>) -> Result<Self> {
        let (runner, rows) = match &times {
            // The epoch is aggregated by pane.
            Some(times) => {
                let mut rows = groups.as_rows().by_window(times.schema().clone());
                if window.is_session() {
                    rows.aggregates.insert(0, max(col(START)).alias(END));
                }
                (Runner::Rows(GroupByJob::new(rows.shape()?)), rows)
            }
            None => {
                let rows = groups.as_rows();
                let mut fields = vec![Arc::new(Field::new(START, DataType::Int64, true))];
                fields.extend(rows.schema.fields().iter().cloned());
                let schema = Arc::new(Schema::new(fields));
                (groups.runner()?, rows.by_window(schema))
            }
        };
        let definition = rows.definition(Some(&window));
        let grouping = Self::of_rows(runner, rows)?;
        let windowed = Windowed::new(window, times, &grouping.schema);
        Ok(Self {
            // The start of the window is a key column already.
            key_columns: grouping.key_columns + 1,
            schema: windowed.output.schema.clone(),
            definition,
            windowed: Some(windowed),
            ..grouping
        })
    }

    /// The same groups, with a state that a function makes.
    pub(super) fn with_function(self, function: StateFunction) -> Result<Self> {
        let keys = self.schema.fields()[..self.key_columns].iter();
        let keys = keys.map(|field| col(field.name())).collect();
        let (schema, aggregates) = function.state_rows(&self.schema, self.key_columns);
        let rows = Rows {
            schema,
            keys,
            aggregates,
        };
        let bound = BoundFunction {
            function,
            rows: rows.schema.clone(),
            shape: Arc::new(rows.shape()?),
        };
        Ok(Self {
            function: Some(bound),
            transforms: self.transforms,
            ..Self::of_rows(self.runner, rows)?
        })
    }

    /// An aggregation whose state is that of a group-by.
    fn of_rows(runner: Runner, rows: Rows) -> Result<Self> {
        let shape = rows.shape()?;
        let key_columns = shape.key_types().len();
        let count = shape.first_count().map(|number| key_columns + number);
        let schema = shape.schema().clone();
        Ok(Self {
            transforms: Transforms::default(),
            runner,
            key_columns,
            count_column: count.map(|column| schema.field(column).name().clone()),
            schema,
            state_schema: shape.state_schema().clone(),
            windowed: None,
            distinct: None,
            keeps_late_rows: false,
            function: None,
            definition: rows.definition(None),
            new_store: Box::new(move || rows.store()),
        })
    }

    /// How rows get their time, if they have one.
    pub(super) fn row_times(&self) -> Option<&RowTimes> {
        self.windowed.as_ref()?.times.as_ref()
    }

    /// A store for the state, without groups.
    pub(super) fn new_store(
        &self,
        env: &RuntimeEnv,
        hash_seed: u64,
        memory: usize,
    ) -> Result<StateStore> {
        env.stored((self.new_store)()?, hash_seed, memory)
    }

    /// The columns that results are ordered by.
    pub(super) fn order_columns(&self, order: &Order) -> Result<Vec<OrderBy>> {
        let mut columns = match order {
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
        if self.windowed.as_ref().is_some_and(|it| !it.is_session()) {
            columns.insert(0, OrderBy::new(START));
        }
        let lacks = |by: &&OrderBy| self.schema.field_with_name(by.column()).is_err();
        match columns.iter().find(lacks) {
            Some(by) => {
                let message = format!("cannot sort by `{}`: there is no such column", by.column());
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(columns),
        }
    }
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
