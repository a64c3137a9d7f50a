//! Waits for answers of asynchronous clients.
#![forbid(unsafe_code)]

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
#[cfg(any(feature = "hdfs", feature = "s3"))]
use std::time::Instant;

use keymill::{Error, ErrorKind, Result};
#[cfg(feature = "hdfs")]
use tokio::runtime::Handle;
use tokio::runtime::{Builder, Runtime};

/// Threads that send and receive, for all connections.
const THREADS: usize = 2;

/// How long one answer may take.
#[cfg(any(feature = "hdfs", feature = "s3"))]
const ANSWER: Duration = Duration::from_secs(20);

/// The pauses before a read is tried again.
#[cfg(any(feature = "hdfs", feature = "s3"))]
const PAUSES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1600),
];

/// The runtime of all clients.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the system starts no thread.
pub(crate) fn runtime() -> Result<Arc<Runtime>> {
    static RUNTIME: OnceLock<std::result::Result<Arc<Runtime>, Error>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("keymill-io");
        let runtime = builder.enable_all().build().map(Arc::new);
        runtime.map_err(|cause| {
            let message = "the system starts no thread for a connection";
            Error::new(ErrorKind::Internal, message).with_source(cause)
        })
    });
    started.clone()
}

/// The runtime, for clients that start tasks.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the system starts no thread.
#[cfg(feature = "hdfs")]
pub(crate) fn handle() -> Result<Handle> {
    Ok(runtime()?.handle().clone())
}

/// Waits for an answer that has time limits of its own.
///
/// # Errors
///
/// Those of the answer.
pub(crate) fn wait_long<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(answer)
}

/// Waits for an answer. `name` is of whom it is wanted.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`] if it takes too long, and those of the answer.
#[cfg(feature = "hdfs")]
pub(crate) fn wait<T>(name: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    wait_at_most(ANSWER, name, answer)
}

/// Waits for an answer for some time.
///
/// # Errors
///
/// Those of [`wait`].
pub(crate) fn wait_at_most<T>(
    time: Duration,
    name: &str,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    runtime()?.block_on(in_time(time, name, answer))
}

/// An answer, or the error that it takes too long.
async fn in_time<T>(
    time: Duration,
    name: &str,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(time, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("`{name}` does not answer in time");
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    }
}

/// Asks again while the system does not answer as it should, some times, and for some time.
///
/// # Errors
///
/// Those of the last answer.
#[cfg(any(feature = "hdfs", feature = "s3"))]
pub(crate) async fn attempts<T, F: Future<Output = Result<T>>>(
    name: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let end = Instant::now() + ANSWER;
    let mut pauses = PAUSES.iter();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let answer = in_time(left, name, ask()).await;
        let is_away = |error: &Error| error.kind() == ErrorKind::Unavailable;
        match pauses.next() {
            Some(pause) if answer.as_ref().is_err_and(is_away) && Instant::now() + *pause < end => {
                tokio::time::sleep(*pause).await;
            }
            _ => return answer,
        }
    }
}
