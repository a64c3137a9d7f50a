//! Outside systems as sources and sinks of keymill's streams, each behind a feature of its own.
//!
//! | feature | sources and sinks |
//! |---|---|
//! | `sqlite` | `SqliteSink`: a table of a SQLite database |
//! | `postgres` | `PostgresSink`: a table of a PostgreSQL database |
//! | `kafka` | `KafkaSource` and `KafkaSink`: topics of Apache Kafka |
//! | `http` | `HttpSource`: a server that takes lines; `HttpSink`: requests with the rows of an epoch |
//!
//! A database sink writes the rows of an epoch and the number of the epoch in one transaction. After a
//! kill it knows the last epoch that is there, so that every epoch is there exactly once.
#![forbid(unsafe_code)]

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use crate::postgres::{Postgres, PostgresSink};
#[cfg(feature = "http")]
pub use http::{HttpSettings, HttpSink, HttpSource};
#[cfg(feature = "kafka")]
pub use kafka::{
    KafkaGroup, KafkaLines, KafkaReader, KafkaSettings, KafkaSink, KafkaSource, KafkaTransaction,
    KafkaTransactions,
};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlSink;
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteSink};
