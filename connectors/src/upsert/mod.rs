//! Stores that keep the last row of each key: what their sinks share. [`Store`] is what differs between them.
//!
//! ```text
//! prepare: batches ─▶ parts of bounded size ─▶ id and version of each row ─▶ write      commit: nothing
//! ```
//!
//! The version of a row is its epoch, so that a part which is written again, or later than a newer one,
//! changes nothing. Only one query writes to an index, table or prefix, because versions of two queries cannot be
//! compared; the store keeps its id. After `ErrorKind::Unavailable` the driver calls `prepare` again, and the parts that are there are
//! skipped.
#![forbid(unsafe_code)]

mod letters;
mod place;
#[cfg(any(feature = "opensearch", feature = "hbase"))]
mod rest;
mod rows;

use std::path::PathBuf;
use std::time::Duration;

use arrow_array::RecordBatch;
use keymill::stream::{Delivery, EpochOutput, OutputMode, Sink, SinkContext};
use keymill::{Error, ErrorKind, Result};

use crate::pauses::Pauses;
use crate::settings::Settings;
use letters::Letters;
pub(crate) use place::Place;
#[cfg(feature = "hbase")]
pub(crate) use rest::Answer;
#[cfg(any(feature = "opensearch", feature = "hbase"))]
pub(crate) use rest::{REST, Rest};
pub(crate) use rows::Rows;
#[cfg(feature = "memcached")]
pub(crate) use rows::percent_encoded;
#[cfg(any(feature = "redis", feature = "hbase", feature = "cassandra"))]
pub(crate) use rows::texts;
#[cfg(feature = "cassandra")]
pub(crate) use rows::{is_added, plain};

/// Settings that every store has.
pub(crate) const SHARED: &str =
    "user, password, password.file, timeout.ms, batch.rows, batch.bytes and dead.letters";

/// A row that a store does not take, whatever else happens: its number among the rows, and why.
pub(crate) type Refused = (usize, String);

/// What differs between stores.
///
/// Errors of the kind [`ErrorKind::Unavailable`] are tried again after a pause.
pub trait Store: Send {
    /// The name, for people and reports: without user and password.
    fn describe(&self) -> String;

    /// How often results arrive when the query is killed and started again.
    fn delivery(&self) -> Delivery {
        Delivery::Idempotent
    }

    /// Connects, creates what is missing, and registers the query as the writer, unless there is one. Returns
    /// the writer.
    fn claim(&mut self, context: &SinkContext) -> Result<String>;

    /// Writes rows. A row replaces the one with the same id, unless that is of a later version.
    fn write(&mut self, rows: &Rows<'_>) -> Result<Vec<Refused>>;

    /// How long the store asked to wait when it was unavailable.
    fn wanted_pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// A sink that writes the rows of an epoch to a store, where each replaces the one with the same key.
///
/// | setting | meaning |
/// |---|---|
/// | `batch.rows`, `batch.bytes` | the most rows and bytes of a request: 2000 and 1 MiB; a longer row goes alone |
/// | `timeout.ms` | how long a request may take: 30 000 |
/// | `dead.letters` | a folder for rows that the store does not take; without it they end the query |
/// | `user`, `password`, `password.file` | the credentials, if they are not in the URL |
pub struct UpsertSink<S> {
    store: S,
    batch_rows: usize,
    batch_bytes: usize,
    letters: Letters,
    pauses: Pauses,
    context: Option<SinkContext>,
    /// The epoch that is written, and how many of its rows are there.
    written: (u64, usize),
}

impl<S: Store> UpsertSink<S> {
    /// `settings` are those that every store has.
    pub(crate) fn to(store: S, mut settings: Settings, known: &str) -> Result<Self> {
        let letters = settings.take("dead.letters").map(PathBuf::from);
        let sink = Self {
            store,
            batch_rows: settings.number("batch.rows", 2000)?,
            batch_bytes: settings.number("batch.bytes", 1 << 20)?,
            letters: Letters::new(letters),
            pauses: Pauses::default(),
            context: None,
            written: (0, 0),
        };
        settings.finish(known)?;
        Ok(sink)
    }

    fn claim(&mut self, context: &SinkContext) -> Result<()> {
        if self.store.claim(context)? == context.query {
            return Ok(());
        }
        let message = format!(
            "`{}` has results of another query; name another place, or the checkpoint of that query",
            self.store.describe()
        );
        Err(Error::new(ErrorKind::Sink, message))
    }

    fn write_epoch(&mut self, output: EpochOutput<'_>) -> Result<()> {
        if self.written.0 != output.epoch {
            self.written = (output.epoch, 0);
        }
        let mut first = 0;
        for batch in output.batches {
            let batch = batch?;
            for at in (0..batch.num_rows()).step_by(self.batch_rows) {
                let rows = self.batch_rows.min(batch.num_rows() - at);
                self.write_part(&batch.slice(at, rows), first + at)?;
            }
            first += batch.num_rows();
        }
        Ok(())
    }

    /// Writes rows that begin at a row of the epoch, unless they are there.
    fn write_part(&mut self, batch: &RecordBatch, first: usize) -> Result<()> {
        let rows = batch.num_rows();
        if first + rows <= self.written.1 {
            return Ok(());
        }
        if rows > 1 && rows::bytes(batch) > self.batch_bytes {
            let half = rows / 2;
            self.write_part(&batch.slice(0, half), first)?;
            return self.write_part(&batch.slice(half, rows - half), first + half);
        }
        let not_started = || Error::new(ErrorKind::Internal, "the sink was not started");
        let context = self.context.as_ref().ok_or_else(not_started)?;
        let part = Rows::new(batch, context, self.written.0, first)?;
        let refused = self.store.write(&part)?;
        if !refused.is_empty() {
            self.letters.keep(&self.store.describe(), &part, &refused)?;
        }
        self.written.1 = first + rows;
        self.pauses.reset();
        Ok(())
    }

    /// The next attempt comes after a pause.
    fn pause_after(&mut self, error: &Error) {
        if error.kind() == ErrorKind::Unavailable {
            self.pauses.lengthen(self.store.wanted_pause());
        }
    }
}

impl<S: Store> Sink for UpsertSink<S> {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn delivery(&self) -> Delivery {
        self.store.delivery()
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        if context.mode != OutputMode::Append && context.key_columns == 0 {
            let message = format!(
                "`{}` keeps a row for each key, and these rows have none; use the mode `append`",
                self.store.describe()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.context = Some(context.clone());
        self.written = (0, 0);
        self.pauses.wait();
        let claimed = self.claim(context);
        if let Err(error) = &claimed {
            self.pause_after(error);
        }
        claimed
    }

    fn may_start_later(&self) -> bool {
        true
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        self.pauses.wait();
        let done = self.write_epoch(output);
        if let Err(error) = &done {
            self.pause_after(error);
        }
        done
    }

    fn commit(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}
