//! Outside systems as sources and sinks of keymill's streams, each behind a feature of its own.
//!
//! | feature | sink |
//! |---|---|
//! | `sqlite` | `SqliteSink`: a table of a SQLite database |
//! | `postgres` | `PostgresSink`: a table of a PostgreSQL database |
//!
//! A database sink writes the rows of an epoch and the number of the epoch in one transaction. After a
//! kill it knows the last epoch that is there, so that every epoch is there exactly once.
#![forbid(unsafe_code)]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use crate::postgres::{Postgres, PostgresSink};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlSink;
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteSink};
