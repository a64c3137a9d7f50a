//! Sources: sockets, folders, readers, generators.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keymill::prelude::*;
use keymill::stream::{
    FolderSource, MemorySink, MemoryStream, OutputMode, RateSource, ReaderStream, StreamQuery,
    TcpSource, Trigger,
};
use keymill::{ErrorKind, Order};

use crate::fixtures::{Counts, counts_of, engine, plain_counts, word_count};

/// The last results in the mode `complete`.
fn last(results: &MemorySink) -> Counts {
    let epochs = results.epochs();
    epochs
        .last()
        .map(|(_, batches)| counts_of(batches))
        .unwrap_or_default()
}

fn wait_for(query: &StreamQuery, results: &MemorySink, expected: &Counts) {
    for _ in 0..1000 {
        if last(results) == *expected {
            return;
        }
        assert!(query.is_active(), "{:?}", query.exception());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(last(results), *expected);
}

#[test]
fn a_rate_is_kept() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (seen, results) = (reports.clone(), MemorySink::new());
    let began = Instant::now();
    let query = word_count(&engine(1), RateSource::per_second(50_000).keys(7));
    let query = query.on_progress(move |it| seen.lock().unwrap().push(it.num_input_rows));
    let query = query.mode(OutputMode::Complete).sink(results.clone());
    let mut query = query.start().unwrap();
    while reports.lock().unwrap().len() < 30 {
        std::thread::sleep(Duration::from_millis(2));
    }
    query.stop(true);
    query.await_termination().unwrap();
    let rows: u64 = reports.lock().unwrap().iter().sum();
    let most = 50_000.0 * began.elapsed().as_secs_f64();
    assert!(rows as f64 <= most, "{rows} rows, and at most {most}");
    // The numbers from 0 to 6 come in turn.
    let expected = (0..7).map(|key| (key.to_string(), (rows + 6 - key) / 7));
    assert_eq!(last(&results), expected.collect());
}

#[test]
fn a_server_that_ends_a_connection_is_connected_to_again() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let results = MemorySink::new();
    let source = TcpSource::connect(server.local_addr().unwrap().to_string());
    let job = word_count(&engine(2), source).mode(OutputMode::Complete);
    let query = job.sink(results.clone()).start().unwrap();
    for (sent, expected) in [
        ("to be or\nnot to", "to be or not to"),
        ("be that\n", "to be or not to be that"),
    ] {
        let (mut client, _) = server.accept().unwrap();
        for byte in sent.as_bytes() {
            client.write_all(&[*byte]).unwrap();
        }
        drop(client);
        wait_for(&query, &results, &plain_counts([expected]));
    }
}

#[test]
fn many_clients_may_send() {
    let source = TcpSource::listen("127.0.0.1:0").unwrap();
    let address = source.local_addr().unwrap();
    let results = MemorySink::new();
    let job = word_count(&engine(2), source).mode(OutputMode::Complete);
    let mut query = job.sink(results.clone()).start().unwrap();
    let clients: Vec<_> = (0..8)
        .map(|client| {
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for word in 0..100 {
                    writeln!(stream, "word{} client{client}", word % 10).unwrap();
                }
            })
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    let mut expected = Counts::new();
    expected.extend((0..10).map(|word| (format!("word{word}"), 80)));
    expected.extend((0..8).map(|client| (format!("client{client}"), 100)));
    wait_for(&query, &results, &expected);
    query.stop(true);
    query.await_termination().unwrap();
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let job = word_count(&engine(1), TcpSource::connect(free.to_string()));
    let error = job.sink(MemorySink::new()).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}

#[test]
fn files_of_a_folder_are_read_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let unfinished = folder.path().join(format!("{name}.tmp"));
        fs::write(&unfinished, text).unwrap();
        fs::rename(unfinished, folder.path().join(name)).unwrap();
    };
    write("a", "to be\n");
    write("_ignored", "no\n");
    write(".hidden", "no\n");
    fs::create_dir(folder.path().join("sub")).unwrap();
    let results = MemorySink::new();
    let job = word_count(&engine(1), FolderSource::new(folder.path()));
    let job = job.mode(OutputMode::Complete).max_files_per_epoch(1);
    let mut query = job.sink(results.clone()).start().unwrap();
    wait_for(&query, &results, &plain_counts(["to be"]));
    write("b", "or not");
    write("c", "to be");
    wait_for(&query, &results, &plain_counts(["to be or not to be"]));
    query.stop(true);
    query.await_termination().unwrap();
    assert_eq!(results.epochs().len(), 3);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let job = word_count(&engine(1), FolderSource::new("/nowhere/at all"));
    let error = job.sink(MemorySink::new()).start().unwrap_err();
    assert!(error.to_string().contains("`/nowhere/at all`"), "{error}");
}

#[test]
fn a_reader_ends_the_query() {
    let text = fs::read_to_string("../datasets/text/moby-dick.txt").unwrap();
    for threads in [1, 2] {
        let results = MemorySink::new();
        let source = ReaderStream::new(std::io::Cursor::new(text.clone()));
        let job = word_count(&engine(threads), source).mode(OutputMode::Complete);
        job.max_bytes_per_epoch(100_000)
            .sink(results.clone())
            .run()
            .unwrap();
        assert!(results.epochs().len() > 5, "{}", results.epochs().len());
        assert_eq!(last(&results), plain_counts([text.as_str()]));
    }
}

#[test]
fn the_rate_source_makes_numbered_rows() {
    let results = MemorySink::new();
    let stream = engine(2)
        .stream(RateSource::per_epoch(100_000))
        .trigger(Trigger::Once);
    let counts = stream
        .tokenize(whitespace())
        .count_by_key()
        .order_by(Order::Key);
    counts.sink(results.clone()).run().unwrap();
    let expected: Counts = (0..100_000).map(|row: u64| (row.to_string(), 1)).collect();
    assert_eq!(last(&results), expected);
}

#[test]
fn several_sources_are_one_stream() {
    let (one, first) = MemoryStream::new();
    let (two, second) = MemoryStream::new();
    first.push("a b");
    second.push("b c");
    second.push("c d");
    for input in [&first, &second] {
        input.finish();
    }
    let results = MemorySink::new();
    let stream = engine(1).stream(one).union(two).tokenize(whitespace());
    stream.count_by_key().sink(results.clone()).run().unwrap();
    let epochs = results.epochs();
    assert_eq!(counts_of(&epochs[0].1), plain_counts(["a b b c"]));
    assert_eq!(counts_of(&epochs[1].1), plain_counts(["c d"]));
}
