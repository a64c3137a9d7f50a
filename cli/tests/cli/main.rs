//! Tests of the binary, run as people and scripts run it.
#![forbid(unsafe_code)]

mod command;
mod compare;
mod databases;
mod devices;
mod exits;
mod formats;
mod groups;
mod http;
mod inputs;
mod job_files;
mod kafka;
mod kafka_examples;
mod kafka_faults;
mod kills;
mod large_state;
mod outputs;
mod pages;
mod reduce;
mod replays;
mod sameness;
mod secure;
#[path = "../../../connectors/tests/server/mod.rs"]
mod server;
#[cfg(unix)]
mod signals;
mod slow_sinks;
mod sql;
mod sql_rows;
mod storages;
mod stores;
mod streams;
mod topics;
mod two_queries;
