//! Servers for tests, by `scripts/servers`.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that `scripts/servers` started.
pub(crate) struct Started {
    name: &'static str,
    /// HOST:PORT
    pub(crate) address: String,
    /// The folder of a server that is this test's own; it ends with this value.
    folder: Option<PathBuf>,
}

fn servers(
    folder: Option<&Path>,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> Result<String, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers");
    let mut command = Command::new(script);
    command.args(arguments).envs(more.iter().copied());
    if let Some(folder) = folder {
        command.env("KEYMILL_SERVERS", folder);
    }
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

impl Started {
    /// A server for all tests: the one that `scripts/test` started, or else one for this test. `None`, and a
    /// line that says so, where it cannot be had.
    pub(crate) fn shared(name: &'static str, test: &str) -> Option<Self> {
        let given = format!("KEYMILL_TEST_{}", name.to_uppercase());
        match std::env::var(given) {
            Ok(address) => Some(Self {
                name,
                address,
                folder: None,
            }),
            Err(_) => Self::own(name, test, &[]),
        }
    }

    /// A server that this test may kill, with variables for its file in `scripts/servers.d`.
    pub(crate) fn own(name: &'static str, test: &str, variables: &[(&str, &str)]) -> Option<Self> {
        if let Err(why) = servers(None, &["--find", name], &[]) {
            let required = std::env::var("KEYMILL_REQUIRE_SERVERS");
            assert!(required.as_deref() != Ok("1"), "{why}");
            println!("skipped: {test}: {why}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap().keep();
        let line = servers(Some(&folder), &[name], variables).unwrap();
        let address = line.split_once('=').unwrap().1.to_owned();
        Some(Self {
            name,
            address,
            folder: Some(folder),
        })
    }

    fn control(&self, arguments: &[&str]) {
        let folder = self.folder.as_deref();
        assert!(folder.is_some(), "a shared server is not to be disturbed");
        servers(folder, &[arguments, &[self.name]].concat(), &[]).unwrap();
    }

    /// Another port than that of the address, by the name that its file in `scripts/servers.d` gives it.
    pub(crate) fn port(&self, name: &str) -> u16 {
        let shared = || std::env::var_os("KEYMILL_SERVERS").map(PathBuf::from);
        let folder = self.folder.clone().or_else(shared);
        let folder = folder.expect("KEYMILL_SERVERS is set where servers are shared");
        let port = folder.join(self.name).join(format!("port.{name}"));
        let port = std::fs::read_to_string(port).unwrap();
        port.trim().parse().unwrap()
    }

    /// Kills it and keeps its data.
    pub(crate) fn kill(&self) {
        self.control(&["--kill"]);
    }

    /// Starts it again at the same address, with its data.
    pub(crate) fn start_again(&self) {
        self.control(&[]);
    }

    /// Stops its processes without ending them.
    pub(crate) fn pause(&self) {
        self.control(&["--signal", "STOP"]);
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) {
        self.control(&["--signal", "CONT"]);
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.folder.is_some() {
            let _ = servers(self.folder.as_deref(), &["--stop"], &[]);
        }
    }
}
