//! The spans of `tracing`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::{ThreadId, current};

use keymill::stream::{MemorySink, MemoryStream};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::fixtures::{engine, word_count};

/// Keeps the names of spans, in the order in which they were entered.
#[derive(Clone, Default)]
struct Names {
    made: Arc<Mutex<Vec<&'static str>>>,
    /// By thread: other tests run queries, too.
    entered: Arc<Mutex<HashMap<ThreadId, Vec<&'static str>>>>,
}

impl Subscriber for Names {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "keymill::stream"
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut made = self.made.lock().unwrap();
        made.push(span.metadata().name());
        Id::from_u64(made.len() as u64)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, id: &Id) {
        let name = self.made.lock().unwrap()[id.into_u64() as usize - 1];
        let mut entered = self.entered.lock().unwrap();
        entered.entry(current().id()).or_default().push(name);
    }
    fn exit(&self, _: &Id) {}
}

#[test]
fn every_step_of_an_epoch_is_a_span() {
    let names = Names::default();
    tracing::subscriber::set_global_default(names.clone()).unwrap();
    let (source, input) = MemoryStream::new();
    let mut query = word_count(&engine(1), source)
        .sink(MemorySink::new())
        .start()
        .unwrap();
    input.push("to be\n");
    input.finish();
    query.await_termination().unwrap();
    let entered = names.entered.lock().unwrap();
    let wanted = [
        "epoch",
        "checkpoint",
        "read",
        "compute",
        "checkpoint",
        "sink",
        "checkpoint",
    ];
    assert!(entered.values().any(|it| it == &wanted), "{entered:?}");
}
