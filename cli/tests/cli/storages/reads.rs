//! Files in HDFS and S3 as input.

use std::io::Write;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::place::{KINDS, Kind, Place};
use crate::command::{Folder, stdout_of, text};

/// Lines that differ, of more than a block that is read at once.
fn lines(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 20);
    let mut number = 1_u64;
    while text.len() < bytes {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(7);
        text.push_str(&format!("w{},{}\n", number >> 50, number >> 60));
    }
    text
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let says = text(&output.stderr);
    assert_eq!((output.status.code(), says), (Some(0), ""), "{command:?}");
    text(&output.stdout).to_owned()
}

/// The same command over local files and over those of a server.
fn same(place: &Place, folder: &Folder, arguments: &[&str]) {
    let with = |to: &dyn Fn(&str) -> String| -> Vec<String> {
        let names = arguments.iter();
        names.map(|it| it.split('@').map(to).collect()).collect()
    };
    // A name after @ is a file.
    let local = |part: &str| match part.strip_prefix('/') {
        Some(name) => folder.name(name),
        None => part.to_owned(),
    };
    let remote = |part: &str| match part.strip_prefix('/') {
        Some(name) => place.url(name),
        None => part.to_owned(),
    };
    let expected = with(&local);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let expected = text(&stdout_of(&expected, b"")).to_owned();
    assert!(expected.lines().count() > 1, "{arguments:?}: {expected}");
    let found = succeeds(place.keymill().args(with(&remote)));
    assert!(found == expected, "{:?} {arguments:?}", place.kind);
}

#[test]
fn commands_read_files_of_servers_as_local_ones() {
    let large = lines(11 << 20);
    let small = lines(100);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(large.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let files = [
        ("in/a.csv", large.as_bytes()),
        ("in/b.csv", small.as_bytes()),
        ("in/deep/c.csv.gz", &packed),
        ("in/empty.csv", b""),
    ];
    for kind in KINDS {
        let Some(place) = Place::new(kind, "reads") else {
            continue;
        };
        let folder = Folder::new();
        for (name, bytes) in &files {
            place.put(name, bytes);
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let csv = [
            "--no-header",
            "--columns",
            "w,n:int",
            "--key",
            "w",
            "--agg",
            "sum(n) AS s,count AS c",
        ];
        for arguments in [
            &["count", "--tokens", "split:,", "@/in/a.csv"][..],
            &["count", "--tokens", "lines", "-r", "@/in"],
            &["count", "--tokens", "lines", "@/in/*.csv"],
            &[
                "count",
                "--tokens",
                "lines",
                "--threads",
                "1",
                "@/in/deep/c.csv.gz",
            ],
            &[&["reduce", "@/in/a.csv", "@/in/b.csv"], &csv[..]].concat(),
            &[&["reduce", "@/in/**/*.gz", "--memory", "16MiB"], &csv[..]].concat(),
        ] {
            same(&place, &folder, arguments);
        }
        let to = folder.name("local.parquet");
        let from = folder.name("in/a.csv");
        let reduce = [&["reduce", &from, "-o", &to], &csv[..]].concat();
        stdout_of(&[&reduce[..], &["--format", "parquet"]].concat(), b"");
        place.put("local.parquet", &std::fs::read(&to).unwrap());
        let sql = "SELECT count(*) AS n, max(c) AS m, w FROM '@/local.parquet@' GROUP BY w";
        same(&place, &folder, &["sql", sql]);
        same(
            &place,
            &folder,
            &["reduce", "@/local.parquet", "--key", "w"],
        );
    }
}

#[test]
fn new_files_of_a_folder_are_each_taken_once() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "folder") else {
            continue;
        };
        let folder = Folder::new();
        place.put("in/a", b"to be\n");
        place.put("in/_hidden", b"no\n");
        let run = || {
            succeeds(place.keymill().args([
                "stream",
                "--from",
                &place.url("in"),
                "--count",
                "--available-now",
                "--sort",
                "key",
                "--to",
                &format!("files:{}", folder.name("out")),
                "--checkpoint",
                &folder.name("ck"),
                "--require",
                "exactly-once",
                "--mode",
                "update",
            ]))
        };
        run();
        place.put("in/b", b"not to be\n");
        run();
        run();
        let epoch = |number: u32| {
            let part = format!("out/epoch={number:08}/part-00000.tsv");
            std::fs::read_to_string(folder.path(&part)).ok()
        };
        assert_eq!(epoch(0).as_deref(), Some("be\t1\nto\t1\n"), "{kind:?}");
        assert_eq!(epoch(1).as_deref(), Some("be\t2\nnot\t1\nto\t2\n"));
        assert_eq!(epoch(2), None);
    }
}

#[test]
fn what_cannot_be_read_is_an_error_without_secrets() {
    for kind in KINDS {
        let Some(place) = Place::new(kind, "errors") else {
            continue;
        };
        place.put("in/a", b"to be\n");
        let fails = |url: &str, says: &str| {
            let output = place.keymill().args(["count", url]).output().unwrap();
            let error = text(&output.stderr);
            assert!(
                matches!(output.status.code(), Some(1 | 2)),
                "{url}: {error}"
            );
            assert!(
                error.contains(says) && !error.contains("secret-of"),
                "{url}: {error}"
            );
        };
        fails(&place.url("in"), "-r reads them");
        fails(&place.url("none"), "check the name");
        fails(&place.url("none*"), "check the pattern");
        fails(&place.url("none/*"), "check the pattern");
        match kind {
            Kind::Hdfs => {
                fails("hdfs:///x", "write hdfs://HOST:PORT/PATH");
                fails("hdfs://127.0.0.1:1/x", "does not answer");
                fails("hdfs://127.0.0.1:1/x?tabel=y", "`tabel` is not an option");
            }
            Kind::S3 => {
                fails("s3://keymill/x?endpont=y", "`endpont` is not an option");
                fails("s3://k:secret-of@keymill/x", "the URL has a user");
                fails(
                    "s3://keymill/x?endpoint=http://127.0.0.1:1",
                    "does not answer",
                );
                let wrong = "?secret_access_key=secret-of-others";
                fails(&(place.url("in/a") + wrong), "refuses");
                fails("s3://no-such-bucket/x", "refuses");
            }
        }
    }
}
