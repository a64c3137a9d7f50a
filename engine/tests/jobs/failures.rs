//! Failures are errors of the right kind that name their object, and never a wrong answer.

use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use keymill::prelude::*;
use keymill::read::{ByteStream, FileSource, Offset, ReadAt, Source, Split, SplitBytes};
use keymill::{Cancel, Error, Result, TextJob};

use crate::engine;

fn failure(text: TextJob) -> Error {
    text.tokenize(whitespace())
        .count_by_key()
        .collect()
        .unwrap_err()
}

#[test]
fn a_missing_file_is_named() {
    for threads in [1, 2] {
        let error = failure(engine(threads, 64).read_text("no/such/file.txt"));
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.to_string().contains("no/such/file.txt"), "{error}");
        assert!(
            std::error::Error::source(&error).is_some(),
            "the cause is kept"
        );
    }
}

/// A source with one split, which every read creates again.
struct Made(fn() -> SplitBytes<'static>);

impl Source for Made {
    fn describe(&self) -> String {
        "made".into()
    }

    fn splits(&self) -> Result<Vec<Split>> {
        Ok(vec![Split::new(0, "made.txt")])
    }

    fn latest(&self, _: &Split) -> Result<Offset> {
        Ok(Offset::at(1 << 20))
    }

    fn read(&self, _: &Split, _: Range<Offset>) -> Result<SplitBytes<'_>> {
        Ok((self.0)())
    }
}

/// A file of 1 MiB that has lost its second half.
struct Shrunk;

impl ReadAt for Shrunk {
    fn size(&self) -> u64 {
        1 << 20
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let left = (1u64 << 19).saturating_sub(at);
        let bytes = into.len().min(left as usize);
        into[..bytes].fill(b' ');
        Ok(bytes)
    }
}

#[test]
fn a_file_that_becomes_shorter_is_named() {
    for threads in [1, 2, 7] {
        for chunk_bytes in [64, 4096, 1 << 20] {
            let source = Made(|| SplitBytes::At(Box::new(Shrunk)));
            let error = failure(engine(threads, chunk_bytes).read_source(source));
            assert_eq!(error.kind(), ErrorKind::Source);
            let message = error.to_string();
            assert!(
                message.contains("made.txt") && message.contains("shorter"),
                "{message}"
            );
        }
    }
}

/// A source that truncates its file after the job has read its length.
struct Shrinking(FileSource, PathBuf);

impl Source for Shrinking {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn splits(&self) -> Result<Vec<Split>> {
        self.0.splits()
    }

    fn latest(&self, split: &Split) -> Result<Offset> {
        self.0.latest(split)
    }

    fn read(&self, split: &Split, range: Range<Offset>) -> Result<SplitBytes<'_>> {
        let bytes = self.0.read(split, range)?;
        std::fs::write(&self.1, "word").unwrap();
        Ok(bytes)
    }
}

#[test]
fn a_real_file_that_becomes_shorter_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 2] {
        let path = folder.path().join("shrinking.txt");
        std::fs::write(&path, "word ".repeat(1000)).unwrap();
        let files = FileSource::find(std::slice::from_ref(&path), Default::default()).unwrap();
        let error = failure(engine(threads, 64).read_source(Shrinking(files, path.clone())));
        assert_eq!(error.kind(), ErrorKind::Source);
        let message = error.to_string();
        assert!(
            message.contains("shrinking.txt") && message.contains("shorter"),
            "{message}"
        );
        let again = engine(threads, 64).read_text(&path).tokenize(whitespace());
        let total = again.count_by_key().collect().unwrap().total();
        assert_eq!(total, 1, "a new job takes the new length");
    }
}

/// Returns some bytes, and then fails, panics or never ends.
struct Bad(u64, fn() -> io::Result<usize>);

impl Read for Bad {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return (self.1)();
        }
        self.0 -= 1;
        into.fill(b' ');
        Ok(into.len())
    }
}

#[test]
fn a_stream_that_fails_is_a_source_error_with_its_cause() {
    for threads in [1, 2, 7] {
        let source = Made(|| {
            let fail = || Err(io::Error::other("the wire was cut"));
            SplitBytes::Stream(ByteStream::new(Bad(100, fail)))
        });
        let error = failure(engine(threads, 64).read_source(source));
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.to_string().contains("the wire was cut"), "{error}");
    }
}

#[test]
fn a_panic_in_a_worker_is_an_internal_error() {
    for threads in [1, 2, 7] {
        let source = Made(|| SplitBytes::Stream(ByteStream::new(Bad(100, || panic!("planted")))));
        let engine = engine(threads, 64);
        let error = failure(engine.read_source(source));
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("planted"), "{error}");
        let counts = engine
            .read_bytes("still alive")
            .tokenize(whitespace())
            .count_by_key();
        assert_eq!(counts.collect().unwrap().len(), 2);
    }
}

#[test]
fn cancelling_ends_a_job_that_would_never_end() {
    for threads in [1, 2, 7] {
        let source = Made(|| SplitBytes::Stream(ByteStream::new(io::repeat(b' '))));
        let cancel = Cancel::default();
        let job = engine(threads, 4096).read_source(source).cancel(&cancel);
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            cancel.cancel();
            Instant::now()
        });
        assert_eq!(failure(job).kind(), ErrorKind::Cancelled);
        let late = stopper.join().unwrap().elapsed();
        assert!(
            late < Duration::from_secs(5),
            "stopped {late:?} after it was asked to"
        );
    }
}

#[test]
fn cancelling_ends_a_job_whose_stream_blocks() {
    /// Blocks for longer than the test.
    struct Silent;
    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_secs(600));
            Ok(0)
        }
    }
    for threads in [1, 2] {
        let cancel = Cancel::default();
        let job = engine(threads, 4096).read(Silent).cancel(&cancel);
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            cancel.cancel();
        });
        assert_eq!(failure(job).kind(), ErrorKind::Cancelled);
        stopper.join().unwrap();
    }
}

#[test]
fn a_reader_that_panics_is_an_internal_error() {
    let error = failure(engine(2, 64).read(Bad(3, || panic!("planted"))));
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("planted"), "{error}");
}

#[test]
fn a_rule_without_a_separator_is_refused() {
    let job = engine(1, 64).read_bytes("a").tokenize(split(b""));
    assert_eq!(
        job.count_by_key().collect().unwrap_err().kind(),
        ErrorKind::Config
    );
}

#[test]
fn a_missing_level_is_refused() {
    let Some(missing) = Level::ALL.into_iter().find(|level| !level.is_available()) else {
        return println!("skipped: this machine runs all levels");
    };
    let error = Engine::builder().level(missing).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(missing.name()), "{error}");
}

#[test]
fn a_missing_spill_folder_is_named_before_reading() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    for place in [file, folder.path().join("not-there")] {
        let error = Engine::builder().spill_dir(&place).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains(place.to_str().unwrap()),
            "{error}"
        );
    }
    assert!(Engine::builder().spill_dir(folder.path()).build().is_ok());
}

#[test]
fn field_0_is_an_error_of_the_job() {
    let job = engine(1, 64).read_bytes("a,b").tokenize(field(0, b','));
    let error = job.count_by_key().collect().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("counted from 1"), "{error}");
}
