//! A running word count over a socket. It continues from its checkpoint after a crash.
//!
//! ```console
//! cargo run --release -p keymill --example stream_words
//! ```
//!
//! The example is its own server, which sends two lines.
#![forbid(unsafe_code)]

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use keymill::prelude::*;
use keymill::stream::{ConsoleSink, MemorySink, OutputMode, TcpSource, sum};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let server = TcpListener::bind("127.0.0.1:0")?;
    let results = MemorySink::new();

    let mut query = Engine::new()?
        .stream(TcpSource::connect(server.local_addr()?.to_string()))
        .every(Duration::from_millis(100))
        .tokenize(whitespace())
        .count_by_key()
        .update_state(sum())
        .mode(OutputMode::Complete)
        .sink(ConsoleSink::top(20))
        .sink(results.clone())
        .checkpoint(folder.path().join("words"))
        .start()?;

    let (mut client, _) = server.accept()?;
    client.write_all(b"to be or not to be\nthat is the question\n")?;
    while query.last_progress().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    query.stop(true);
    query.await_termination()?;
    let epochs = results.epochs();
    let words: usize = epochs
        .last()
        .map_or(0, |(_, it)| it.iter().map(|it| it.num_rows()).sum());
    assert_eq!(words, 8);
    Ok(())
}
