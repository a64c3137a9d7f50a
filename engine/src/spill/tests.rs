//! Segments are read back completely, in any order and from any thread. The file has no name and is
//! private.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::ErrorKind;

fn schema() -> SchemaRef {
    let text = Field::new("text", DataType::Utf8, true);
    let number = Field::new("number", DataType::UInt64, false);
    let metadata = [("form".to_owned(), "7".to_owned())];
    Arc::new(Schema::new_with_metadata(
        vec![text, number],
        metadata.into(),
    ))
}

fn batch(keys: Range<u64>) -> RecordBatch {
    let text = keys
        .clone()
        .map(|key| (key % 5 > 0).then(|| format!("text {key}")));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(text.collect::<StringArray>()),
        Arc::new(UInt64Array::from_iter_values(keys)),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn filled(space: &SpillSpace, keys: Range<u64>) -> Segment {
    let segment = space.store(&schema(), |writer| {
        for start in keys.clone().step_by(1000) {
            writer.write(&batch(start..keys.end.min(start + 1000)))?;
        }
        Ok(())
    });
    segment.unwrap()
}

fn keys_of(batch: &RecordBatch) -> Vec<u64> {
    batch
        .column(1)
        .as_primitive::<UInt64Type>()
        .values()
        .to_vec()
}

fn content(segment: &Segment) -> Vec<u64> {
    let mut keys = Vec::new();
    let read = segment.read(|found| {
        let found_keys = keys_of(found);
        assert_eq!(
            found,
            &batch(found_keys[0]..found_keys[found_keys.len() - 1] + 1)
        );
        keys.extend(found_keys);
        Ok(())
    });
    read.unwrap();
    keys
}

#[test]
fn segments_are_read_back_from_any_thread() {
    let space = SpillSpace::new(None);
    let ranges = [0..0, 0..1, 5..200_000, 7..9];
    let segments = ranges.clone().map(|range| filled(&space, range));
    std::thread::scope(|scope| {
        for (segment, range) in segments.iter().zip(ranges).rev() {
            scope.spawn(move || {
                assert_eq!(segment.rows() as u64, range.end - range.start);
                assert_eq!(content(segment), range.collect::<Vec<_>>());
            });
        }
    });
    assert!(space.written() > 200_000 * 8);
}

#[test]
fn segments_can_be_written_in_parallel() {
    let space = SpillSpace::new(None);
    let filled: Vec<Segment> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|n| (n, space.clone()))
            .map(|(n, space)| scope.spawn(move || filled(&space, n..n + 200_000)))
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    for (n, segment) in (0..).zip(&filled) {
        assert_eq!(content(segment), (n..n + 200_000).collect::<Vec<_>>());
    }
}

#[test]
fn a_reader_outlives_its_segment() {
    let space = SpillSpace::new(None);
    let segment = filled(&space, 0..50_000);
    let mut reader = segment.batches().unwrap();
    drop(segment);
    let _another = filled(&space, 7..50_000);
    let mut keys = Vec::new();
    for found in &mut reader {
        keys.extend(keys_of(&found.unwrap()));
    }
    assert_eq!(keys, (0..50_000).collect::<Vec<_>>());
    assert!(reader.next().is_none());
}

#[test]
fn the_error_of_a_writer_is_returned_and_the_space_is_freed() {
    let space = SpillSpace::new(None);
    let failed = space.store(&schema(), |writer| {
        writer.write(&batch(0..100_000))?;
        Err(crate::Error::cancelled())
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Cancelled);
    #[cfg(target_os = "linux")]
    assert!(space.disk().unwrap().room() < 64 << 10);
}

#[test]
#[cfg(target_os = "linux")]
fn the_file_is_private_and_has_no_name() {
    use std::os::unix::fs::MetadataExt;

    let folder = tempfile::tempdir().unwrap();
    let space = SpillSpace::new(Some(folder.path().to_owned()));
    let _segment = filled(&space, 0..10);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let ours: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|link| std::fs::read_link(link).is_ok_and(|to| to.starts_with(folder.path())))
        .collect();
    assert_eq!(ours.len(), 1, "one spill file is open");
    let metadata = std::fs::metadata(&ours[0]).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    assert_eq!(metadata.nlink(), 0);
}

#[test]
fn the_limit_acts_like_a_full_disk() {
    let space = SpillSpace::new(None);
    space.limit(2000);
    filled(&space, 0..1);
    let full = space.store(&schema(), |writer| writer.write(&batch(0..1000)));
    let error = full.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    let folder = std::env::temp_dir();
    assert!(
        error.to_string().contains(&*folder.to_string_lossy()),
        "{error}"
    );
}

#[test]
fn a_damaged_segment_is_an_error() {
    let space = SpillSpace::new(None);
    let length = {
        filled(&space, 0..1000);
        space.written()
    };
    // The first bytes of an IPC stream are its marker, and the last ones mark its end. Between them
    // are keys and counts, where any value is valid.
    for at in [0, length / 2, length - 100, length - 1] {
        let segment = filled(&space, 0..1000);
        segment.damage(at);
        let error = segment.read(|_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "at byte {at}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn dropped_segments_free_disk_space() {
    let space = SpillSpace::new(None);
    let kept = filled(&space, 0..1000);
    let before = space.disk().unwrap().room();
    let dropped = filled(&space, 0..100_000);
    let with_both = space.disk().unwrap().room();
    drop(dropped);
    let after = space.disk().unwrap().room();
    // A file system without holes frees nothing.
    assert!(
        after == with_both || after < before + (64 << 10),
        "{before} {with_both} {after}"
    );
    assert_eq!(content(&kept).len(), 1000);
}
