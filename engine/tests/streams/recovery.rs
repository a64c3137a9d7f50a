//! Crashes, damage and restarts: the results are those of the run without faults.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use keymill::prelude::*;
use keymill::stream::{
    FilesSink, FolderSource, MemorySink, MemoryStream, OutputMode, RateSource, ReaderStream,
    Trigger,
};
use keymill::{ErrorKind, KeyedStream, Result};

use crate::fixtures::{engine, word_count};

/// Epochs of the test query: its folder has a file for each.
const EPOCHS: u64 = 8;

/// The folders of one query.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (input, rows) = (root.path().join("in"), root.path().join("rows"));
        fs::create_dir(&input).unwrap();
        fs::create_dir(&rows).unwrap();
        for file in 0..EPOCHS {
            let words: Vec<String> = (0..200)
                .map(|word: u64| format!("w{}", word * word * (file + 3) % 97))
                .collect();
            // `once` words are only in one file: a lost epoch is never healed by a later one.
            let text = format!("{}\nonce{file} once{file}\n", words.join(" "));
            fs::write(input.join(format!("{file:04}")), text).unwrap();
            // Most rows come twice, and open sessions join.
            let lines: String = words
                .iter()
                .zip(0..)
                .map(|(word, row)| format!("{},{word}\n", 4 * file + row % 9))
                .collect();
            fs::write(rows.join(format!("{file:04}")), lines).unwrap();
        }
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn query(&self, mode: OutputMode) -> KeyedStream {
        self.query_of(&engine(1), mode)
    }

    fn query_of(&self, engine: &Engine, mode: OutputMode) -> KeyedStream {
        let source = FolderSource::new(self.path("in"));
        let stream = engine.stream(source).trigger(Trigger::AvailableNow);
        let counts = stream.tokenize(whitespace()).count_by_key();
        let counts = counts.update_state(keymill::stream::sum()).mode(mode);
        counts
            .max_files_per_epoch(1)
            .snapshot_every(3)
            .sink(FilesSink::new(self.path("out")))
            .checkpoint(self.path("checkpoint"))
    }

    /// The parts that were written, by their paths.
    pub(crate) fn parts(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        parts_of(&self.path("out"))
    }
}

/// The parts that a files sink has written, by their paths.
pub(crate) fn parts_of(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut parts = BTreeMap::new();
    for epoch in fs::read_dir(out).unwrap() {
        let epoch = epoch.unwrap().path();
        let name = PathBuf::from(epoch.file_name().unwrap());
        if name.to_str().unwrap().starts_with('_') {
            continue;
        }
        for file in fs::read_dir(&epoch).unwrap() {
            let file = file.unwrap().path();
            let path = name.join(file.file_name().unwrap());
            if !path.ends_with("_manifest.json") {
                parts.insert(path, fs::read(file).unwrap());
            }
        }
    }
    parts
}

pub(crate) fn expected(mode: OutputMode) -> BTreeMap<PathBuf, Vec<u8>> {
    let place = Place::new();
    place.query(mode).run().unwrap();
    let parts = place.parts();
    assert_eq!(parts.len() as u64, EPOCHS);
    parts
}

/// Runs until a step, and ends there as a crash does. Returns whether it came there.
pub(crate) fn crash_at(
    query: KeyedStream,
    is_there: impl Fn(&'static str, u64) -> bool + Send + Sync + 'static,
) -> bool {
    let query = query.fault_hook(move |point, epoch| {
        if is_there(point, epoch) {
            // Unlike `panic!` it writes no message.
            std::panic::resume_unwind(Box::new("planted crash"));
        }
    });
    match query.run() {
        Ok(()) => false,
        Err(error) => {
            assert!(error.to_string().contains("planted crash"), "{error}");
            true
        }
    }
}

fn crash(query: KeyedStream, point: &'static str, epoch: u64) -> bool {
    crash_at(query, move |at, number| (at, number) == (point, epoch))
}

/// Crashes a query with windows over the files of `root/in` at every step, in several epochs. The last one
/// closes all windows. After a restart, the results must be those of a run without a crash.
#[cfg(feature = "csv")]
pub(crate) fn check_crashes(root: &Path, query: impl Fn(FolderSource) -> KeyedStream) {
    let out = |name: &str| root.join(name).join("out");
    let run = |name: &str| {
        query(FolderSource::new(root.join("in")))
            .flush_windows()
            .max_files_per_epoch(1)
            .snapshot_every(2)
            .sink(FilesSink::new(out(name)))
            .checkpoint(root.join(name).join("checkpoint"))
    };
    run("without-faults").run().unwrap();
    let expected = parts_of(&out("without-faults"));
    assert!(expected.values().map(Vec::len).sum::<usize>() > 200);
    for &point in KeyedStream::kill_points() {
        for epoch in [0, 2, 3, 5, 6] {
            let name = format!("{point}-{epoch}");
            if crash_at(run(&name), move |at, number| (at, number) == (point, epoch)) {
                run(&name).run().unwrap();
            }
            assert!(parts_of(&out(&name)) == expected, "{name}");
        }
    }
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_doubles_nothing() {
    for mode in [OutputMode::Complete, OutputMode::Update] {
        let expected = expected(mode);
        for &point in KeyedStream::kill_points() {
            let mut crashed = 0;
            for epoch in [0, 1, 2, 4, 5] {
                let place = Place::new();
                crashed += u32::from(crash(place.query(mode), point, epoch));
                place.query(mode).run().unwrap();
                assert!(
                    place.parts() == expected,
                    "{point} of epoch {epoch}, {mode}"
                );
            }
            assert!(crashed > 0, "no epoch came to {point}");
        }
    }
}

#[test]
fn a_crash_at_every_step_one_after_another() {
    let expected = expected(OutputMode::Update);
    let place = Place::new();
    let index = |point| {
        KeyedStream::kill_points()
            .iter()
            .position(|&it| it == point)
    };
    let last = Arc::new(Mutex::new(None));
    let mut crashed = 0;
    loop {
        let last = last.clone();
        let is_later = move |point, epoch| {
            let mut last = last.lock().unwrap();
            let is_later = last.is_none_or(|last| last < (epoch, index(point)));
            if is_later {
                *last = Some((epoch, index(point)));
            }
            is_later
        };
        if !crash_at(place.query(OutputMode::Update), is_later) {
            break;
        }
        crashed += 1;
    }
    assert!(crashed > 60, "{crashed}");
    assert!(place.parts() == expected);
}

#[test]
fn runs_of_one_epoch_write_snapshots_too() {
    let place = Place::new();
    fs::rename(place.path("in"), place.path("later")).unwrap();
    fs::create_dir(place.path("in")).unwrap();
    for file in 0..EPOCHS {
        let name = format!("{file:04}");
        let later = place.path("later").join(&name);
        fs::rename(later, place.path("in").join(&name)).unwrap();
        place.query(OutputMode::Update).run().unwrap();
    }
    assert!(place.parts() == expected(OutputMode::Update));
    // One in three epochs has a snapshot; the last two stay, and what came after the first of them.
    let names = |part: &str| {
        let files = fs::read_dir(place.path("checkpoint").join(part)).unwrap();
        let mut names: Vec<_> = files.map(|it| it.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names("sources"), ["2", "5"]);
    assert_eq!(names("offsets"), ["3", "4", "5", "6", "7"]);
}

#[test]
fn threads_do_not_change_the_results() {
    let expected = expected(OutputMode::Complete);
    let place = Place::new();
    assert!(crash(
        place.query_of(&engine(2), OutputMode::Complete),
        "merged",
        4
    ));
    place
        .query_of(&engine(2), OutputMode::Complete)
        .run()
        .unwrap();
    assert!(place.parts() == expected);
}

/// The files of a checkpoint, except the lock.
fn files_of(checkpoint: &Path) -> Vec<PathBuf> {
    let mut files = vec![checkpoint.join("metadata")];
    for part in ["offsets", "commits", "state", "sources"] {
        let inside = fs::read_dir(checkpoint.join(part)).unwrap();
        files.extend(inside.map(|file| file.unwrap().path()));
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        match file.file_type().unwrap().is_dir() {
            true => copy(&file.path(), &to),
            false => fs::copy(file.path(), to).map(|_| ()).unwrap(),
        }
    }
}

/// The right results, or a refusal that names the damaged file.
fn recovers_or_refuses(
    query: KeyedStream,
    place: &Place,
    expected: &BTreeMap<PathBuf, Vec<u8>>,
    file: &Path,
) -> bool {
    match query.run() {
        Ok(()) => {
            assert!(
                place.parts() == *expected,
                "wrong results after damage of {file:?}"
            );
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(
                error.to_string().contains(name),
                "{error} does not name {name}"
            );
            false
        }
    }
}

#[test]
fn damage_of_any_file_is_healed_or_refused() {
    let positions = damage_every_file(|place| place.query(OutputMode::Complete), 24);
    assert!(positions > 500, "{positions}");
}

#[cfg(feature = "csv")]
#[test]
fn damage_of_the_state_of_distinct_rows_and_sessions_is_healed_or_refused() {
    use keymill::arrow::schema::DataType;
    use keymill::stream::{RowSource, session};

    let query = |place: &Place| {
        let columns = [("ts", DataType::Int64), ("word", DataType::Utf8)];
        let source = RowSource::csv(FolderSource::new(place.path("rows")), columns).unwrap();
        let stream = engine(1).stream(source).trigger(Trigger::AvailableNow);
        let window = session(std::time::Duration::from_secs(3)).on("ts");
        stream
            .drop_duplicates(["ts", "word"])
            .group_by(["word"], ["count".parse().unwrap()])
            .window(window.watermark(std::time::Duration::from_secs(5)))
            .mode(OutputMode::Append)
            .flush_windows()
            .max_files_per_epoch(1)
            .snapshot_every(3)
            .sink(FilesSink::new(place.path("out")))
            .checkpoint(place.path("checkpoint"))
    };
    let positions = damage_every_file(query, 9);
    assert!(positions > 150, "{positions}");
}

/// Flips bits at this number of places of every file of a checkpoint, cuts it, and removes it. Returns how
/// often.
fn damage_every_file(query: impl Fn(&Place) -> KeyedStream, flips: usize) -> u32 {
    let expected = {
        let place = Place::new();
        query(&place).run().unwrap();
        place.parts()
    };
    assert!(expected.len() as u64 >= EPOCHS);
    let place = Place::new();
    assert!(crash(query(&place), "sink", 6));
    for part in ["checkpoint", "out"] {
        copy(&place.path(part), &place.path(&format!("{part}-kept")));
    }
    let reset = || {
        for part in ["checkpoint", "out"] {
            fs::remove_dir_all(place.path(part)).unwrap();
            copy(&place.path(&format!("{part}-kept")), &place.path(part));
        }
    };
    let (mut positions, mut healed) = (0, 0);
    for file in files_of(&place.path("checkpoint")) {
        reset();
        let whole = fs::read(&file).unwrap();
        let step = (whole.len() / flips).max(1);
        let flips = (0..whole.len()).step_by(step).map(|at| {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            Some(damaged)
        });
        let cuts = [0, 1, whole.len() / 2, whole.len() - 1];
        let cuts = cuts.map(|length| Some(whole[..length].to_vec()));
        for damaged in flips.chain(cuts).chain([None]) {
            reset();
            match damaged {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            positions += 1;
            healed += u32::from(recovers_or_refuses(query(&place), &place, &expected, &file));
        }
    }
    assert!(healed > positions / 2, "{healed} of {positions}");
    positions
}

#[test]
fn unfinished_files_are_removed_and_gaps_are_refused() {
    let expected = expected(OutputMode::Complete);
    let place = Place::new();
    assert!(crash(place.query(OutputMode::Complete), "sink", 6));
    let checkpoint = place.path("checkpoint");
    // Epoch 7 may have begun.
    let _ = fs::remove_file(checkpoint.join("offsets/7"));
    fs::write(checkpoint.join("offsets/7.tmp"), "half").unwrap();
    fs::copy(checkpoint.join("offsets/6"), checkpoint.join("offsets/9")).unwrap();
    let error = place.query(OutputMode::Complete).run().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("offsets/7` of the checkpoint is missing"),
        "{error}"
    );
    assert!(!checkpoint.join("offsets/7.tmp").exists());
    fs::remove_file(checkpoint.join("offsets/9")).unwrap();
    place.query(OutputMode::Complete).run().unwrap();
    assert!(place.parts() == expected);
}

#[test]
fn two_queries_cannot_share_a_checkpoint() {
    let place = Place::new();
    let (source, _input) = MemoryStream::new();
    let folder = place.path("checkpoint");
    let start = |source| -> Result<_> {
        let query = word_count(&engine(1), source).sink(MemorySink::new());
        query.checkpoint(&folder).start()
    };
    let first = start(source).unwrap();
    let error = start(MemoryStream::new().0).unwrap_err();
    let holder = format!("process {}", std::process::id());
    assert!(error.message().contains(&holder), "{error}");
    drop(first);
    start(MemoryStream::new().0).unwrap();
}

#[test]
fn what_may_change_between_restarts() {
    let place = Place::new();
    let folder = place.path("checkpoint");
    let start = |stream: KeyedStream| {
        let query = stream.sink(MemorySink::new()).checkpoint(&folder);
        query.start().map(|query| query.stop(false))
    };
    let memory = || MemoryStream::new().0;
    let words = || word_count(&engine(1), memory());
    start(words()).unwrap();
    // Threads, mode and order may change.
    let other = word_count(&engine(2), memory()).mode(OutputMode::Complete);
    start(other.order_by(Order::Key)).unwrap();
    // What is computed, its state, and the kind of the source may not.
    let of_lines = engine(1).stream(memory()).tokenize(lines()).count_by_key();
    let of_lines = of_lines.update_state(keymill::stream::sum());
    let stateless = engine(1)
        .stream(memory())
        .tokenize(whitespace())
        .count_by_key();
    for (refused, named) in [
        (of_lines, "computed `count of tokens (whitespace)`"),
        (stateless, "kept the state"),
        (
            word_count(&engine(1), RateSource::per_second(1)),
            "read `memory`, this one `rate`",
        ),
    ] {
        let error = start(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint);
        assert!(error.message().contains(named), "{error}");
    }
}

#[test]
fn results_of_another_query_are_not_mixed() {
    let place = Place::new();
    place.query(OutputMode::Update).run().unwrap();
    fs::remove_dir_all(place.path("checkpoint")).unwrap();
    let error = place.query(OutputMode::Update).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sink);
    assert!(
        error.message().contains("results of another query"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_gone_before_its_epoch_is_named() {
    let place = Place::new();
    assert!(crash(place.query(OutputMode::Update), "offsets", 2));
    fs::rename(place.path("in/0002"), place.path("moved")).unwrap();
    let error = place.query(OutputMode::Update).run().unwrap_err();
    assert!(
        error.message().contains("in/0002` was chosen for an epoch"),
        "{error}"
    );
    fs::rename(place.path("moved"), place.path("in/0002")).unwrap();
    place.query(OutputMode::Update).run().unwrap();
    assert!(place.parts() == expected(OutputMode::Update));
}

#[test]
fn damaged_state_is_refused_if_its_input_is_lost() {
    let place = Place::new();
    let query = |text: &'static str| {
        let source = ReaderStream::new(text.as_bytes());
        let query = word_count(&engine(1), source).sink(MemorySink::new());
        query.checkpoint(place.path("checkpoint"))
    };
    query("to be").run().unwrap();
    query("or not").run().unwrap();
    fs::write(place.path("checkpoint/state/0.delta"), "damaged").unwrap();
    let error = query("to be").run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    for said in [
        "0.delta` of the checkpoint is damaged",
        "`reader` does not give its input again",
    ] {
        assert!(error.message().contains(said), "{error}");
    }
}
