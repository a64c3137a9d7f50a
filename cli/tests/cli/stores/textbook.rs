//! The job of the text books: visits from Kafka, totals of each site in several stores at once.
#![cfg(feature = "kafka")]

use super::store::{Store, Totals};
use crate::command::{Folder, keymill, text};
use crate::kafka::produce;
use crate::server::Server;

/// The query is killed when the first store has epoch 1, and the others do not; all of them hold the truth
/// after the restart.
#[test]
fn totals_of_website_logs_in_all_stores_at_once() {
    let Some(kafka) = Server::shared_kafka("totals_of_website_logs_in_all_stores_at_once") else {
        return;
    };
    let stores = ["opensearch", "redis", "hbase"].map(Store::shared);
    let stores: Vec<Store> = stores.into_iter().flatten().collect();
    let place = match stores.first() {
        Some(store) => store.place("website_logs"),
        None => return,
    };
    let (mut lines, mut totals) = (String::new(), Totals::new());
    for visit in 0..600_u64 {
        let (site, count) = (format!("site{}.org", visit * visit % 97), visit % 5);
        lines += &format!("{site},{count}\n");
        *totals.entry(site).or_default() += count;
    }
    produce(&kafka, "website_logs", &lines);
    let folder = Folder::new();
    let query = || {
        let mut command = keymill();
        command
            .args(["stream", "--from", &kafka.topic("website_logs")])
            .args(["--from-option", "auto.offset.reset=earliest"])
            .args(["--from-option", "maxOffsetsPerTrigger=200"])
            .args([
                "--columns",
                "site,count",
                "--key",
                "site",
                "--agg",
                "sum(count)",
            ])
            .args(["--available-now", "--require", "idempotent"])
            .args(["--checkpoint", &folder.name("ck")]);
        for store in &stores {
            command.args(["--to", &store.url(&place)]);
        }
        command
    };
    let killed = query()
        .env("KEYMILL_TEST_KILL_AT", "sink:1")
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None, "{}", text(&killed.stderr));
    let output = query().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for store in &stores {
        assert_eq!(store.counts(&place), totals);
    }
}
