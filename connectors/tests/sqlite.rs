//! The SQLite sink: values, keys, locks and owners.
#![forbid(unsafe_code)]
#![cfg(feature = "sqlite")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keymill::aggregate::{count_rows, max, sum};
use keymill::arrow::schema::{DataType, Field, Schema};
use keymill::prelude::*;
use keymill::read::{LineFormat, RowLines};
use keymill::stream::{self, MemoryStream, OutputMode, RowSource, Trigger};
use keymill_connectors::SqliteSink;
use rusqlite::Connection;
use rusqlite::types::Value;

/// Groups lines of JSON with `key`, `flag`, `value` and `level`, an epoch a text.
fn rows(sink: SqliteSink, texts: &[&str]) -> keymill::KeyedStream {
    let (source, input) = MemoryStream::new();
    for text in texts {
        input.push(text);
    }
    input.finish();
    rows_of(source, sink)
}

fn rows_of(source: MemoryStream, sink: SqliteSink) -> keymill::KeyedStream {
    let field = |name: &str, of| Field::new(name, of, true);
    let schema = Schema::new(vec![
        field("key", DataType::Utf8),
        field("flag", DataType::Boolean),
        field("value", DataType::Int64),
        field("level", DataType::Float64),
    ]);
    let lines = RowLines::new(LineFormat::Json, Arc::new(schema)).unwrap();
    Engine::new()
        .unwrap()
        .stream(RowSource::new(source, lines))
        .group_by(["key", "flag"], [sum("value"), count_rows(), max("level")])
        .update_state(stream::sum())
        .sink(sink)
}

fn all(file: &Path, sql: &str) -> Vec<Vec<Value>> {
    let database = Connection::open(file).unwrap();
    let mut rows = database.prepare(sql).unwrap();
    let columns = rows.column_count();
    let rows = rows.query_map([], |row| (0..columns).map(|it| row.get(it)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn keys_with_nulls_are_changed_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let first = r#"{"key":"a","flag":true,"value":1,"level":1.5}
{"key":null,"flag":true,"value":2}
{"flag":null,"value":3}
{"key":"","flag":false,"value":-4}
"#;
    let second = "{\"key\":null,\"flag\":true,\"value\":5}\n{\"value\":6,\"level\":-0.5}\n";
    rows(SqliteSink::new(&file), &[first, second])
        .run()
        .unwrap();
    let found = all(&file, "SELECT * FROM results ORDER BY key, flag");
    let (null, int) = (Value::Null, Value::Integer);
    let text = |text: &str| Value::Text(text.into());
    let expected = [
        [
            null.clone(),
            null.clone(),
            int(9),
            int(2),
            Value::Real(-0.5),
        ],
        [null.clone(), int(1), int(7), int(2), null.clone()],
        [text(""), int(0), int(-4), int(1), null],
        [text("a"), int(1), int(1), int(1), Value::Real(1.5)],
    ];
    assert_eq!(found, expected);
}

#[test]
fn keys_are_text_or_else_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.db");
    let (source, input) = MemoryStream::new();
    input.push(b"caf\xc3\xa9 caf\xe9 nul\0l 7");
    input.push(b"caf\xe9 nul\0l 7");
    Engine::new()
        .unwrap()
        .stream(source)
        .trigger(Trigger::AvailableNow)
        .tokenize(whitespace())
        .count_by_key()
        .update_state(stream::sum())
        .mode(OutputMode::Complete)
        .sink(SqliteSink::new(&file).table("a \"word\""))
        .run()
        .unwrap();
    let sql = "SELECT key, count FROM \"a \"\"word\"\"\" ORDER BY count, key";
    let (text, int) = (|text: &str| Value::Text(text.into()), Value::Integer);
    let expected = [
        [text("café"), int(1)],
        [text("7"), int(2)],
        [text("nul\0l"), int(2)],
        [Value::Blob(b"caf\xe9".to_vec()), int(2)],
    ];
    assert_eq!(all(&file, sql), expected);
}

#[test]
fn a_locked_database_pauses_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let (source, input) = MemoryStream::new();
    let mut query = rows_of(source, SqliteSink::new(&file)).start().unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    input.push("{\"key\":\"a\",\"value\":1}\n");
    input.finish();
    let says = "is locked by another program";
    while !query.status().message.contains(says) {
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(query.exception().map(|it| it.to_string()), None);
    }
    other.execute_batch("ROLLBACK").unwrap();
    query.await_termination().unwrap();
    let found = all(&file, "SELECT key, \"sum(value)\" FROM results");
    assert_eq!(found, [[Value::Text("a".into()), Value::Integer(1)]]);
}

#[test]
fn results_of_another_query_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let line = "{\"key\":\"a\",\"value\":1}\n";
    let run = |table: &str, checkpoint: &str| {
        let sink = SqliteSink::new(&file).table(table);
        let checkpoint = folder.path().join(checkpoint);
        rows(sink, &[line]).checkpoint(checkpoint).run()
    };
    run("one", "ck1").unwrap();
    run("two", "ck2").unwrap();
    let refused = run("one", "ck2").unwrap_err().to_string();
    assert!(
        refused.contains("has results of another query"),
        "{refused}"
    );
    assert_eq!(
        all(&file, "SELECT target, epoch FROM keymill_epochs").len(),
        2
    );
    // The checkpoint is older than the database.
    std::fs::remove_dir_all(folder.path().join("ck1/commits")).unwrap();
    std::fs::remove_dir_all(folder.path().join("ck1/offsets")).unwrap();
    let refused = run("one", "ck1").unwrap_err().to_string();
    assert!(
        refused.contains("has epoch 0, and the checkpoint knows the epochs before 0"),
        "{refused}"
    );
}

#[test]
fn an_integer_that_a_database_does_not_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let (source, input) = MemoryStream::new();
    input.push("{\"n\":18446744073709551615}\n");
    input.finish();
    let schema = Schema::new(vec![Field::new("n", DataType::UInt64, true)]);
    let lines = RowLines::new(LineFormat::Json, Arc::new(schema)).unwrap();
    let query = Engine::new()
        .unwrap()
        .stream(RowSource::new(source, lines))
        .group_by(["n"], [count_rows()])
        .update_state(stream::sum())
        .sink(SqliteSink::new(&file));
    let error = query.run().unwrap_err().to_string();
    assert!(
        error.contains("18446744073709551615 in column `n` does not fit"),
        "{error}"
    );
}
