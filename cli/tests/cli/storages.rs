//! Files of HDFS and S3 as sources and sinks, with real servers and real kills.
//!
//! The servers are asked and filled by plain HTTP, not by the clients that are tested.
#![cfg(all(target_os = "linux", feature = "hdfs", feature = "s3"))]

mod outages;
pub(crate) mod place;
mod reads;
mod sinks;
