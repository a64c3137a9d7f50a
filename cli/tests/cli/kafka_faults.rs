//! What goes wrong between a query and a real Kafka broker: slow networks, crashes, time-outs, interrupts.
#![cfg(all(target_os = "linux", feature = "kafka"))]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Folder, text};
use crate::kafka::{Running, messages, produce, stream, succeeds};
use crate::server::Server;

fn signal(running: &Running, signal: Signal) {
    let process = Pid::from_raw(running.0.id() as i32).unwrap();
    kill_process(process, signal).unwrap();
}

fn wait_until_stopped(running: &Running) {
    let until = Instant::now() + Duration::from_secs(60);
    let stat = format!("/proc/{}/stat", running.0.id());
    while !fs::read_to_string(&stat).unwrap().contains(") T ") {
        assert!(Instant::now() < until, "it does not stop");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for the end. Returns the exit status, and what was written to standard error.
fn end(mut running: Running, most: Duration) -> (Option<i32>, String) {
    let until = Instant::now() + most;
    while running.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it runs on after {most:?}");
        thread::sleep(Duration::from_millis(20));
    }
    let mut says = String::new();
    let stderr = running.0.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut says).unwrap();
    (running.0.wait().unwrap().code(), says)
}

fn start(mut command: Command) -> Running {
    Running(command.stderr(Stdio::piped()).spawn().unwrap())
}

/// The words of `in` to `out`, in epochs of one file each.
fn query(server: &Server, folder: &Folder, options: &[&str]) -> Command {
    let from = format!("dir:{}", folder.path("in").display());
    let to = server.topic("out");
    let mut query = stream(&from, &to, &folder.path("ck"), options);
    query.args(["--mode", "update", "--max-files", "1", "--available-now"]);
    query
}

fn make_files(folder: &Folder) {
    fs::create_dir(folder.path("in")).unwrap();
    fs::write(folder.path("in/1"), "a b\n").unwrap();
    fs::write(folder.path("in/2"), "b c\n").unwrap();
}

const SENT: [&str; 4] = [
    "a\t{\"count\":1}",
    "b\t{\"count\":1}",
    "b\t{\"count\":2}",
    "c\t{\"count\":1}",
];

#[test]
fn a_transaction_that_took_too_long_is_written_again() {
    let Some(server) = Server::shared_kafka("a_transaction_that_took_too_long_is_written_again")
    else {
        return;
    };
    let folder = Folder::new();
    make_files(&folder);
    let options = ["--to-option", "transaction.timeout.ms=1000"];
    let mut slow = query(&server, &folder, &options);
    slow.env("KEYMILL_TEST_STOP_AT", "prepared:1");
    let slow = start(slow);
    wait_until_stopped(&slow);
    // The broker gives the transaction up.
    thread::sleep(Duration::from_secs(4));
    signal(&slow, Signal::CONT);
    let (code, says) = end(slow, Duration::from_secs(120));
    if code != Some(0) {
        assert_eq!(code, Some(1));
        assert!(says.contains("transaction.timeout.ms"), "{says}");
        succeeds(&mut query(&server, &folder, &options));
    }
    assert_eq!(messages(&server, "out"), SENT);
}

#[test]
fn a_broker_that_crashes_within_an_epoch_gets_it_once() {
    let Some(server) = Server::kafka("a_broker_that_crashes_within_an_epoch_gets_it_once") else {
        return;
    };
    for (round, step) in ["computed:1", "prepared:1", "sink:0"]
        .into_iter()
        .enumerate()
    {
        let folder = Folder::new();
        make_files(&folder);
        let mut stopped = query(&server, &folder, &[]);
        stopped.env("KEYMILL_TEST_STOP_AT", step);
        let stopped = start(stopped);
        wait_until_stopped(&stopped);
        server.crash();
        server.start_again();
        signal(&stopped, Signal::CONT);
        let (code, says) = end(stopped, Duration::from_secs(180));
        assert_eq!(code, Some(0), "{step}: {says}");
        let mut sent: Vec<&str> = SENT.repeat(round + 1);
        sent.sort_unstable();
        assert_eq!(messages(&server, "out"), sent, "{step}");
    }
}

/// How long a request and its answer are under way: `KEYMILL_ROUND_TRIP_MS=2000` is the long form.
fn round_trip() -> Duration {
    let wanted = std::env::var("KEYMILL_ROUND_TRIP_MS").ok();
    let wanted = wanted.and_then(|it| it.parse().ok());
    Duration::from_millis(wanted.unwrap_or(500))
}

/// Delays everything between clients and a server, each way.
fn slow_proxy(from: TcpListener, to: u16, delay: Duration) {
    fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
        let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            for (time, bytes) in receiver {
                thread::sleep(time.saturating_duration_since(Instant::now()));
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
        let mut piece = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            let time = Instant::now() + delay;
            if sender.send((time, piece[..read].to_vec())).is_err() {
                break;
            }
        }
    }
    thread::spawn(move || {
        for client in from.incoming() {
            let client = client.unwrap();
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                continue;
            };
            let (back, there) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || carry(client, server, delay));
            thread::spawn(move || carry(back, there, delay));
        }
    });
}

#[test]
fn a_slow_network_changes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(server) = Server::kafka_behind(port, "a_slow_network_changes_nothing") else {
        return;
    };
    slow_proxy(listener, server.port, round_trip() / 2);
    let folder = Folder::new();
    let input = "to be or\nnot to be\n";
    produce(&server, "in", input);
    let (from, to) = (server.topic("in"), server.topic("out"));
    let started = Instant::now();
    let mut slow = stream(
        &from,
        &to,
        &folder.path("ck"),
        &["--mode", "update", "--available-now"],
    );
    succeeds(&mut slow);
    assert!(started.elapsed() > 4 * round_trip(), "nothing was slow");
    let sent = [
        "be\t{\"count\":2}",
        "not\t{\"count\":1}",
        "or\t{\"count\":1}",
        "to\t{\"count\":2}",
    ];
    assert_eq!(messages(&server, "out"), sent);
}

#[test]
fn an_interrupt_is_heard_while_the_broker_is_waited_for() {
    let Some(server) = Server::kafka("an_interrupt_is_heard_while_the_broker_is_waited_for") else {
        return;
    };
    // Another query left a transaction open, which hides the tokens after it.
    let other = Folder::new();
    make_files(&other);
    let mut killed = query(&server, &other, &["--to-option", "transactional.id=other"]);
    let killed = killed
        .env("KEYMILL_TEST_KILL_AT", "prepared:0")
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None, "{}", text(&killed.stderr));
    let folder = Folder::new();
    make_files(&folder);
    let waiting = start(query(&server, &folder, &[]));
    thread::sleep(Duration::from_secs(3));
    signal(&waiting, Signal::INT);
    let (code, _) = end(waiting, Duration::from_secs(3));
    assert_eq!(code, Some(130));
    // A query that runs, whose broker has gone.
    let ended = crate::command::run(
        &["kafka", "txn", "abort", &server.url, "--id", "other"],
        b"",
    );
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let mut running = query(&server, &folder, &[]);
    running.env("KEYMILL_TEST_STOP_AT", "computed:1");
    let running = start(running);
    wait_until_stopped(&running);
    server.crash();
    signal(&running, Signal::CONT);
    thread::sleep(Duration::from_secs(2));
    signal(&running, Signal::TERM);
    end(running, Duration::from_secs(20));
    server.start_again();
    succeeds(&mut query(&server, &folder, &[]));
    assert_eq!(messages(&server, "out"), SENT);
}
