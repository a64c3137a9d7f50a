//! A table of a database as a sink. [`Database`] is what differs between databases.
//!
//! ```text
//! prepare: BEGIN ─▶ rows ─▶ number of the epoch      commit: COMMIT
//! ```
//!
//! `prepare` asks first which epoch is there. After `ErrorKind::Unavailable` the driver calls both again, so that a
//! commit whose answer was lost is found to be there.
#![forbid(unsafe_code)]

mod column;
mod table;

use arrow_array::RecordBatch;
use keymill::stream::{Delivery, EpochOutput, Sink, SinkContext};
use keymill::{Error, ErrorKind, Result};

pub(crate) use column::{Cell, SqlColumn, SqlType};
pub(crate) use table::{EPOCHS, Table, list, quoted};

/// The table that is written to by default.
const TABLE: &str = "results";

/// What differs between databases.
///
/// Errors of the kind [`ErrorKind::Unavailable`] are tried again, from [`Database::begin`] on.
pub trait Database: Send {
    /// Whether a table is named as `schema.table`.
    const HAS_SCHEMAS: bool;

    /// The name, for people and reports.
    fn describe(&self) -> String;

    /// Connects, if there is no connection, gives up what was not committed, and begins a transaction.
    fn begin(&mut self) -> Result<()>;

    /// Creates the table, or checks the one that is there. Creates the table of epochs.
    fn create(&mut self, table: &Table) -> Result<()>;

    /// Registers a query as the writer of a table, unless the table has one. Returns the writer of the
    /// table: the query and its last epoch.
    fn claim(&mut self, table: &Table, query: &str) -> Result<(String, Option<i64>)>;

    /// Writes rows, as the table says.
    fn write(&mut self, table: &Table, columns: &[Vec<Cell<'_>>]) -> Result<()>;

    /// Notes the last epoch.
    fn note(&mut self, table: &Table, epoch: i64) -> Result<()>;

    /// Commits the transaction.
    fn commit(&mut self) -> Result<()>;
}

/// A sink that writes the rows of an epoch and its number in one transaction.
///
/// In the modes `update` and `complete` a row replaces the one with the same key; in the mode `append`
/// rows are added. Keys may be null.
pub struct SqlSink<D> {
    database: D,
    table: String,
    started: Option<Started>,
}

struct Started {
    table: Table,
    query: String,
    last: Option<i64>,
    /// Whether the transaction of an epoch is open.
    is_open: bool,
}

impl<D: Database> SqlSink<D> {
    pub(crate) fn to(database: D) -> Self {
        Self {
            database,
            table: TABLE.to_owned(),
            started: None,
        }
    }

    /// Sets the table, which is `results` by default. It is created if it is not there.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }
}

impl Started {
    /// Begins a transaction, and finds out which epoch is there.
    fn begin(&mut self, database: &mut impl Database) -> Result<()> {
        self.is_open = false;
        database.begin()?;
        let (owner, last) = database.claim(&self.table, &self.query)?;
        if owner != self.query {
            let message = format!(
                "table `{}` of `{}` has results of another query; name another table, or the \
                 checkpoint of that query",
                self.table.name,
                database.describe()
            );
            return Err(Error::new(ErrorKind::Sink, message));
        }
        self.last = last;
        Ok(())
    }

    fn write(&self, database: &mut impl Database, batch: &RecordBatch) -> Result<()> {
        let columns = &self.table.columns;
        let plain = columns.iter().zip(batch.columns());
        let plain = plain.map(|(column, array)| column.plain(array));
        let plain = plain.collect::<Result<Vec<_>>>()?;
        let cells = columns.iter().zip(&plain);
        let cells = cells.map(|(column, array)| column.cells(array));
        database.write(&self.table, &cells.collect::<Result<Vec<_>>>()?)
    }
}

impl<D: Database> SqlSink<D> {
    fn started(&mut self) -> Result<(&mut Started, &mut D)> {
        let not_started = || Error::new(ErrorKind::Internal, "the sink was not started");
        let started = self.started.as_mut().ok_or_else(not_started)?;
        Ok((started, &mut self.database))
    }
}

impl<D: Database> Sink for SqlSink<D> {
    fn describe(&self) -> String {
        self.database.describe()
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        let table = Table::new(&self.table, D::HAS_SCHEMAS, context)?;
        self.database.begin()?;
        self.database.create(&table)?;
        self.database.commit()?;
        let mut started = Started {
            table,
            query: context.query.clone(),
            last: None,
            is_open: false,
        };
        started.begin(&mut self.database)?;
        self.database.commit()?;
        self.started = Some(started);
        Ok(())
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        let (started, _) = self.started()?;
        Ok(started.last.and_then(|epoch| u64::try_from(epoch).ok()))
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let (started, database) = self.started()?;
        let epoch = i64::try_from(output.epoch)
            .map_err(|_| Error::new(ErrorKind::Internal, "more epochs than a database counts"))?;
        started.begin(database)?;
        // A commit whose answer was lost has arrived.
        if started.last.is_some_and(|last| last >= epoch) {
            return database.commit();
        }
        for batch in output.batches {
            started.write(database, &batch?)?;
        }
        database.note(&started.table, epoch)?;
        started.is_open = true;
        Ok(())
    }

    fn commit(&mut self, _: u64) -> Result<()> {
        let (started, database) = self.started()?;
        if std::mem::take(&mut started.is_open) {
            database.commit()?;
        }
        Ok(())
    }
}
