//! gzip and zstd: recognized by their first bytes, read to the last member, refused if corrupt.

use std::io::Write;

use keymill::prelude::*;

use crate::texts::texts;
use crate::{count, engine, oracle};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn all_members_and_frames_are_read_as_one_text() {
    let text = texts().concat();
    let (front, back) = text.split_at(text.len() / 3);
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let files = [
        file(&[gzip(front), gzip(b""), gzip(back)].concat()),
        file(&[gzip(front), vec![0; 100_000], gzip(back), vec![0; 512]].concat()),
        file(&[zstd(front), zstd(b""), zstd(back)].concat()),
        file(&[&skippable[..], &zstd(&text)].concat()),
    ];
    let expected = oracle(&[&text], &whitespace());
    for threads in [1, 2, 7] {
        for chunk_bytes in [1, 64, 4096, 256 << 10] {
            let engine = engine(threads, chunk_bytes);
            for file in &files {
                assert_eq!(count(engine.read_text(file.path()), whitespace()), expected);
                let stream = file.reopen().unwrap();
                assert_eq!(count(engine.read(stream), whitespace()), expected);
            }
        }
    }
}

#[test]
fn many_compressed_files_are_read_in_parallel() {
    let texts = texts();
    let files: Vec<_> = texts.iter().map(|text| file(&gzip(text))).collect();
    let paths: Vec<_> = files.iter().map(|file| file.path()).collect();
    let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let expected = oracle(&slices, &whitespace());
    for threads in [1, 2, 7] {
        assert_eq!(
            count(engine(threads, 64).read_text(&paths[..]), whitespace()),
            expected
        );
    }
}

#[test]
fn a_corrupt_file_fails_the_job_and_is_named() {
    let text = texts().concat();
    for (form, whole) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
        let mut bent = whole.clone();
        let middle = bent.len() / 2;
        bent[middle..middle + 8].fill(0x55);
        let mut second = whole.clone();
        second.extend_from_slice(&whole[..10]);
        for broken in [
            &whole[..whole.len() / 2],
            &whole[..whole.len() - 1],
            &bent,
            &second,
        ] {
            let file = file(broken);
            for threads in [1, 2] {
                let job = engine(threads, 4096).read_text(file.path());
                let error = job
                    .tokenize(whitespace())
                    .count_by_key()
                    .collect()
                    .unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Format, "{error}");
                let message = error.to_string();
                assert!(
                    message.contains(&file.path().display().to_string()),
                    "{message}"
                );
                assert!(
                    message.contains(form) && message.contains("byte"),
                    "{message}"
                );
            }
        }
    }
}

#[test]
fn compressed_bytes_can_be_read_without_decompressing() {
    let bytes = gzip(b"to be");
    let source = keymill::read::ReaderSource::new(std::io::Cursor::new(bytes.clone())).as_is();
    let counts = count(engine(1, 64).read_source(source), lines());
    assert_eq!(counts, oracle(&[&bytes], &lines()));
}

#[test]
fn a_zstd_window_that_is_too_large_is_an_error_with_advice() {
    // A frame with a window of 2 GiB and one uncompressed block of one byte.
    let long = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x09, 0, 0, b'a'];
    let file = file(&long);
    let job = engine(1, 64).read_text(file.path()).tokenize(whitespace());
    let error = job.count_by_key().collect().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity, "{error}");
    assert!(error.to_string().contains("--long=31"), "{error}");
}
