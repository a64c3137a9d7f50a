//! Topics of Apache Kafka as sources and sinks, by librdkafka.
//!
//! ```text
//! source: offsets in the checkpoint, never committed by the client
//! sink:   BEGIN ─▶ messages ─▶ token of the epoch ─▶ COMMIT
//! ```
#![forbid(unsafe_code)]

mod begin;
mod columns;
mod failure;
mod gather;
mod letters;
mod lines;
mod offsets;
mod partitions;
mod producer;
mod reader;
mod settings;
mod sink;
mod source;
mod transactions;
mod wire;

pub use lines::{KafkaLines, KafkaReader};
pub use settings::KafkaSettings;
pub use sink::KafkaSink;
pub use source::KafkaSource;
pub use transactions::{KafkaTransaction, KafkaTransactions};
