//! Segments come back whole, in any order and from any thread; the file has no name and no reader.

use super::*;
use crate::operator::text_count::columns::for_each_group;

fn filled(space: &SpillSpace, keys: std::ops::Range<u64>) -> Segment {
    let segment = space.store(|writer| {
        for key in keys {
            writer.push(format!("key number {key}").as_bytes(), key)?;
        }
        Ok(())
    });
    segment.unwrap()
}

fn content(segment: &Segment) -> Vec<(Vec<u8>, u64)> {
    let mut groups = Vec::new();
    let read = segment.read(|batch| {
        for_each_group(batch, |key, count| {
            groups.push((key.to_vec(), count));
            Ok(())
        })
    });
    read.unwrap();
    groups
}

#[test]
fn segments_come_back_whole_from_any_thread() {
    let space = SpillSpace::new(None);
    let ranges = [0..0, 0..1, 5..20_000, 7..9];
    let segments = ranges.clone().map(|range| filled(&space, range));
    std::thread::scope(|scope| {
        for (segment, range) in segments.iter().zip(ranges).rev() {
            scope.spawn(move || {
                let expected: Vec<_> = range
                    .map(|key| (format!("key number {key}").into_bytes(), key))
                    .collect();
                assert_eq!(content(segment), expected);
                assert_eq!(segment.groups(), expected.len());
            });
        }
    });
    assert!(space.written() > 20_000 * 8);
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
fn a_limit_is_a_full_disk() {
    let space = SpillSpace::new(None);
    space.limit(2000);
    filled(&space, 0..1);
    let full =
        space.store(|writer| writer.push_inline((0..1000).map(|key: u32| (u128::from(key), 1))));
    let error = full.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity);
    let folder = std::env::temp_dir();
    assert!(
        error.to_string().contains(&*folder.to_string_lossy()),
        "{error}"
    );
}

#[test]
fn a_damaged_segment_is_an_error_and_never_an_answer() {
    let space = SpillSpace::new(None);
    let length = {
        filled(&space, 0..1000);
        space.written()
    };
    // The first bytes of an IPC stream are its marker, the last ones say that it ends, and what is
    // between are keys and counts, which could be any.
    for at in [0, length / 2, length - 100, length - 1] {
        let begin = space.written();
        let segment = filled(&space, 0..1000);
        let disk = space.disk().unwrap();
        disk.overwrite(&[0xaa], begin + at);
        let error = segment.read(|_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "at byte {at}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_needed_no_more_leaves_the_disk() {
    let space = SpillSpace::new(None);
    let kept = filled(&space, 0..1000);
    let before = space.disk().unwrap().room();
    let dropped = filled(&space, 0..100_000);
    let with_both = space.disk().unwrap().room();
    drop(dropped);
    let after = space.disk().unwrap().room();
    // A file system without holes keeps it all.
    assert!(
        after == with_both || after < before + (64 << 10),
        "{before} {with_both} {after}"
    );
    assert_eq!(content(&kept).len(), 1000);
}
