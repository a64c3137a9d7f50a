//! A Flume agent posts its events to a stream.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::store::Store;
use crate::command::{Folder, keymill};
use crate::server::Started;

/// A query that is killed with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn query(port: u16, folder: &Path, to: &str) -> Running {
    let from = format!("http-listen://127.0.0.1:{port}");
    let mut command: Command = keymill();
    command
        .args(["stream", "--from", &from, "--wal", "log", "--count"])
        .args(["--every", "50ms", "--checkpoint", "ck", "--to", to])
        .current_dir(folder);
    Running(command.spawn().unwrap())
}

/// Sends events, and waits until the agent has them.
fn send(flume: &Started, events: u64) {
    let event = json!({"headers": {}, "body": "to be"});
    let events: Vec<Value> = (0..events).map(|_| event.clone()).collect();
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{}/", flume.address);
    let answer = agent.post(url).send(Value::from(events).to_string());
    assert_eq!(answer.unwrap().status(), 200);
}

fn wait_for(store: &Store, place: &str, count: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    let wanted = Value::from(count.to_string());
    loop {
        let rows = store.rows(place);
        if ["to", "be"]
            .iter()
            .all(|word| rows.get(*word).is_some_and(|row| row["count"] == wanted))
        {
            return;
        }
        assert!(Instant::now() < until, "{rows:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn events_of_flume_are_counted() {
    let Some(store) = Store::shared("redis") else {
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}/ingest");
    let variables = [("KEYMILL_FLUME_TO", endpoint.as_str())];
    let Some(flume) = Started::own("flume", "events_of_flume_are_counted", &variables) else {
        return;
    };
    let folder = Folder::new();
    let place = store.place("flume");
    let first = query(port, &folder.path(""), &store.url(&place));
    send(&flume, 50);
    wait_for(&store, &place, 50);
    // The agent keeps events while no query runs.
    drop(first);
    send(&flume, 30);
    let _second = query(port, &folder.path(""), &store.url(&place));
    wait_for(&store, &place, 80);
}
