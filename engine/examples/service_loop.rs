//! A service that counts the words of messages as they arrive, and publishes the totals after each
//! burst.
//!
//! The operator has no threads and no clock. The service decides when to push and when to drain. A
//! drain of the values does not remove them: the totals stay in the operator.
//!
//! ```console
//! cargo run --release -p keymill --example service_loop
//! ```
#![forbid(unsafe_code)]

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use keymill::prelude::*;
use keymill::{Drain, Operator, TextCount};

/// The incoming messages, one slice per burst.
const BURSTS: [&[&str]; 3] = [
    &["login alice", "login bob"],
    &["login alice", "logout bob"],
    &["login carol"],
];

fn main() -> keymill::Result<()> {
    let engine = Engine::builder().threads(1).memory(16 << 20).build()?;
    let mut operator = TextCount::new(&whitespace(), &engine.resources())?;
    for (tick, burst) in BURSTS.iter().enumerate() {
        for message in *burst {
            operator.push(message.as_bytes())?;
        }
        for batch in operator.drain(Drain::Values, &Order::Key, BatchLimits::default())? {
            publish(tick, &batch?);
        }
    }
    assert_eq!(operator.tokens(), 10);
    Ok(())
}

/// Prints the totals.
fn publish(tick: usize, batch: &RecordBatch) {
    let keys = batch.column(0).as_binary_view();
    let totals = batch.column(1).as_primitive::<UInt64Type>();
    for (key, total) in keys.iter().flatten().zip(totals.values()) {
        println!("{tick} {:<8} {total}", String::from_utf8_lossy(key));
    }
}
