//! Tables of Cassandra, read by a plain client.

use std::collections::BTreeMap;
use std::fs;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::value::DeserializeValue;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::store::{Input, Store};
use crate::command::{Folder, run, text};

/// The keyspace of the tests.
pub(super) const KEYSPACE: &str = "tests";

/// A plain client.
pub(super) struct Client {
    runtime: Runtime,
    session: Session,
}

impl Client {
    /// Connects, and creates the keyspace.
    pub(super) fn new(address: &str, login: Option<(&str, &str)>) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut session = SessionBuilder::new().known_node(address);
        if let Some((user, password)) = login {
            session = session.user(user, password);
        }
        let session = runtime.block_on(session.build()).unwrap();
        let it = Self { runtime, session };
        let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
        it.run(&format!(
            "CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {replication}"
        ));
        it
    }

    pub(super) fn run(&self, statement: &str) {
        let done = self.session.query_unpaged(statement, &[]);
        self.runtime.block_on(done).unwrap();
    }

    /// The values of the one column that a statement selects.
    fn column<T>(&self, select: &str) -> Vec<T>
    where
        T: for<'f, 'm> DeserializeValue<'f, 'm>,
    {
        let answer = self.session.query_unpaged(select, &[]);
        let answer = self.runtime.block_on(answer).unwrap();
        let rows = answer.into_rows_result().unwrap();
        let rows = rows.rows::<(T,)>().unwrap();
        rows.map(|row| row.unwrap().0).collect()
    }

    /// All rows of a table, in the order of their text.
    fn all(&self, table: &str) -> Vec<Map<String, Value>> {
        let select = format!("SELECT JSON * FROM {KEYSPACE}.\"{table}\"");
        let mut rows: Vec<String> = self.column(&select);
        rows.sort();
        let rows = rows.iter().map(|row| {
            let row: Map<String, Value> = serde_json::from_str(row).unwrap();
            // Names that are not in lower case stand in quotes.
            let row = row.into_iter();
            row.map(|(name, value)| (name.trim_matches('"').to_owned(), value))
                .collect()
        });
        rows.collect()
    }

    /// All rows of a table: their keys as text, and their other values by name.
    pub(super) fn rows(&self, table: &str) -> BTreeMap<String, Value> {
        let rows = self.all(table).into_iter().map(|mut row| {
            let id = ["keymill_id", "site", "key"]
                .into_iter()
                .find_map(|it| row.remove(it));
            (id.unwrap().as_str().unwrap().to_owned(), row.into())
        });
        rows.collect()
    }
}

/// Runs a stream over standard input, which must succeed.
fn stream(input: &[u8], to: &str, more: &[&str]) {
    let output = run(
        &[&["stream", "--from", "stdin:", "--to", to][..], more].concat(),
        input,
    );
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

fn fails(input: &[u8], to: &str, more: &[&str]) -> String {
    let output = run(
        &[&["stream", "--from", "stdin:", "--to", to][..], more].concat(),
        input,
    );
    assert_eq!(output.status.code(), Some(1));
    text(&output.stderr).to_owned()
}

const BY_SITE: [&str; 6] = ["--json", "--key", "site", "--mode", "update", "--agg"];

#[test]
fn columns_have_types_of_cassandra() {
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    let place = store.place("types");
    let lines = concat!(
        r#"{"site":"a","n":7,"f":0.5,"b":true,"d":"2026-01-02","s":"x"}"#,
        "\n",
        r#"{"site":"b","n":null,"f":null,"b":null,"d":null,"s":null}"#,
        "\n",
    );
    let columns = "site,n:int,f:float,b:bool,d:date,s:text";
    let agg = "sum(n) AS n,sum(CAST(n AS decimal(20,2))) AS m,max(f) AS f,max(b) AS b,max(d) AS d,max(s) AS s";
    let more = [&["--columns", columns][..], &BY_SITE, &[agg]].concat();
    stream(lines.as_bytes(), &store.url(&place), &more);
    let rows = store.rows(&place);
    let expected = json!({
        "n": 7, "m": 7.00, "f": 0.5, "b": true, "d": "2026-01-02", "s": "x"
    });
    assert_eq!(rows["a"], expected);
    assert!(
        rows["b"].as_object().unwrap().values().all(Value::is_null),
        "{rows:?}"
    );
}

/// A key of several columns is a key of several columns; rows that are added have ids of their own.
#[test]
fn windows_and_added_rows_have_keys() {
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    let place = store.place("windows");
    let lines = b"a,2026-01-01T00:00:01Z\na,2026-01-01T00:00:02Z\na,2026-01-01T00:01:00Z\n";
    let windows = [
        "--columns",
        "site,time",
        "--key",
        "site",
        "--agg",
        "count AS n",
    ];
    let more = [
        "--window",
        "10s",
        "--time",
        "time",
        "--watermark",
        "0s",
        "--mode",
        "append",
        "--flush",
    ];
    stream(lines, &store.url(&place), &[&windows[..], &more].concat());
    let rows = store.cassandra(None).all(&store.table(&place));
    let rows: Vec<(&Value, &Value)> = rows
        .iter()
        .map(|row| (&row["window_start"], &row["n"]))
        .collect();
    let expected = [
        (&json!("2026-01-01 00:00:00.000Z"), &json!(2)),
        (&json!("2026-01-01 00:01:00.000Z"), &json!(1)),
    ];
    assert_eq!(rows, expected);
    let table = store.table(&place);
    let mut key: Vec<String> = store.cassandra(None).column(&format!(
        "SELECT column_name FROM system_schema.columns WHERE keyspace_name = '{KEYSPACE}' \
         AND table_name = '{table}' AND kind = 'partition_key' ALLOW FILTERING"
    ));
    key.sort();
    assert_eq!(key, ["site", "window_end", "window_start"]);
    let place = store.place("added");
    let folder = Folder::new();
    let input = Input::new(&folder, 2);
    let output = input
        .stream(&store.url(&place), &["--per-epoch"])
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    let rows = store.rows(&place);
    assert!(
        rows.contains_key("0-0") && rows.contains_key("1-0"),
        "{rows:?}"
    );
    let all = rows.values().filter(|row| row["site"] == "all");
    assert_eq!(all.count(), 2);
}

#[test]
fn rows_that_cassandra_does_not_take_are_kept() {
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    // No key, an empty one, one that is too long, and text that is not UTF-8.
    let long = "x".repeat(70_000);
    let lines = format!(
        "{{\"site\":null}}\n{{\"site\":\"a\"}}\n{{\"site\":\"\"}}\n{{\"site\":\"{long}\"}}\n{{\"site\":\"b\"}}\n"
    );
    let columns = [&["--columns", "site"][..], &BY_SITE, &["count AS n"]].concat();
    let says = fails(
        lines.as_bytes(),
        &store.url(&store.place("letters")),
        &columns,
    );
    assert!(
        says.contains("does not take the row") && says.contains("dead.letters"),
        "{says}"
    );

    let (place, folder) = (store.place("letters"), Folder::new());
    let letters = format!("dead.letters={}", folder.name("dead"));
    let more = [&columns[..], &["--to-option", &letters]].concat();
    stream(lines.as_bytes(), &store.url(&place), &more);
    let rows = store.rows(&place);
    assert_eq!(rows.into_keys().collect::<Vec<_>>(), ["a", "b"]);
    let letters = |folder: &Folder| {
        let files = fs::read_dir(folder.path("dead")).unwrap();
        let text: String = files
            .map(|it| fs::read_to_string(it.unwrap().path()).unwrap())
            .collect();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    };
    let kept = letters(&folder);
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(kept.iter().any(|it| it["row"]["site"] == long.as_str()));

    let (place, folder) = (store.place("bytes"), Folder::new());
    let setting = format!("dead.letters={}", folder.name("dead"));
    stream(
        b"a \xff b",
        &store.url(&place),
        &["--count", "--to-option", &setting],
    );
    assert_eq!(store.rows(&place).len(), 2);
    let kept = letters(&folder);
    assert!(
        kept[0]["reason"]
            .as_str()
            .unwrap()
            .contains("`key`: the text is not UTF-8"),
        "{kept:?}"
    );
}

#[test]
fn tables_with_other_columns_are_refused() {
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    let client = store.cassandra(None);
    let place = store.place("other");
    let table = store.table(&place);
    client.run(&format!(
        "CREATE TABLE {KEYSPACE}.{table} (site text PRIMARY KEY, n text)"
    ));
    let more = [&["--columns", "site"][..], &BY_SITE, &["count AS n"]].concat();
    let line = b"{\"site\":\"a\"}\n";
    let says = fails(line, &store.url(&place), &more);
    assert!(says.contains("it has n text, site text (key)"), "{says}");
    assert!(
        says.contains("the results have site text (key), n bigint"),
        "{says}"
    );
    // A table of the user may have more columns, and clustering columns.
    let place = store.place("own");
    let table = store.table(&place);
    client.run(&format!(
        "CREATE TABLE {KEYSPACE}.{table} (site text PRIMARY KEY, n bigint, more text)"
    ));
    client.run(&format!(
        "INSERT INTO {KEYSPACE}.{table} (site, n, more) VALUES ('a', 99, 'kept')"
    ));
    stream(line, &store.url(&place), &more);
    assert_eq!(store.rows(&place)["a"], json!({"n": 1, "more": "kept"}));
    // A keyspace is created only with `replication`.
    let keyspace = format!("made_{}", std::process::id());
    let url = format!("cassandra://{}/{keyspace}/t", store.server.address);
    let says = fails(line, &url, &more);
    assert!(
        says.contains(&keyspace) && says.contains("replication=3"),
        "{says}"
    );
    stream(
        line,
        &url,
        &[&more[..], &["--to-option", "replication=1"]].concat(),
    );
}

#[test]
fn rows_may_have_a_time_to_live() {
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    let place = store.place("ttl");
    let more = [&["--columns", "site"][..], &BY_SITE, &["count AS n"]].concat();
    let more = [
        &more[..],
        &[
            "--to-option",
            "ttl.seconds=2",
            "--to-option",
            "consistency=all",
        ],
    ]
    .concat();
    stream(b"{\"site\":\"a\"}\n", &store.url(&place), &more);
    assert_eq!(store.rows(&place).len(), 1);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(store.rows(&place).is_empty());
}

/// The time of a row is the base of its query and its epoch, also after a restart.
#[test]
fn rows_have_the_time_of_their_epoch() {
    let Some(store) = Store::shared("cassandra") else {
        return;
    };
    let (place, folder) = (store.place("times"), Folder::new());
    let input = Input::new(&folder, 3);
    let table = store.table(&place);
    let run = || {
        let mut query = input.stream(&store.url(&place), &["--mode", "update"]);
        let output = query.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    run();
    let client = store.cassandra(None);
    let number = |select: &str| -> i64 { client.column(select)[0] };
    let base = number(&format!(
        "SELECT base FROM {KEYSPACE}.keymill_writers WHERE place = '{table}'"
    ));
    let time = |site: &str| {
        let select = format!(
            "SELECT writetime(\"sum(count)\") FROM {KEYSPACE}.{table} WHERE site = '{site}'"
        );
        number(&select) - base
    };
    assert_eq!(["only-in-0", "only-in-2", "all"].map(time), [0, 2, 2]);
    fs::write(folder.path("in").join("003"), "late,1\n").unwrap();
    run();
    assert_eq!(["late", "all"].map(time), [3, 2]);
    // An epoch before, as a process that was paused would write it.
    client.run(&format!(
        "INSERT INTO {KEYSPACE}.{table} (site, \"sum(count)\") VALUES ('all', 1) USING TIMESTAMP {}",
        base + 1
    ));
    assert_eq!(store.counts(&place)["all"], input.totals()["all"]);
}
