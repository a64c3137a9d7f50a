//! `keymill stream` and `keymill checkpoint`, with real kills.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Folder, assert_fails, keymill, stdout_of, text};
#[cfg(unix)]
use crate::kills::{Moments, wanted};

/// Files of the input, and so epochs.
const FILES: u64 = 6;

fn make_input(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for file in 0..FILES {
        let words: Vec<String> = (0..300)
            .map(|word: u64| format!("w{}", word * word * (file + 3) % 101))
            .collect();
        // A word that comes only once: no later epoch heals its loss.
        let text = format!("{}\nonly-in-{file}\n", words.join(" "));
        fs::write(folder.join(format!("{file:03}")), text).unwrap();
    }
}

/// The arguments of the test query in a folder.
fn arguments(folder: &Path, mode: &str) -> Vec<String> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    [
        "stream",
        "--from",
        &format!("dir:{}", path("in")),
        "--count",
        "--mode",
        mode,
        "--max-files",
        "1",
        "--snapshot-every",
        "2",
        "--available-now",
        "--require",
        "exactly-once",
        "--to",
        &format!("files:{}", path("out")),
        "--checkpoint",
        &path("ck"),
    ]
    .map(str::to_owned)
    .to_vec()
}

fn run_query(folder: &Path, mode: &str, kill_at: Option<&str>) -> Output {
    let mut command = keymill();
    command.args(arguments(folder, mode));
    if let Some(point) = kill_at {
        command.env("KEYMILL_TEST_KILL_AT", point);
    }
    command.output().unwrap()
}

/// The parts of all epochs.
fn parts(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let out = folder.join("out");
    let epochs = fs::read_dir(&out).unwrap().map(|it| it.unwrap().path());
    let epochs = epochs.filter(|path| path.to_str().unwrap().contains("epoch="));
    epochs
        .map(|epoch| epoch.join("part-00000.tsv"))
        .map(|part| {
            let bytes = fs::read(&part).unwrap();
            (part.strip_prefix(&out).unwrap().to_owned(), bytes)
        })
        .collect()
}

fn query_without_faults(mode: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = Folder::new();
    make_input(&folder.path("in"));
    let output = run_query(&folder.path(""), mode, None);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let parts = parts(&folder.path(""));
    assert_eq!(parts.len() as u64, FILES);
    parts
}

#[cfg(target_os = "linux")]
#[test]
fn kill_9_at_every_step_loses_nothing_and_doubles_nothing() {
    let expected = query_without_faults("complete");
    for point in keymill::KeyedStream::kill_points() {
        let mut killed = 0;
        for epoch in 0..FILES - 1 {
            let folder = Folder::new();
            make_input(&folder.path("in"));
            let folder = folder.path("");
            let output = run_query(&folder, "complete", Some(&format!("{point}:{epoch}")));
            killed += u32::from(output.status.code().is_none());
            let output = run_query(&folder, "complete", None);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{point}: {}",
                text(&output.stderr)
            );
            assert!(parts(&folder) == expected, "{point} of epoch {epoch}");
        }
        assert!(killed > 1, "never killed at {point}");
    }
}

#[cfg(unix)]
#[test]
fn kills_at_random_moments_lose_nothing_and_double_nothing() {
    let expected = query_without_faults("update");
    // Within the time of a whole run.
    let mut moments = Moments::new(7, Duration::from_millis(40));
    let mut queries = 0;
    while moments.kills < wanted(40) {
        let folder = Folder::new();
        make_input(&folder.path("in"));
        let folder = folder.path("");
        moments.kill_until_done(|| {
            let mut query = keymill();
            query.args(arguments(&folder, "update"));
            query
        });
        assert!(parts(&folder) == expected);
        queries += 1;
    }
    println!("{} kills of {queries} queries", moments.kills);
}

#[test]
fn totals_are_exported_and_checkpoints_verified() {
    let folder = Folder::new();
    make_input(&folder.path("in"));
    assert!(run_query(&folder.path(""), "update", None).status.success());
    let all: Vec<u8> = (0..FILES)
        .flat_map(|file| fs::read(folder.path("in").join(format!("{file:03}"))).unwrap())
        .collect();
    let counted = stdout_of(&["count", "--sort", "key", "-"], &all);
    let checkpoint = folder.path("ck");
    let checkpoint = checkpoint.to_str().unwrap();
    let exported = stdout_of(
        &["checkpoint", "export", checkpoint, "--format", "tsv"],
        b"",
    );
    assert_eq!(text(&exported), text(&counted));
    let listed = stdout_of(&["checkpoint", "list", checkpoint], b"");
    assert!(text(&listed).lines().last().unwrap().starts_with("5\t"));
    let whole = stdout_of(&["checkpoint", "verify", checkpoint], b"");
    assert_eq!(text(&whole), format!("`{checkpoint}` is whole\n"));
    let damaged = folder.path("ck").join("commits/5");
    fs::write(&damaged, "damaged").unwrap();
    let output = keymill()
        .args(["checkpoint", "verify", checkpoint])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("commits/5` of the checkpoint is damaged"));
    stdout_of(&["checkpoint", "repair", checkpoint], b"");
    stdout_of(&["checkpoint", "verify", checkpoint], b"");
}

#[test]
fn rows_have_running_totals() {
    let folder = Folder::new();
    let input = folder.path("in");
    fs::create_dir(&input).unwrap();
    fs::write(input.join("1"), "a,3\nb,5\na,4\n").unwrap();
    fs::write(input.join("2"), "b,1\nnot a row,x\nc,2\n").unwrap();
    let from = format!("dir:{}", input.display());
    let rows = |more: &[&str]| {
        let mut arguments = vec!["stream", "--from", &from, "--columns", "site,count"];
        arguments.extend(["--key", "site", "--available-now", "--max-files", "1"]);
        arguments.extend(more);
        let output = keymill().args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        output
    };
    let checkpoint = folder.path("ck");
    let checkpoint = checkpoint.to_str().unwrap();
    let aggregates = "sum(count),mean(count),count";
    let output = rows(&[
        "--agg",
        aggregates,
        "--progress",
        "--checkpoint",
        checkpoint,
    ]);
    let last = text(&output.stderr).lines().last().unwrap();
    assert!(last.contains("\"numRejectedRows\":1"), "{last}");
    let shown = text(&output.stdout);
    assert!(shown.contains("|   b|"), "{shown}");
    let output = rows(&["--agg", "sum(count)"]);
    assert!(
        text(&output.stderr).starts_with("keymill: 1 row rejected"),
        "{}",
        text(&output.stderr)
    );
    let csv = folder.name("totals.csv");
    stdout_of(&["checkpoint", "export", checkpoint, "-o", &csv], b"");
    let csv = fs::read_to_string(csv).unwrap();
    assert!(csv.starts_with("site,sum(count),"), "{csv}");
    let exported = stdout_of(&["checkpoint", "export", checkpoint], b"");
    let lines: Vec<Vec<&str>> = text(&exported)
        .lines()
        .map(|it| it.split('\t').collect())
        .collect();
    let numbers = |line: &[&str]| line[1..].iter().map(|it| it.parse().unwrap()).collect();
    let totals: Vec<(&str, Vec<f64>)> = lines.iter().map(|it| (it[0], numbers(it))).collect();
    let expected = [
        ("a", vec![7.0, 3.5, 2.0]),
        ("b", vec![6.0, 3.0, 2.0]),
        ("c", vec![2.0, 2.0, 1.0]),
    ];
    assert_eq!(totals, expected);
}

#[cfg(unix)]
#[test]
fn a_socket_is_counted_until_a_signal() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", server.local_addr().unwrap());
    let mut child = keymill()
        .args(["stream", "--from", &address, "--count", "--every", "20ms"])
        .args(["--mode", "complete", "--to", "console:", "--top", "20"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut client, _) = server.accept().unwrap();
    client.write_all(b"to be or\nnot to be\nthat").unwrap();
    thread::sleep(Duration::from_millis(300));
    client.write_all(b"is\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    let killed = std::process::Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let output = child
        .wait()
        .map(|status| (status, child.stdout.take()))
        .unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(output.0.code(), Some(130));
    let mut shown = String::new();
    let mut stdout = output.1.unwrap();
    stdout.read_to_string(&mut shown).unwrap();
    assert!(
        shown.starts_with("-------------------------------------------\nBatch: 0\n"),
        "{shown}"
    );
    let last = shown.rsplit("Batch: ").next().unwrap();
    for row in ["|    be|    2|", "|    to|    2|", "|thatis|    1|"] {
        assert!(last.contains(row), "{shown}");
    }
}

#[test]
fn metrics_are_served_while_a_stream_runs() {
    let mut child = keymill()
        .args([
            "stream",
            "--from",
            "rate-per-epoch:10",
            "--count",
            "--every",
            "20ms",
        ])
        .args(["--to", "console:", "--metrics", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    let address = said
        .trim()
        .strip_prefix("keymill: metrics at http://")
        .unwrap();
    let address = address.strip_suffix("/metrics").unwrap();
    // Before the query has started there are no metrics, and before an epoch there is no report.
    let end = Instant::now() + Duration::from_secs(60);
    let mut answer = String::new();
    while !answer.contains("\nkeymill_epoch 1") {
        assert!(Instant::now() < end, "{answer}");
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        answer.clear();
        client.read_to_string(&mut answer).unwrap();
    }
    assert!(answer.contains("\nkeymill_query_active 1\n"), "{answer}");
    let frame = stdout_of(&["top", address], b"");
    let frame = text(&frame);
    assert!(
        frame.starts_with(&format!("keymill top   {address}   ")),
        "{frame}"
    );
    for part in [
        "\nepochs   p50 ",
        "\nstate    ",
        "\naddBatch ",
        "\nrate-per-epoch:10",
        "\nconsole: ",
    ] {
        assert!(frame.contains(part), "{frame}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_fails(
        &["top", address, "--once"],
        1,
        &["no stream serves metrics at"],
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = [
        "stream",
        "--from",
        "rate:1",
        "--count",
        "--metrics",
        &address,
    ];
    assert_fails(&arguments, 2, &["cannot serve metrics on"]);
}

#[test]
fn wrong_streams_are_refused() {
    for (arguments, says) in [
        (
            &["--from", "ftp://x", "--count"][..],
            "`ftp://x` is not a source",
        ),
        (
            &["--from", "rate:1", "--count", "--to", "nowhere:"],
            "`nowhere:` is not a sink",
        ),
        (&["--from", "rate:1"], "--count, or --key"),
        (
            &["--from", "rate:1", "--count", "--mode", "append"],
            "may always change",
        ),
        (
            &["--from", "rate:1", "--count", "--require", "exactly-once"],
            "there is no checkpoint",
        ),
        (
            &["--from", "rate:1", "--count", "--every", "1ms"],
            "the shortest is",
        ),
        (&["--from", "rate:1", "--key", "k"], "--columns"),
        (
            &["--from", "rate:1", "--key", "k", "--columns", "j"],
            "no column `k`",
        ),
        (
            &["--from", "rate:1", "--key", "k", "--columns", "k:x"],
            "`x` is not a type",
        ),
        (
            &["--from", "rate:1", "--count", "--flush"],
            "required arguments were not provided",
        ),
        (
            &["--from", "rate:1", "--count", "--session", "1s"],
            "required arguments were not provided",
        ),
        (
            &[
                "--from",
                "rate:1",
                "--key",
                "k",
                "--columns",
                "k",
                "--time",
                "k",
                "--session",
                "1s",
                "--slide",
                "1s",
            ],
            "cannot be used with",
        ),
        (
            &[
                "--from",
                "rate:1",
                "--count",
                "--window",
                "1s",
                "--per-epoch",
            ],
            "cannot be used with",
        ),
        (
            &["--from", "rate:1", "--count", "--distinct-on", "x"],
            "cannot be used with",
        ),
        (
            &[
                "--from",
                "rate:1",
                "--key",
                "k",
                "--columns",
                "k",
                "--distinct-on",
                "x",
            ],
            "no column `x`",
        ),
    ] {
        let all = [&["stream"], arguments].concat();
        assert_fails(&all, 2, &[says]);
    }
    assert_fails(
        &["checkpoint", "verify", "/nowhere"],
        1,
        &["`/nowhere` is not a checkpoint"],
    );
}

/// Runs a stream over files of a folder, and returns what it writes and reports.
fn rows_stream(files: &[&str], arguments: &[&str]) -> (Folder, Output) {
    let folder = Folder::new();
    fs::create_dir(folder.path("in")).unwrap();
    for (number, text) in files.iter().enumerate() {
        fs::write(folder.path(&format!("in/{number:03}")), text).unwrap();
    }
    let from = format!("dir:{}", folder.name("in"));
    let to = format!("files:{}", folder.name("out"));
    let output = keymill()
        .args([
            "stream",
            "--from",
            &from,
            "--max-files",
            "1",
            "--available-now",
        ])
        .args([
            "--columns",
            "ts:int,key,value:int",
            "--key",
            "key",
            "--to",
            &to,
        ])
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    (folder, output)
}

fn written(folder: &Folder) -> String {
    let parts = parts(&folder.path("")).into_values();
    String::from_utf8(parts.collect::<Vec<_>>().concat()).unwrap()
}

#[test]
fn sessions_are_flushed_at_the_end() {
    let files = ["1,a,1\n3,a,2\n40,a,4\n", "6,a,8\n41,b,16\n"];
    let session = ["--session", "10s", "--time", "ts", "--agg", "sum(value)"];
    let append = ["--watermark", "60s", "--mode", "append"];
    let (folder, _) = rows_stream(&files, &[&session[..], &append].concat());
    assert_eq!(written(&folder), "");
    let (folder, _) = rows_stream(&files, &[&session[..], &append, &["--flush"]].concat());
    let expected = [
        ("01", "16", "a", 11),
        ("40", "50", "a", 4),
        ("41", "51", "b", 16),
    ];
    let expected = expected.map(|(start, end, key, sum)| {
        format!("1970-01-01T00:00:{start}Z\t1970-01-01T00:00:{end}Z\t{key}\t{sum}\n")
    });
    assert_eq!(written(&folder), expected.concat());
}

#[test]
fn duplicates_and_late_rows_are_left_out() {
    let files = ["1,a,1\n12,a,2\n12,a,2\n", "2,a,4\n12,a,2\n13,b,8\n"];
    let late = Folder::new();
    let late_to = format!("files:{}", late.name("late"));
    let (folder, output) = rows_stream(
        &files,
        &[
            "--distinct-on",
            "value",
            "--late-to",
            &late_to,
            "--window",
            "10s",
            "--time",
            "ts",
            "--watermark",
            "2s",
            "--mode",
            "append",
            "--flush",
            "--agg",
            "sum(value)",
            "--progress",
        ],
    );
    let expected = [
        ("00", "10", "a", 1),
        ("10", "20", "a", 2),
        ("10", "20", "b", 8),
    ];
    let expected = expected.map(|(start, end, key, sum)| {
        format!("1970-01-01T00:00:{start}Z\t1970-01-01T00:00:{end}Z\t{key}\t{sum}\n")
    });
    assert_eq!(written(&folder), expected.concat());
    let part = fs::read_to_string(late.path("late/epoch=00000001/part-00000.tsv")).unwrap();
    assert_eq!(part, "2\ta\t4\n");
    assert!(!late.path("late/epoch=00000000").exists());
    let reports = text(&output.stderr);
    for said in [
        "\"numDroppedDuplicateRows\":1",
        "\"numRowsDroppedByWatermark\":1",
        "\"operatorName\":\"distinct on value\"",
        &format!("\"description\":\"{late_to} (late rows)\",\"numOutputRows\":1"),
    ] {
        assert!(reports.contains(said), "{said}: {reports}");
    }
}
