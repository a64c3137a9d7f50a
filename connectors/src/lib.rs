//! Outside systems as sources and sinks of keymill's streams, each behind a feature of its own.
//!
//! | feature | sources and sinks |
//! |---|---|
//! | `sqlite` | `SqliteSink`: a table of a SQLite database |
//! | `postgres` | `PostgresSink`: a table of a PostgreSQL database |
//! | `kafka` | `KafkaSource` and `KafkaSink`: topics of Apache Kafka |
//! | `hdfs` | `HdfsPath`: files of HDFS, and folders of epochs there |
//! | `s3` | `S3Path`: objects of S3, and epochs under a prefix |
//! | `http` | `HttpSource`: a server that takes lines; `HttpSink`: requests with the rows of an epoch |
//! | `opensearch` | `OpenSearchSink`: an index of OpenSearch or Elasticsearch |
//! | `hbase` | `HBaseSink`: a table of HBase |
//! | `cassandra` | `CassandraSink`: a table of Cassandra |
//! | `redis` | `RedisSink`: hashes of Redis |
//! | `memcached` | `MemcachedSink`: entries of a cache |
//!
//! A database sink writes the rows of an epoch and the number of the epoch in one transaction. After a
//! kill it knows the last epoch that is there, so that every epoch is there exactly once. The other stores keep
//! the last row of each key with its epoch, so that an epoch which is written again changes nothing.
#![forbid(unsafe_code)]

#[cfg(any(feature = "http", feature = "_rest"))]
mod attempt;
#[cfg(feature = "cassandra")]
mod cassandra;
#[cfg(feature = "hbase")]
mod hbase;
#[cfg(feature = "hdfs")]
mod hdfs;
#[cfg(feature = "http")]
mod http;
#[cfg(any(feature = "http", feature = "_upsert"))]
mod json_lines;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(any(feature = "kafka", feature = "_upsert"))]
mod letter_file;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "opensearch")]
mod opensearch;
#[cfg(any(feature = "http", feature = "_upsert"))]
mod pauses;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "hdfs", feature = "s3"))]
mod remote;
#[cfg(any(feature = "hdfs", feature = "s3", feature = "cassandra"))]
mod runtime;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(feature = "http", feature = "_upsert"))]
mod settings;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "kafka-tls", feature = "cassandra-tls"))]
mod ssl;
#[cfg(any(feature = "http", feature = "_rest", feature = "redis", feature = "s3"))]
mod trust;
#[cfg(feature = "_upsert")]
mod upsert;

#[cfg(feature = "postgres")]
pub use crate::postgres::{Postgres, PostgresSink};
#[cfg(feature = "redis")]
pub use crate::redis::{Redis, RedisSink};
#[cfg(feature = "cassandra")]
pub use cassandra::{Cassandra, CassandraSink};
#[cfg(feature = "hbase")]
pub use hbase::{HBase, HBaseSink};
#[cfg(feature = "hdfs")]
pub use hdfs::HdfsPath;
#[cfg(feature = "http")]
pub use http::{HttpSink, HttpSource};
#[cfg(feature = "kafka")]
pub use kafka::{
    KafkaGroup, KafkaLines, KafkaReader, KafkaSettings, KafkaSink, KafkaSource, KafkaTransaction,
    KafkaTransactions,
};
#[cfg(feature = "memcached")]
pub use memcached::{Memcached, MemcachedSink};
#[cfg(feature = "opensearch")]
pub use opensearch::{OpenSearch, OpenSearchSink};
#[cfg(feature = "s3")]
pub use s3::S3Path;
#[cfg(any(feature = "http", feature = "_upsert"))]
pub use settings::Settings;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlSink;
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteSink};
#[cfg(feature = "_upsert")]
pub use upsert::UpsertSink;
