//! The job of the text books: visits from Kafka, totals of each site in several stores at once.
#![cfg(all(
    feature = "kafka",
    feature = "hdfs",
    feature = "s3",
    feature = "cassandra"
))]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::store::{Store, Totals};
use crate::command::{Folder, keymill, text};
use crate::kafka::produce;
use crate::server::Server;
use crate::storages::place::{Kind, Place};

/// The servers of the job, and the name of its topic, tables and so on.
struct Servers {
    kafka: Server,
    hdfs: Place,
    stores: Vec<Store>,
    name: String,
}

impl Servers {
    fn new(test: &str) -> Option<Self> {
        let kafka = Server::shared_kafka(test)?;
        let hdfs = Place::new(Kind::Hdfs, test)?;
        let stores = ["cassandra", "opensearch", "redis"].map(Store::shared);
        let stores: Vec<Store> = stores.into_iter().collect::<Option<_>>()?;
        Some(Self {
            kafka,
            hdfs,
            stores,
            name: String::new(),
        })
    }

    /// The job file of the examples, at these servers and with these names.
    fn query(&self, folder: &Folder) -> Command {
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/website_logs_to_stores.toml");
        let mut job = fs::read_to_string(example).unwrap();
        let mut replace = |from: &str, to: &str| {
            assert!(job.contains(from), "{from}");
            job = job.replace(from, to);
        };
        replace(
            "kafka://localhost:9092/website_logs",
            &self.kafka.topic(&self.name),
        );
        let earliest = "\"auto.offset.reset=earliest\"";
        replace(
            earliest,
            &format!("[{earliest}, \"maxOffsetsPerTrigger=200\"]"),
        );
        replace(
            "hdfs://localhost:8020/website_logs",
            &self.hdfs.url(&self.name),
        );
        for (store, default) in self.stores.iter().zip([
            "cassandra://localhost:9042/shop/website_logs",
            "opensearch://localhost:9200/website_logs",
            "redis://localhost:6379/website_logs",
        ]) {
            replace(default, &store.url(&self.name));
        }
        fs::write(
            folder.path("job.toml"),
            format!("available-now = true\n{job}"),
        )
        .unwrap();
        let mut command = keymill();
        command
            .current_dir(folder.path(""))
            .args(["run", "job.toml"]);
        command
    }

    /// The last row of each site in the folders of all epochs.
    fn in_hdfs(&self) -> Totals {
        let mut totals = Totals::new();
        for (name, rows) in self.hdfs.files(&self.name) {
            if name.starts_with("epoch=") && name.ends_with(".csv") {
                for row in text(&rows).lines().skip(1) {
                    let (site, total) = row.split_once(',').unwrap();
                    totals.insert(site.to_owned(), total.parse().unwrap());
                }
            }
        }
        totals
    }
}

fn totals_of(store: &Store, place: &str) -> Totals {
    let number = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let rows = store.rows(place).into_iter();
    rows.map(|(site, row)| (site, number(&row["total"]).parse().unwrap()))
        .collect()
}

/// The query is killed before, between and after the stores; all of them hold the truth after the restart.
#[test]
fn totals_of_website_logs_in_all_stores_at_once() {
    let Some(mut servers) = Servers::new("totals_of_website_logs") else {
        return;
    };
    let (mut lines, mut totals) = (String::new(), Totals::new());
    for visit in 0..600_u64 {
        let (site, count) = (format!("site{}.org", visit * visit % 97), visit % 5);
        lines += &format!("{site},{count}\n");
        *totals.entry(site).or_default() += count;
    }
    for step in ["delta", "prepared", "sink", "commit"] {
        servers.name = format!("website_logs_{step}_{}", std::process::id());
        produce(&servers.kafka, &servers.name, &lines);
        let folder = Folder::new();
        let kill = format!("{step}:1");
        let killed = servers
            .query(&folder)
            .env("KEYMILL_TEST_KILL_AT", kill)
            .output()
            .unwrap();
        assert_eq!(killed.status.code(), None, "{}", text(&killed.stderr));
        assert_ne!(
            totals_of(&servers.stores[2], &servers.name),
            totals,
            "{step}"
        );
        let output = servers.query(&folder).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(servers.in_hdfs(), totals, "{step}");
        for store in &servers.stores {
            assert_eq!(
                totals_of(store, &servers.name),
                totals,
                "{step}: {}",
                store.url("")
            );
        }
    }
}
