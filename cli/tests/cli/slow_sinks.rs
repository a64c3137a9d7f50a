//! A sink that is slower than its source holds the source up, and memory stays bounded.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::keymill;

const MEBIBYTE: u64 = 1 << 20;

/// The memory budget of the query.
const BUDGET: u64 = 32 * MEBIBYTE;

/// How long the sink is slow: `KEYMILL_SLOW_SINK_SECONDS=60` is the long form.
fn time() -> Duration {
    let wanted = std::env::var("KEYMILL_SLOW_SINK_SECONDS").ok();
    let seconds = wanted.and_then(|wanted| wanted.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// The largest resident memory of a process, in bytes.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() << 10
}

#[test]
fn a_slow_sink_holds_the_source_up() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", server.local_addr().unwrap());
    let budget = BUDGET.to_string();
    let mut child = keymill()
        .args(["stream", "--from", &address, "--count", "--every", "20ms"])
        .args([
            "--to", "console:", "--top", "30000", "--memory", &budget, "--device", "cpu",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut client, _) = server.accept().unwrap();
    let text: String = (0..400_000)
        .map(|word| format!("w{} ", word % 20_000))
        .collect();
    let text = text.replace("w0 ", "w0\n");
    let (sent, is_over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let sender = thread::spawn({
        let (sent, is_over) = (sent.clone(), is_over.clone());
        move || {
            while !is_over.load(Ordering::Relaxed) {
                for piece in text.as_bytes().chunks(64 << 10) {
                    // The query is killed in the end.
                    if client.write_all(piece).is_err() {
                        return;
                    }
                    sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
                }
            }
        }
    });
    // Every epoch writes 20,000 lines of a table, which are read at half a megabyte a second.
    let mut console = child.stdout.take().unwrap();
    let (start, mut read) = (Instant::now(), 0_u64);
    let mut block = vec![0; 16 << 10];
    while start.elapsed() < time() {
        read += console.read(&mut block).unwrap() as u64;
        thread::sleep(Duration::from_millis(32));
    }
    let (memory, sent) = (most_memory(child.id()), sent.load(Ordering::Relaxed));
    is_over.store(true, Ordering::Relaxed);
    child.kill().unwrap();
    child.wait().unwrap();
    sender.join().unwrap();
    println!("{sent} bytes sent, {read} bytes written, {memory} bytes of memory");
    assert!(read > 64 << 10, "the console has shown nothing");
    assert!(
        memory <= BUDGET + 64 * MEBIBYTE,
        "{} MiB of memory",
        memory / MEBIBYTE
    );
    // An epoch takes at most a quarter of the budget, and writes 450 KB; the rest waits in buffers.
    let most = 64 * MEBIBYTE + 30 * read;
    assert!(sent < most, "{sent} bytes were sent, {read} were written");
}
