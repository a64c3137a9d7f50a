//! Parallel jobs on one engine.

use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

/// A reader that reports its first read and returns its text after a permission.
struct Held {
    asked: Sender<()>,
    let_go: Receiver<()>,
    text: &'static [u8],
}

impl Read for Held {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        // The other ends of the channels may be dropped at the last reads.
        let _ = self.asked.send(());
        let _ = self.let_go.recv();
        self.text.read(into)
    }
}

#[test]
fn a_job_that_waits_for_input_does_not_block_other_jobs() {
    let engine = engine(3, 64);
    let (asked, is_asked) = channel();
    let (lets_go, let_go) = channel();
    let text = b"to be or not to be";
    let held = Held {
        asked,
        let_go,
        text,
    };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| count(engine.read(held), whitespace()));
        is_asked.recv().expect("the first job reads");
        // Large enough for all threads of the engine.
        let texts: Vec<u8> = text.repeat(1000);
        let expected = oracle(&[&texts], &whitespace());
        let (counts, counted) = channel();
        let other = &engine;
        scope.spawn(move || counts.send(count(other.read_bytes(texts), whitespace())));
        let counted = counted.recv_timeout(Duration::from_secs(60));
        let is_waiting = !waiting.is_finished();
        // Lets the first job end before the checks.
        drop(lets_go);
        let counted = counted.expect("the other job does not wait");
        assert_same(&counted, &expected, format_args!("beside another job"));
        assert!(is_waiting, "the first job waits for its input");
        let counted = waiting.join().expect("the first job ends");
        assert_same(
            &counted,
            &oracle(&[text], &whitespace()),
            format_args!("after it waited"),
        );
    });
}
