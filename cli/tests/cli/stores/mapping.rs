//! Keys as ids, nulls, windows, added rows, and rows that a store does not take.

use std::fs;

use serde_json::{Value, json};

use super::store::Store;
use crate::command::{Folder, assert_fails, keymill, run, text};

/// Runs a stream over standard input, which must succeed.
fn stream(input: &[u8], to: &str, more: &[&str]) {
    let arguments = [&["stream", "--from", "stdin:", "--to", to][..], more].concat();
    let output = run(&arguments, input);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

fn ids(store: &Store, place: &str) -> Vec<String> {
    store.rows(place).into_keys().collect()
}

#[test]
fn keys_are_ids_that_cannot_clash() {
    for kind in ["opensearch", "redis"] {
        let Some(store) = Store::shared(kind) else {
            return;
        };
        let place = store.place("words");
        let to = store.url(&place);
        stream(b"a {x \xff a {\"key\":null}", &to, &["--count"]);
        let expected = [
            r#"a"#,
            r#"{"key":"{\"key\":null}"}"#,
            r#"{"key":"{x"}"#,
            r#"{"key_base64":"/w=="}"#,
        ];
        assert_eq!(ids(&store, &place), expected, "{kind}");

        // A null, an empty text, and a key of several columns.
        let place = store.place("columns");
        let to = store.url(&place);
        let lines =
            b"{\"site\":null,\"day\":1}\n{\"site\":\"\",\"day\":1}\n{\"site\":\"b\",\"day\":2}\n";
        let by_site = [
            "--json",
            "--columns",
            "site,day",
            "--key",
            "site",
            "--agg",
            "max(day)",
        ];
        stream(lines, &to, &by_site);
        assert_eq!(
            ids(&store, &place),
            ["b", r#"{"site":""}"#, r#"{"site":null}"#]
        );

        let place = store.place("several");
        let to = store.url(&place);
        let by_both = [
            "--json",
            "--columns",
            "site,day",
            "--key",
            "site,day",
            "--agg",
            "count",
        ];
        let lines = b"{\"site\":\"\",\"day\":\"1\"}\n{\"site\":\"b\",\"day\":\"2\"}\n{\"site\":\"b\",\"day\":\"3\"}\n";
        stream(lines, &to, &by_both);
        let first = ids(&store, &place)[0].clone();
        assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["site"], "");
        assert_eq!(ids(&store, &place).len(), 3);
    }
}

#[test]
fn windows_are_part_of_the_id() {
    let Some(store) = Store::shared("redis") else {
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
        "count",
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
    stream(lines, &store.url(&place), &windows);
    let rows = store.rows(&place);
    let counts: Vec<&Value> = rows.values().map(|row| &row["count(*)"]).collect();
    assert_eq!(counts, [&json!("2"), &json!("1")]);
    let first: Value = serde_json::from_str(rows.keys().next().unwrap()).unwrap();
    assert_eq!(first["site"], "a");
    assert!(
        first["window_start"]
            .as_str()
            .unwrap()
            .starts_with("2026-01-01T00:00:00")
    );
}

/// Rows that are only added do not replace those of an epoch before.
#[test]
fn added_rows_have_ids_of_their_own() {
    let Some(store) = Store::shared("opensearch") else {
        return;
    };
    let (place, folder) = (store.place("added"), Folder::new());
    fs::create_dir(folder.path("in")).unwrap();
    for file in 0..3 {
        fs::write(folder.path("in").join(file.to_string()), "a b").unwrap();
    }
    let from = format!("dir:{}", folder.name("in"));
    let output = keymill()
        .args([
            "stream",
            "--from",
            &from,
            "--to",
            &store.url(&place),
            "--count",
        ])
        .args(["--per-epoch", "--available-now", "--max-files", "1"])
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        ids(&store, &place),
        ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]
    );
}

/// A null removes the value that was there, and time to live removes a hash.
#[test]
fn hashes_of_redis_have_no_nulls_and_may_end() {
    let Some(store) = Store::shared("redis") else {
        return;
    };
    let place = store.place("nulls");
    let lines = b"{\"site\":\"a\",\"v\":null}\n{\"site\":\"b\",\"v\":3}\n";
    let more = [
        "--json",
        "--columns",
        "site,v",
        "--key",
        "site",
        "--agg",
        "max(v)",
        "--to-option",
        "ttl.seconds=1",
    ];
    stream(lines, &store.url(&place), &more);
    let rows = store.rows(&place);
    assert_eq!(rows["a"], json!({"keymill:epoch": "0"}));
    assert_eq!(rows["b"]["keymill:epoch"], "0");
    assert_eq!(rows["b"].as_object().unwrap().len(), 2);
    std::thread::sleep(std::time::Duration::from_millis(1300));
    assert!(store.rows(&place).is_empty());
}

#[test]
fn rows_that_a_store_does_not_take_are_kept() {
    let Some(store) = Store::shared("opensearch") else {
        return;
    };
    let (place, folder) = (store.place("letters"), Folder::new());
    let to = store.url(&place);
    // An id has at most 512 bytes.
    let long = "x".repeat(600);
    let input = format!("a b {long} c");
    let output = run(
        &["stream", "--from", "stdin:", "--count", "--to", &to],
        input.as_bytes(),
    );
    assert_eq!(output.status.code(), Some(1));
    let says = text(&output.stderr);
    assert!(
        says.contains("too long") && says.contains("dead.letters"),
        "{says}"
    );

    let place = store.place("letters");
    let letters = format!("dead.letters={}", folder.name("dead"));
    let more = ["--count", "--to-option", &letters];
    stream(input.as_bytes(), &store.url(&place), &more);
    assert_eq!(ids(&store, &place), ["a", "b", "c"]);
    let file = fs::read_dir(folder.path("dead"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let letter: Value = serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
    assert_eq!(letter["row"], json!({"key": long, "count": 1}));
    assert!(letter["reason"].as_str().unwrap().contains("too long"));
}

#[test]
fn urls_and_settings_are_checked() {
    for (url, option, says) in [
        ("opensearch://h:1", "", "write opensearch://HOST:PORT/INDEX"),
        ("opensearch://h:1/Index", "", "is not the name of an index"),
        (
            "opensearch://h:1/i",
            "bulk=3",
            "`bulk` is not a setting here",
        ),
        ("redis://h:1/p/q", "", "write redis://HOST:PORT/PREFIX"),
        (
            "redis://h:1/p",
            "ttl.seconds=soon",
            "`ttl.seconds` cannot be `soon`",
        ),
        (
            "redis://h:1/p",
            "password.env=KEYMILL_NO_SUCH",
            "KEYMILL_NO_SUCH",
        ),
        ("hbase://h:1/keymill_epochs", "", "cannot be the table"),
        ("memcached://u:p@h:1/x", "", "without user and password"),
        (
            "memcached://h:1/x",
            "ttl.seconds=9999999",
            "at most 2592000",
        ),
    ] {
        let mut arguments = vec!["stream", "--from", "stdin:", "--count", "--to", url];
        if !option.is_empty() {
            arguments.extend(["--to-option", option]);
        }
        assert_fails(&arguments, 2, &[says]);
    }
    // A cache forgets, so that it does not promise this.
    let arguments = [
        "stream",
        "--from",
        "stdin:",
        "--count",
        "--to",
        "memcached://h:1/x",
        "--require",
        "idempotent",
    ];
    assert_fails(&arguments, 2, &["idempotent"]);
}
