//! The job files in `examples`, with a real Kafka broker.
#![cfg(all(target_os = "linux", feature = "kafka"))]

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::command::{Folder, keymill, text};
use crate::kafka::{messages, produce};
use crate::server::Server;

/// Runs an example until all messages are read, at the broker of the test.
fn run(server: &Server, folder: &Folder, name: &str) -> Output {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let job = fs::read_to_string(examples.join(name)).unwrap();
    assert!(job.contains("kafka://localhost:9092/"));
    let job = job.replace("kafka://localhost:9092/", &server.topic(""));
    fs::write(
        folder.path("job.toml"),
        format!("available-now = true\n{job}"),
    )
    .unwrap();
    let mut command = keymill();
    command
        .current_dir(folder.path(""))
        .args(["run", "job.toml"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output
}

#[test]
fn words_are_counted_in_each_batch() {
    let Some(server) = Server::shared_kafka("words_are_counted_in_each_batch") else {
        return;
    };
    let folder = Folder::new();
    produce(
        &server,
        "sentences",
        "to be or not to be\nthat is\nthe question\n",
    );
    produce(&server, "sentences", "to die to sleep\n");
    let shown = run(&server, &folder, "kafka_word_count.toml");
    let shown = text(&shown.stdout);
    let words = |batch: &str| {
        let rows = batch.lines().filter_map(|line| line.strip_prefix('|'));
        let rows = rows.filter_map(|row| row.split_once('|'));
        let mut rows: Vec<String> = rows
            .map(|(word, count)| format!("{} {}", word.trim(), count.trim_matches([' ', '|'])))
            .collect();
        rows.sort();
        rows.retain(|row| row != "key count");
        rows
    };
    let expected = [
        "be 2",
        "die 1",
        "is 1",
        "not 1",
        "or 1",
        "question 1",
        "sleep 1",
        "that 1",
        "the 1",
        "to 4",
    ];
    assert_eq!(words(shown), expected, "{shown}");
    assert_eq!(shown.matches("Batch: ").count(), 1);
}

#[test]
fn visits_of_sites_are_added_up() {
    let Some(server) = Server::shared_kafka("visits_of_sites_are_added_up") else {
        return;
    };
    let folder = Folder::new();
    produce(&server, "website_logs", "a.com,3\nb.com,5\na.com,1\n");
    run(&server, &folder, "kafka_website_logs.toml");
    produce(&server, "website_logs", "b.com,2\n");
    run(&server, &folder, "kafka_website_logs.toml");
    let part = |epoch: u32| {
        let part = format!("website_logs-totals/epoch={epoch:08}/part-00000.csv");
        fs::read_to_string(folder.path(&part)).unwrap()
    };
    assert_eq!(part(0), "site,total\na.com,4\nb.com,5\n");
    assert_eq!(part(1), "site,total\nb.com,7\n");
    let sent = [
        "a.com\t{\"total\":4}",
        "b.com\t{\"total\":5}",
        "b.com\t{\"total\":7}",
    ];
    assert_eq!(messages(&server, "website_totals"), sent);
}
