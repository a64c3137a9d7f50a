//! Reading checkpoints without their program.

use std::fs;

use keymill::prelude::*;
use keymill::stream::checkpoint::{export, list, repair, verify};
use keymill::stream::{FolderSource, MemorySink, Trigger, sum};

use crate::fixtures::{counts_of, engine, plain_counts};

#[test]
fn checkpoints_are_listed_verified_repaired_and_exported() {
    let root = tempfile::tempdir().unwrap();
    let texts = ["to be", "or not", "to be", "that is", "the question"];
    for (number, text) in texts.iter().enumerate() {
        fs::write(root.path().join(number.to_string()), text).unwrap();
    }
    let checkpoint = root.path().join("_checkpoint");
    let run = || {
        let source = FolderSource::new(root.path());
        let stream = engine(1).stream(source).trigger(Trigger::AvailableNow);
        let counts = stream
            .tokenize(whitespace())
            .count_by_key()
            .update_state(sum());
        let counts = counts.max_files_per_epoch(1).snapshot_every(2);
        counts
            .sink(MemorySink::new())
            .checkpoint(&checkpoint)
            .run()
            .unwrap();
    };
    run();
    let epochs = list(&checkpoint).unwrap();
    let last = epochs.last().unwrap();
    assert_eq!((last.epoch, last.is_committed), (4, true));
    assert!(epochs.iter().any(|epoch| epoch.snapshot_bytes.is_some()));
    assert_eq!(verify(&checkpoint).unwrap(), Vec::<String>::new());
    let exported = || export(&checkpoint)?.collect::<keymill::Result<Vec<_>>>();
    assert_eq!(counts_of(&exported().unwrap()), plain_counts(texts));

    // A damaged delta: the state must be computed again, and then it is whole.
    let delta = checkpoint.join("state/4.delta");
    let mut bytes = fs::read(&delta).unwrap();
    bytes[40] ^= 1;
    fs::write(&delta, bytes).unwrap();
    fs::write(checkpoint.join("commits/9.tmp"), "half").unwrap();
    let problems = verify(&checkpoint).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[1].contains("4.delta` of the checkpoint is damaged"),
        "{problems:?}"
    );
    assert!(
        exported()
            .unwrap_err()
            .message()
            .contains("start the query once")
    );
    let done = repair(&checkpoint).unwrap();
    assert_eq!(
        done.last().unwrap(),
        "the next start runs the epochs from 4 again, from their input"
    );
    run();
    assert_eq!(verify(&checkpoint).unwrap(), Vec::<String>::new());
    assert_eq!(counts_of(&exported().unwrap()), plain_counts(texts));

    // A damaged snapshot that a later one replaces.
    let snapshot = checkpoint.join("state/3.snapshot");
    fs::write(&snapshot, "not a snapshot").unwrap();
    let done = repair(&checkpoint).unwrap();
    assert_eq!(
        done.last().unwrap(),
        "wrote a new snapshot of epoch 4",
        "{done:?}"
    );
    assert_eq!(counts_of(&exported().unwrap()), plain_counts(texts));
    assert!(
        export(root.path())
            .unwrap_err()
            .message()
            .contains("is not a checkpoint")
    );
}
