//! Topics of Apache Kafka as sources and sinks, by librdkafka.
//!
//! ```text
//! source: offsets in the checkpoint, never committed by the client
//! sink:   BEGIN ─▶ messages ─▶ token of the epoch ─▶ COMMIT
//! ```
//!
//! The range of an epoch ends after the last message of each partition, so that a replay knows when it has all.
//! Tokens are in a topic of their own. They are read when all transactions that were open at the start have
//! ended, because one of another query would hide ours.
#![forbid(unsafe_code)]

mod begin;
mod columns;
mod failure;
mod gather;
mod group;
mod letters;
mod lines;
mod login;
mod member;
mod offsets;
mod partitions;
mod patience;
mod producer;
mod reader;
#[cfg(feature = "kafka-tls")]
mod scram;
mod settings;
mod share;
mod sink;
mod source;
#[cfg(feature = "kafka-tls")]
mod tls;
mod transactions;
mod wire;

pub use group::KafkaGroup;
pub use lines::{KafkaLines, KafkaReader};
pub use settings::KafkaSettings;
pub use sink::KafkaSink;
pub use source::KafkaSource;
pub use transactions::{KafkaTransaction, KafkaTransactions};
