//! Streams: micro-batches at a fixed interval, state between them, checkpoints.
//!
//! ```text
//! source ─ range ─▶ epoch = a batch job ─ state columns ─▶ state store ─ changed ─▶ sink
//!    └────── offsets/N ──▶ checkpoint ◀── state/N.delta ──────┘     commits/N ◀──────┘
//! ```
//!
//! An **epoch** is one micro-batch. It runs as a batch job does, on the same threads and devices; its
//! groups leave as state columns, which the state store merges. [`StreamJob`](crate::StreamJob) builds a
//! query; [`StreamQuery`] is one that runs.
#![forbid(unsafe_code)]

pub mod checkpoint;
mod distinct;
mod faults;
mod mode;
mod query;
pub mod sink;
pub mod source;
mod transform;
mod trigger;
mod window;

pub(crate) use distinct::Distinct;
pub(crate) use faults::Faults;
pub use faults::KillPoint;
pub use mode::{OutputMode, StateUpdate, sum};
pub use query::{
    Durations, EventTimeProgress, MetricsServer, QueryState, QueryStatus, SinkProgress,
    SourceProgress, StateProgress, StepTimes, StreamProgress, StreamQuery,
};
pub(crate) use query::{Keyed, QueryPlan, StateFunction};
pub use sink::{
    CallbackSink, ConsoleSink, Delivery, EpochOutput, FilesSink, MemorySink, Sink, SinkContext,
    parts,
};
#[cfg(any(feature = "csv", feature = "json"))]
pub use source::RowSource;
pub use source::{
    EpochInput, EpochLimits, FolderSource, History, MemoryStream, MemoryStreamInput, OffsetRange,
    RateSource, ReaderStream, Replay, SourceContext, StreamSource, TailSource, TcpSource, Wake,
};
pub(crate) use transform::{FilterRows, FlatMapRows, Join, RowTransform};
pub use transform::{JoinKind, Row, Rows, StaticTable, Value};
pub use trigger::Trigger;
pub use window::{Window, session, sliding, tumbling};
