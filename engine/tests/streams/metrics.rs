//! Metrics over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use keymill::Engine;
use keymill::prelude::*;
use keymill::stream::{MemorySink, MemoryStream, MetricsServer, StreamQuery, sum};

/// Sends bytes, and returns the status line, the head and the body of the answer.
pub(crate) fn send(address: SocketAddr, request: &[u8]) -> (String, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, head) = head.split_once("\r\n").unwrap();
    (status.to_owned(), head.to_owned(), body.to_owned())
}

pub(crate) fn get(server: &MetricsServer, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let (status, _, body) = send(server.local_addr(), request.as_bytes());
    (status, body)
}

/// Checks the format, and returns the samples.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'));
    let (mut seen, mut samples) = (BTreeSet::new(), BTreeMap::new());
    let mut current = (String::new(), String::new());
    let mut helped = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && seen.insert(name.to_owned()), "{line}");
            helped = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped);
            assert!(["counter", "gauge", "summary"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            current = (name.to_owned(), kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let own = match current.1.as_str() {
                "summary" => name.trim_end_matches("_sum").trim_end_matches("_count"),
                _ => name,
            };
            assert_eq!(own, current.0, "{line}");
            let value = value.parse().unwrap();
            assert!(samples.insert(series.to_owned(), value).is_none(), "{line}");
        }
    }
    samples
}

pub(crate) fn wait_for(query: &StreamQuery, epochs: u64) {
    let end = Instant::now() + Duration::from_secs(20);
    while query
        .last_progress()
        .is_none_or(|it| it.batch_id + 1 < epochs)
    {
        assert!(Instant::now() < end, "the epochs have not run");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn metrics_are_those_of_the_epochs() {
    let server = MetricsServer::bind("127.0.0.1:0").unwrap();
    let (status, body) = get(&server, "/healthz");
    assert!(status.contains("503"), "{status}");
    assert_eq!(body, "the query starts\n");
    assert_eq!(get(&server, "/progress").1, "null");

    let (source, input) = MemoryStream::new();
    let (other, _) = MemoryStream::new();
    let query = Engine::new().unwrap().stream(source).union(other);
    let query = query.tokenize(whitespace()).count_by_key();
    let query = query.update_state(sum()).name("odd \"name\"\n");
    let query = query.sink(MemorySink::new()).sink(MemorySink::new());
    let query = query.start().unwrap();
    server.watch(&query);
    for epoch in 0..5 {
        input.push(format!("to be or not to be {epoch}\n"));
    }
    wait_for(&query, 5);

    let (status, body) = get(&server, "/metrics?x=1");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let samples = samples(&body);
    let two = |name: &str, label: &str, number: u8| {
        samples[&format!("{name}{{{label}=\"memory\",number=\"{number}\"}}")]
    };
    assert_eq!(samples["keymill_query_active"], 1.0);
    assert_eq!(samples["keymill_query_paused"], 0.0);
    assert_eq!(samples["keymill_epochs_total"], 5.0);
    assert_eq!(samples["keymill_epoch"], 4.0);
    assert_eq!(samples["keymill_input_rows_total"], 35.0);
    assert_eq!(samples["keymill_input_bytes_total"], 5.0 * 21.0);
    assert_eq!(samples["keymill_state_rows"], 9.0);
    assert_eq!(samples["keymill_state_updated_rows_total"], 25.0);
    assert_eq!(two("keymill_output_rows_total", "sink", 0), 25.0);
    assert_eq!(two("keymill_output_rows_total", "sink", 1), 25.0);
    assert_eq!(two("keymill_rejected_rows_total", "source", 1), 0.0);
    assert_eq!(samples["keymill_epoch_duration_seconds_count"], 5.0);
    let seconds: Vec<f64> = query
        .recent_progress()
        .iter()
        .map(|it| it.duration_ms.trigger_execution / 1000.0)
        .collect();
    let longest = seconds.iter().fold(0.0, |a, b| f64::max(a, *b));
    let close =
        |name: &str, expected: f64| assert!((samples[name] - expected).abs() < 1e-9, "{name}");
    close("keymill_epoch_duration_seconds_sum", seconds.iter().sum());
    close("keymill_epoch_duration_seconds{quantile=\"0.99\"}", longest);
    let info = samples
        .keys()
        .find(|it| it.starts_with("keymill_query_info"))
        .unwrap();
    assert!(info.contains("name=\"odd \\\"name\\\"\\n\""), "{info}");

    let (_, progress) = get(&server, "/progress");
    assert_eq!(progress, query.last_progress().unwrap().to_json());
    let (status, body) = get(&server, "/healthz");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(
        ["waiting for data\n", "running an epoch\n"].contains(&&*body),
        "{body}"
    );
    query.stop(true);
    while !query
        .await_termination_timeout(Duration::from_secs(1))
        .unwrap()
    {}
    let (status, body) = get(&server, "/healthz");
    assert!(
        status.contains("503") && body == "ended\n",
        "{status} {body}"
    );
    assert!(
        get(&server, "/metrics")
            .1
            .contains("\nkeymill_query_active 0\n")
    );
}

#[cfg(feature = "csv")]
#[test]
fn rows_that_are_left_out_are_counted() {
    use keymill::stream::{Trigger, tumbling};

    use crate::windows::rows_of;

    let (source, input) = MemoryStream::new();
    let epochs = [
        "1,a,1\n12.5,a,2\n12.5,a,2\n",
        // Late, without a time, a duplicate, and no row.
        "2,a,3\n,a,4\n3,b,1\n20,b,2\n4,a,x\n",
    ];
    epochs.iter().for_each(|rows| input.push(*rows));
    let stream = Engine::new().unwrap().stream(rows_of(source));
    let stream = stream
        .trigger(Trigger::AvailableNow)
        .drop_duplicates(["value"]);
    let window = tumbling(Duration::from_secs(10)).on("ts");
    let mut query = stream
        .group_by(["key"], ["count".parse().unwrap()])
        .window(window.watermark(Duration::from_secs(2)))
        .sink(MemorySink::new())
        .start()
        .unwrap();
    query.await_termination().unwrap();
    let samples = samples(&query.metrics());
    for (name, expected) in [
        ("keymill_late_rows_total", 2.0),
        ("keymill_untimed_rows_total", 1.0),
        ("keymill_duplicate_rows_total", 2.0),
        ("keymill_watermark_timestamp_seconds", 18.0),
        ("keymill_state_rows", 3.0),
    ] {
        assert_eq!(samples[name], expected, "{name}");
    }
    let rejected = samples
        .iter()
        .find(|(name, _)| name.starts_with("keymill_rejected_rows_total"));
    assert_eq!(rejected.map(|(_, rows)| *rows), Some(1.0));
}

#[test]
fn a_failed_query_is_not_healthy() {
    let server = MetricsServer::bind("127.0.0.1:0").unwrap();
    let (source, input) = MemoryStream::new();
    let query = Engine::new().unwrap().stream(source);
    let query = query.tokenize(whitespace()).count_by_key();
    let query =
        query.for_each_batch(|_, _| Err(keymill::Error::new(ErrorKind::Sink, "no such table")));
    let query = query.start().unwrap();
    server.watch(&query);
    input.push("word");
    while query.is_active() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let (status, body) = get(&server, "/healthz");
    assert!(status.contains("503"), "{status}");
    assert!(body.contains("no such table"), "{body}");
}

#[test]
fn the_server_answers_what_it_does_not_know() {
    let server = MetricsServer::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    for (request, status) in [
        (&b"GET /nothing HTTP/1.1\r\n\r\n"[..], "404"),
        (b"GET / HTTP/1.0\n\n", "404"),
        (
            b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "405",
        ),
        (b"\r\n\r\n", "405"),
        (b"\xff\xfe\x00\r\n\r\n", "405"),
        (b"GET /metrics", "400"),
        (b"", "400"),
    ] {
        let answered = send(address, request);
        assert!(answered.0.contains(status), "{request:?}: {answered:?}");
    }
    let (status, head, body) = send(address, b"HEAD /healthz HTTP/1.1\r\n\r\n");
    assert!(status.contains("503") && body.is_empty());
    assert!(head.contains("Content-Length: 17"), "{head}");
    // A client that says nothing does not keep others from an answer for long.
    let _silent = TcpStream::connect(address).unwrap();
    assert!(get(&server, "/progress").0.contains("200"));
    drop(server);
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < end, "the server goes on after its end");
        std::thread::sleep(Duration::from_millis(10));
    }
    let error = MetricsServer::bind("127.0.0.1:99999").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot serve metrics on `127.0.0.1:99999`")
    );
}
