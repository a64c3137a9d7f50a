//! `keymill stream` into databases, with real kills.
#![cfg(all(target_os = "linux", feature = "sqlite", feature = "postgres"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::command::{Folder, assert_fails, keymill, text};
use crate::kills::{Moments, killed_at, wanted};
use crate::server::Server;

/// Files of the input, and so epochs.
const FILES: u64 = 5;

const UPDATE: &[&str] = &["--mode", "update"];
const APPEND: &[&str] = &["--per-epoch"];

/// The table of the results, and the table of epochs.
type Content = (Vec<String>, Vec<String>);

fn make_input(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for file in 0..FILES {
        let rows = (0..200).map(|row: u64| format!("s{},{}\n", row * row * (file + 3) % 41, row));
        // A site that comes only once: no later epoch heals its loss. A site of every epoch, whose
        // total shows an epoch that is added twice.
        let text = rows.collect::<String>() + &format!("only-in-{file},1\nall,1\n");
        fs::write(folder.join(format!("{file:03}")), text).unwrap();
    }
}

fn query(folder: &Path, mode: &[&str], to: &str) -> Command {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut command = keymill();
    command
        .args(["stream", "--from", &format!("dir:{}", path("in"))])
        .args(["--columns", "site,count", "--key", "site"])
        .args(["--agg", "sum(count),count", "--max-files", "1"])
        .args(["--snapshot-every", "2", "--available-now"])
        .args(["--require", "exactly-once", "--checkpoint", &path("ck")])
        .args(["--to", to])
        .args(mode);
    command
}

/// Where a query writes.
enum Place<'s> {
    Sqlite,
    Postgres(&'s Server),
}

impl Place<'_> {
    /// The URL for a query whose files are in a folder; the last part of its name is the table.
    fn url(&self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}?table=visits", folder.join("visits.db").display()),
            Self::Postgres(server) => format!("{}?table={}", server.url, table_of(folder)),
        }
    }

    fn content(&self, folder: &Path) -> Content {
        match self {
            Self::Sqlite => {
                let database = Connection::open(folder.join("visits.db")).unwrap();
                let all = |sql: &str| {
                    let mut rows = database.prepare(sql).unwrap();
                    let columns = rows.column_count();
                    let row = |row: &rusqlite::Row<'_>| {
                        (0..columns)
                            .map(|column| row.get::<_, Value>(column))
                            .collect()
                    };
                    let rows = rows.query_map([], row).unwrap();
                    let rows: rusqlite::Result<Vec<Vec<Value>>> = rows.collect();
                    rows.unwrap().iter().map(|row| format!("{row:?}")).collect()
                };
                let rows = all("SELECT * FROM visits ORDER BY 1, 2, 3");
                (rows, all("SELECT epoch FROM keymill_epochs"))
            }
            Self::Postgres(server) => {
                let table = table_of(folder);
                let rows = format!("SELECT t::text FROM \"{table}\" t ORDER BY 1");
                let epoch =
                    format!("SELECT epoch::text FROM keymill_epochs WHERE target = '{table}'");
                (server.texts(&rows), server.texts(&epoch))
            }
        }
    }

    fn without_faults(&self, mode: &[&str]) -> Content {
        let folder = Folder::new();
        make_input(&folder.path("in"));
        let folder = folder.path("");
        let output = query(&folder, mode, &self.url(&folder)).output().unwrap();
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        self.content(&folder)
    }

    /// Kills a query at every step of some epochs, and starts it again.
    fn kill_at_every_step(&self, mode: &[&str], epochs: std::ops::Range<u64>) {
        let expected = self.without_faults(mode);
        let mut killed = BTreeSet::new();
        for point in keymill::KeyedStream::kill_points() {
            for epoch in epochs.clone() {
                let folder = Folder::new();
                make_input(&folder.path("in"));
                let folder = folder.path("");
                let query = || query(&folder, mode, &self.url(&folder));
                let kill_at = format!("{point}:{epoch}");
                if killed_at(&kill_at, query) {
                    killed.insert(point);
                }
                assert_eq!(self.content(&folder), expected, "{kill_at} {mode:?}");
            }
        }
        // Without state there is no delta.
        assert!(
            killed.len() >= if mode == UPDATE { 15 } else { 9 },
            "{killed:?}"
        );
    }

    fn kill_at_random_moments(&self, kills: u32) {
        let expected = self.without_faults(APPEND);
        let mut moments = Moments::new(11, Duration::from_millis(60));
        while moments.kills < wanted(kills) {
            let folder = Folder::new();
            make_input(&folder.path("in"));
            let folder = folder.path("");
            moments.kill_until_done(|| query(&folder, APPEND, &self.url(&folder)));
            assert_eq!(self.content(&folder), expected);
        }
    }
}

/// A table for the query of a folder.
fn table_of(folder: &Path) -> String {
    let name = folder.to_str().unwrap().trim_end_matches('/');
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    // The last part; the names of PostgreSQL are short.
    let start = name.len().saturating_sub(30);
    name[start..].to_lowercase()
}

#[test]
fn running_totals_in_a_table() {
    let (rows, epochs) = Place::Sqlite.without_faults(UPDATE);
    let all = r#"[Text("all"), Real(5.0), Integer(5)]"#;
    assert_eq!(rows[0], all);
    assert_eq!(epochs, ["[Integer(4)]"]);
    // Each epoch alone: a row for each site of each file.
    let (added, _) = Place::Sqlite.without_faults(APPEND);
    assert!(added.len() > rows.len());
    let once = r#"[Text("all"), Real(1.0), Integer(1)]"#;
    assert_eq!(added[..5], [once; 5]);
}

#[test]
fn kill_9_at_every_step_writes_every_epoch_once_to_sqlite() {
    Place::Sqlite.kill_at_every_step(UPDATE, 0..2);
    Place::Sqlite.kill_at_every_step(APPEND, 1..2);
}

#[test]
fn kill_9_at_every_step_writes_every_epoch_once_to_postgresql() {
    let Some(server) = Server::postgres("kill_9_at_every_step to PostgreSQL") else {
        return;
    };
    Place::Postgres(&server).kill_at_every_step(UPDATE, 1..2);
    Place::Postgres(&server).kill_at_every_step(APPEND, 1..2);
    Place::Postgres(&server).kill_at_random_moments(10);
}

#[test]
fn kills_at_random_moments_write_every_epoch_once_to_sqlite() {
    Place::Sqlite.kill_at_random_moments(20);
}

#[test]
fn wrong_tables_are_refused() {
    let folder = Folder::new();
    make_input(&folder.path("in"));
    let database = folder.path("visits.db");
    let folder = folder.path("");
    let other = "CREATE TABLE visits (site TEXT, count BLOB)";
    Connection::open(&database)
        .unwrap()
        .execute_batch(other)
        .unwrap();
    let run = || {
        query(&folder, &[], &Place::Sqlite.url(&folder))
            .output()
            .unwrap()
    };
    let output = run();
    let says = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let columns = "has other columns than the results: it has (site TEXT, count BLOB)";
    assert!(says.contains(columns), "{says}");
    fs::write(&database, "no database, but a text of some length").unwrap();
    assert!(text(&run().stderr).contains("is not a SQLite database"));
    let stream = ["stream", "--from", "rate:1", "--count", "--to"];
    for (url, says) in [
        ("sqlite:", "is not a sink"),
        ("sqlite:x.db?tabel=y", "`tabel=y` is not an option"),
        (
            "sqlite:x.db?table=keymill_epochs",
            "cannot be the table of a sink",
        ),
        ("postgres://host:port/x", "not a PostgreSQL URL"),
        ("postgres://host/x?tabel=y", "not a PostgreSQL URL"),
        ("postgres://host/x?table=a&table=b", "name one table"),
    ] {
        assert_fails(&[&stream[..], &[url]].concat(), 2, &[says]);
    }
}
