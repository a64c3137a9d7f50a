//! A service that counts the words of messages as they come, and says between them what changed.
//!
//! The operator has no threads and no clock: the service pushes when it has a message, and drains
//! when it likes. All totals stay in the operator; a drain of what changed gives the running ones.
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

/// What comes in, burst by burst.
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

/// Hands the new totals on.
fn publish(tick: usize, changed: &RecordBatch) {
    let keys = changed.column(0).as_binary_view();
    let totals = changed.column(1).as_primitive::<UInt64Type>();
    for (key, total) in keys.iter().flatten().zip(totals.values()) {
        println!("{tick} {:<8} {total}", String::from_utf8_lossy(key));
    }
}
