//! Jobs that are written in SQL.
#![forbid(unsafe_code)]

use super::{AggregateJob, BatchJob, Engine, Groups, ResultStream};
use crate::operator::Order;
use crate::operator::arrange::Arrangement;
use crate::read::{RecordBatches, Table};
use crate::sql::{Body, Plan, Statement};
use crate::{BatchLimits, Cancel, Progress, Result};

impl BatchJob {
    /// Makes a job of a `SELECT` over the rows of this one. The table may have any name.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a statement that cannot be read or does not work. Columns
    /// are checked when the job runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keymill::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    /// use keymill::prelude::*;
    ///
    /// let sites: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    /// let visits: ArrayRef = Arc::new(Int64Array::from(vec![3, 5, 4]));
    /// let batch = RecordBatch::try_from_iter([("site", sites), ("visits", visits)])?;
    ///
    /// let statement = "SELECT site, sum(visits) AS total FROM batches GROUP BY site ORDER BY total DESC";
    /// let totals = Engine::new()?.read_batches([batch]).sql(statement)?.collect()?;
    /// assert_eq!(totals.num_rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sql(self, statement: &str) -> Result<SqlJob> {
        Ok(SqlJob {
            statement: Statement::parse(statement)?,
            input: self,
        })
    }
}

impl Engine {
    /// Makes a job of a `SELECT` over files: `FROM 'visits.csv'`, a pattern, or `-` for standard input.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a statement that cannot be read or does not work. Files and
    /// columns are checked when the job runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::prelude::*;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("visits.csv");
    /// std::fs::write(&path, "site,count\na.org,3\nb.org,5\na.org,4\n")?;
    ///
    /// let statement = format!("SELECT site FROM '{}' WHERE count > 3", path.display());
    /// assert_eq!(Engine::new()?.sql(&statement)?.collect()?.num_rows(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sql(&self, statement: &str) -> Result<SqlJob> {
        let table = match table_of_sql(statement)?.as_str() {
            "-" => Table::of_reader(std::io::stdin()),
            path => Table::new(path),
        };
        self.read_table(table).sql(statement)
    }
}

/// Returns the table of a `SELECT` as it is written: a path, a pattern or `-`.
///
/// # Errors
///
/// [`Config`](crate::ErrorKind::Config) for a statement that cannot be read or does not work.
///
/// # Examples
///
/// ```
/// assert_eq!(keymill::table_of_sql("SELECT * FROM 'logs/*.csv'")?, "logs/*.csv");
/// # Ok::<(), keymill::Error>(())
/// ```
pub fn table_of_sql(statement: &str) -> Result<String> {
    Ok(Statement::parse(statement)?.table)
}

/// A job that is written in SQL.
#[must_use = "a job does nothing before it is collected or streamed"]
pub struct SqlJob {
    statement: Statement,
    input: BatchJob,
}

impl SqlJob {
    /// Sets a flag that stops the job within a tenth of a second.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.input = self.input.cancel(cancel);
        self
    }

    /// Sets the progress object that the job updates. Keep a clone to read it.
    pub fn progress(mut self, progress: &Progress) -> Self {
        self.input = self.input.progress(progress);
        self
    }

    /// Runs the job and returns all rows in memory.
    ///
    /// # Errors
    ///
    /// Those of [`SqlJob::stream`].
    pub fn collect(self) -> Result<Groups> {
        Groups::collect(self.stream(BatchLimits::default())?)
    }

    /// Runs the job and returns a stream of its rows. Without `ORDER BY`, groups are ordered by key, and
    /// rows are in the order of the input.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for columns that do not exist and for types that do not fit,
    /// and those of [`AggregateJob::stream`] and [`BatchJob::stream`].
    pub fn stream(self, limits: BatchLimits) -> Result<ResultStream> {
        let Self {
            statement,
            mut input,
        } = self;
        let schema = input.schema()?;
        let plan = statement.plan(&schema)?;
        run(input, plan, limits)
    }

    /// Says what the job will do, where, and why. It reads the first batch where the columns are not
    /// known otherwise.
    #[must_use]
    pub fn explain(&mut self) -> String {
        let plan = self
            .input
            .schema()
            .and_then(|schema| self.statement.plan(&schema));
        match plan {
            Ok(plan) => super::explain::sql(&mut self.input, &plan),
            Err(error) => error.to_string(),
        }
    }
}

fn run(input: BatchJob, plan: Plan, limits: BatchLimits) -> Result<ResultStream> {
    let Plan {
        filter,
        body,
        arrangement,
        limit,
        then,
    } = plan;
    let engine = input.engine.clone();
    let options = input.options.clone();
    let input = match filter {
        Some(condition) => input.filter(condition),
        None => input,
    };
    let limits = match (limit, limits.top) {
        (Some(limit), top) => limits.top(top.map_or(limit, |top| top.min(limit))),
        (None, _) => limits,
    };
    let own = match then {
        Some(_) => BatchLimits::default(),
        None => limits,
    };
    let rows = match body {
        Body::Rows => input.arranged(&arrangement, own)?,
        Body::Groups {
            keys,
            aggregates,
            one,
        } => {
            let job = input.group_by(keys).agg(aggregates);
            grouped(job, arrangement, one).stream(Order::Key, own)?
        }
    };
    match then {
        None => Ok(rows),
        Some(then) => {
            let before = rows.counts();
            let mut second =
                engine.read_record_batches(RecordBatches::of_reader(rows.into_reader()));
            second.options = options;
            Ok(run(second, *then, limits)?.after(before))
        }
    }
}

fn grouped(mut job: AggregateJob, arrangement: Arrangement, one: bool) -> AggregateJob {
    job.arrangement = arrangement;
    job.one_group = one;
    job
}
