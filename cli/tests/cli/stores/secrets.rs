//! Credentials. A password is in nothing that is written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::store::{Input, Store};
use crate::command::{Folder, keymill, text};

pub(super) const PASSWORD: &str = "pAssw0rd-that-no-file-has";

/// Whether a file in a folder, or below it, has the password.
fn is_in(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_in(&path),
            false => String::from_utf8_lossy(&fs::read(path).unwrap()).contains(PASSWORD),
        }
    })
}

/// Runs a query that must not show the password.
pub(super) fn shows_no_password(command: &mut Command) -> Output {
    let output = command.args(["--progress", "--explain"]).output().unwrap();
    for shown in [&output.stdout, &output.stderr] {
        assert!(!text(shown).contains(PASSWORD), "{}", text(shown));
    }
    output
}

#[test]
fn redis_takes_passwords_and_nobody_shows_them() {
    let variables = [("KEYMILL_REDIS_OPTIONS", format!("--requirepass {PASSWORD}"))];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let Some(store) = Store::own("redis", &variables) else {
        return;
    };
    let address = &store.server.address;
    let folder = Folder::new();
    let file = folder.file("secret", format!("{PASSWORD}\n"));
    for (number, (url, option)) in [
        (format!("redis://:{PASSWORD}@{address}/by-url"), None),
        (
            format!("redis://{address}/by-file"),
            Some(format!("password.file={file}")),
        ),
        (
            format!("redis://{address}/by-variable"),
            Some("password.env=SECRET".to_owned()),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = Folder::new();
        let input = Input::new(&folder, 2);
        let mut query = input.stream(&url, &["--mode", "update"]);
        query.env("SECRET", PASSWORD);
        if let Some(option) = &option {
            query.args(["--to-option", option]);
        }
        let output = shows_no_password(&mut query);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(!is_in(&folder.path("ck")));
        let mut connection = store.redis(Some(PASSWORD));
        let keys: u64 = redis::cmd("DBSIZE").query(&mut connection).unwrap();
        assert_eq!(
            keys,
            (number as u64 + 1) * (input.totals().len() as u64 + 1)
        );
    }
    // No password, and a wrong one: the query ends and says so.
    for url in [
        format!("redis://{address}/x"),
        format!("redis://:{PASSWORD}x@{address}/x"),
    ] {
        let folder = Folder::new();
        let input = Input::new(&folder, 1);
        let output = shows_no_password(&mut input.stream(&url, &["--mode", "update"]));
        assert_eq!(output.status.code(), Some(1));
        let says = text(&output.stderr);
        assert!(
            says.contains("does not accept the user and password"),
            "{says}"
        );
    }
}

/// A server that is not there, a scheme that is none, a wrong URL: messages have no password.
#[test]
fn errors_show_no_password() {
    for url in [
        format!("opensearch://me:{PASSWORD}@127.0.0.1:1/x/y"),
        format!("opensaerch://me:{PASSWORD}@127.0.0.1:1/x"),
        format!("hbase://me:{PASSWORD}@127.0.0.1:1"),
        format!("cassandra://me:{PASSWORD}@127.0.0.1:1"),
        format!("postgres://me:{PASSWORD}@127.0.0.1:1/x"),
    ] {
        let mut command = keymill();
        command.args(["stream", "--from", "stdin:", "--count", "--to", &url]);
        let output = shows_no_password(&mut command);
        assert_ne!(output.status.code(), Some(0), "{url}");
    }
}
