//! The PostgreSQL sink, with a real server.
#![forbid(unsafe_code)]
#![cfg(all(feature = "postgres", unix))]

mod server;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use keymill::aggregate::{count_rows, max, sum};
use keymill::arrow::schema::{DataType, Field, Schema};
use keymill::prelude::*;
use keymill::read::{LineFormat, RowLines};
use keymill::stream::{self, MemoryStream, MemoryStreamInput, RowSource};
use keymill_connectors::PostgresSink;
use server::Server;

fn rows(input: &MemoryStreamInput, sink: PostgresSink) -> keymill::KeyedStream {
    let field = |name: &str, of| Field::new(name, of, true);
    let schema = Schema::new(vec![
        field("key", DataType::Utf8),
        field("flag", DataType::Boolean),
        field("value", DataType::Int64),
        field("level", DataType::Float64),
        field("day", DataType::Date32),
    ]);
    let lines = RowLines::new(LineFormat::Json, Arc::new(schema)).unwrap();
    Engine::new()
        .unwrap()
        .stream(RowSource::new(MemoryStream::of(input), lines))
        .group_by(["key", "flag"], [sum("value"), count_rows(), max("level")])
        .update_state(stream::sum())
        .sink(sink)
}

fn sink(server: &Server, table: &str) -> PostgresSink {
    PostgresSink::new(&server.url).unwrap().table(table)
}

#[test]
fn rows_replace_those_of_the_same_key() {
    let Some(server) = Server::postgres("rows_replace_those_of_the_same_key") else {
        return;
    };
    let input = MemoryStreamInput::default();
    input.push(
        r#"{"key":"a'\"","flag":true,"value":1,"level":1.5}
{"key":null,"flag":true,"value":2}
{"flag":null,"value":3}
{"key":"","flag":false,"value":-4}
"#,
    );
    input.push("{\"key\":null,\"flag\":true,\"value\":5}\n{\"value\":6,\"level\":-0.5}\n");
    input.finish();
    let folder = tempfile::tempdir().unwrap();
    let run = |checkpoint: &str, table: &str| {
        rows(&input, sink(&server, table))
            .checkpoint(folder.path().join(checkpoint))
            .run()
    };
    run("ck", "public.the \"rows\"").unwrap();
    let found = "SELECT t::text FROM public.\"the \"\"rows\"\"\" t ORDER BY 1";
    let expected = [
        "(\"\",f,-4,1,)",
        "(\"a'\"\"\",t,1,1,1.5)",
        "(,,9,2,-0.5)",
        "(,t,7,2,)",
    ];
    assert_eq!(server.texts(found), expected);
    let epochs = "SELECT target || ' ' || epoch FROM keymill_epochs";
    assert_eq!(server.texts(epochs), ["public.the \"rows\" 1"]);

    let refused = run("other", "public.the \"rows\"").unwrap_err().to_string();
    assert!(
        refused.contains("has results of another query"),
        "{refused}"
    );
    let create = "CREATE TABLE other (key text, n integer)";
    server.client().batch_execute(create).unwrap();
    let refused = run("other", "other").unwrap_err().to_string();
    assert!(
        refused.contains("it has (key text, n integer)"),
        "{refused}"
    );
    let refused = run("other", &"x".repeat(64)).unwrap_err().to_string();
    assert!(refused.contains("63 bytes"), "{refused}");
}

#[test]
fn text_that_postgresql_does_not_have_ends_the_query() {
    let Some(server) = Server::postgres("text_that_postgresql_does_not_have") else {
        return;
    };
    for bad in [&b"caf\xe9"[..], b"nul\0l"] {
        let (source, input) = MemoryStream::new();
        input.push(bad);
        input.finish();
        let error = Engine::new()
            .unwrap()
            .stream(source)
            .tokenize(whitespace())
            .count_by_key()
            .update_state(stream::sum())
            .sink(sink(&server, "words").table(format!("words{}", bad.len())))
            .run()
            .unwrap_err()
            .to_string();
        let shown = bad.escape_ascii().to_string();
        assert!(
            error.contains(&shown) && error.contains("column `key`"),
            "{error}"
        );
    }
}

#[test]
fn lost_connections_and_crashes_double_nothing() {
    let Some(server) = Server::postgres("lost_connections_and_crashes_double_nothing") else {
        return;
    };
    let input = MemoryStreamInput::default();
    let mut query = rows(&input, sink(&server, "totals")).start().unwrap();
    let total = "SELECT \"sum(value)\"::text FROM totals WHERE key = 'a'";
    let push = |value: u32| input.push(format!("{{\"key\":\"a\",\"value\":{value}}}\n"));
    let committed = |total_now: &str| {
        while server.texts(total) != [total_now] {
            thread::sleep(Duration::from_millis(20));
            assert!(query.exception().is_none(), "{:?}", query.exception());
        }
    };
    push(1);
    committed("1");
    // The connection ends between epochs.
    let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
               WHERE application_name = 'keymill'";
    assert_eq!(server.texts(end), ["true"]);
    push(2);
    committed("3");
    // The connection ends in a transaction that waits for a lock.
    let mut other = server.client();
    other.batch_execute("BEGIN; LOCK TABLE totals").unwrap();
    push(4);
    let waits = "SELECT pid::text FROM pg_stat_activity \
                 WHERE application_name = 'keymill' AND wait_event_type = 'Lock'";
    while server.texts(waits).is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.texts(end), ["true"]);
    while !query.status().message.starts_with("paused") {
        thread::sleep(Duration::from_millis(1));
    }
    other.batch_execute("ROLLBACK").unwrap();
    committed("7");
    // The server crashes, and comes back.
    server.crash();
    push(8);
    while !query
        .status()
        .message
        .contains("no connection to `postgres://127.0.0.1:")
    {
        thread::sleep(Duration::from_millis(1));
    }
    server.start_again();
    committed("15");
    input.finish();
    query.await_termination().unwrap();
    assert_eq!(
        server.texts("SELECT epoch::text FROM keymill_epochs"),
        ["3"]
    );
}

#[test]
fn servers_that_are_not_there_are_refused() {
    let refused = |url: &str| match PostgresSink::new(url) {
        Ok(sink) => rows(&MemoryStreamInput::default(), sink).run().unwrap_err(),
        Err(error) => error,
    };
    let error = refused("postgres://ann:secret@127.0.0.1:1/shop").to_string();
    assert!(
        error.contains("no connection to `postgres://127.0.0.1:1/shop`"),
        "{error}"
    );
    let error = refused("postgres://ann:secret@host:x/shop").to_string();
    assert!(
        error.contains("not a PostgreSQL URL") && !error.contains("secret"),
        "{error}"
    );
}
