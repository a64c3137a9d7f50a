//! Real stores, read by other means than keymill.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

#[cfg(feature = "cassandra")]
use super::cassandra::{Client, KEYSPACE};
use crate::command::{Folder, keymill};
use crate::server::Started;

/// The total of each site.
pub(super) type Totals = BTreeMap<String, u64>;

pub(super) fn counts(totals: &Totals, site: &str) -> u64 {
    totals.get(site).copied().unwrap_or_default()
}

/// Files of sites and counts, an epoch each.
pub(super) struct Input<'f> {
    folder: &'f Folder,
    totals: Totals,
}

impl<'f> Input<'f> {
    pub(super) fn new(folder: &'f Folder, files: u64) -> Self {
        let mut totals = Totals::new();
        fs::create_dir(folder.path("in")).unwrap();
        for file in 0..files {
            let mut lines = String::new();
            // A site that comes only once: no later epoch heals its loss. A site of every epoch, whose total
            // shows an epoch that is added twice.
            let rows = (0..200).map(|row| (format!("s{}", row * row * (file + 3) % 41), row));
            let rows = rows.chain([(format!("only-in-{file}"), 1), ("all".to_owned(), 1)]);
            for (site, count) in rows {
                lines += &format!("{site},{count}\n");
                *totals.entry(site).or_default() += count;
            }
            fs::write(folder.path("in").join(format!("{file:03}")), lines).unwrap();
        }
        Self { folder, totals }
    }

    /// What a plain program counts.
    pub(super) fn totals(&self) -> Totals {
        self.totals.clone()
    }

    pub(super) fn stream(&self, to: &str, more: &[&str]) -> Command {
        let mut command = keymill();
        command
            .args([
                "stream",
                "--from",
                &format!("dir:{}", self.folder.name("in")),
            ])
            .args(["--columns", "site,count", "--key", "site"])
            .args(["--agg", "sum(count)", "--max-files", "1"])
            .args(["--snapshot-every", "2", "--available-now"])
            .args(["--checkpoint", &self.folder.name("ck"), "--to", to])
            // Epochs are several requests.
            .args(["--to-option", "batch.rows=16"])
            .args(more);
        command
    }
}

/// A store that runs.
pub(super) struct Store {
    kind: &'static str,
    pub(super) server: Started,
}

impl Store {
    pub(super) fn shared(kind: &'static str) -> Option<Self> {
        let server = Started::shared(kind, &format!("tests of {kind}"))?;
        Some(Self { kind, server }.ready())
    }

    pub(super) fn own(kind: &'static str, variables: &[(&str, &str)]) -> Option<Self> {
        let server = Started::own(kind, &format!("faults of {kind}"), variables)?;
        let store = Self { kind, server };
        Some(if variables.is_empty() {
            store.ready()
        } else {
            store
        })
    }

    /// Keyspaces of Cassandra are not created by sinks.
    fn ready(self) -> Self {
        #[cfg(feature = "cassandra")]
        if self.kind == "cassandra" {
            self.cassandra(None);
        }
        self
    }

    /// The name of a place that no other test has.
    pub(super) fn place(&self, name: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{name}-{}-{number}", std::process::id())
    }

    pub(super) fn url(&self, place: &str) -> String {
        let name = match self.kind {
            #[cfg(feature = "cassandra")]
            "cassandra" => format!("{KEYSPACE}/{}", self.table(place)),
            _ => place.to_owned(),
        };
        format!("{}://{}/{name}", self.kind, self.server.address)
    }

    /// The table of a place in Cassandra.
    #[cfg(feature = "cassandra")]
    pub(super) fn table(&self, place: &str) -> String {
        place.replace('-', "_")
    }

    #[cfg(feature = "cassandra")]
    pub(super) fn cassandra(&self, login: Option<(&str, &str)>) -> Client {
        Client::new(&self.server.address, login)
    }

    /// An HTTP answer: its status and its body.
    pub(super) fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.server.address))
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .body(body.to_owned())
            .unwrap();
        let mut answer = agent.run(request).unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        let value = serde_json::from_str(&body).unwrap_or(Value::from(body));
        (answer.status().as_u16(), value)
    }

    /// All rows: their ids, and their values by name.
    pub(super) fn rows(&self, place: &str) -> BTreeMap<String, Value> {
        match self.kind {
            "opensearch" => self.documents(place),
            "redis" => self.hashes(place),
            "hbase" => self.cells(place),
            #[cfg(feature = "cassandra")]
            "cassandra" => self.cassandra(None).rows(&self.table(place)),
            _ => panic!("memcached lists nothing"),
        }
    }

    pub(super) fn counts(&self, place: &str) -> Totals {
        if self.kind == "memcached" {
            return self.entries(place);
        }
        let rows = self.rows(place).into_iter();
        let rows = rows.map(|(id, row)| {
            let sum = &row["sum(count)"];
            let text = sum.as_str().map_or_else(|| sum.to_string(), str::to_owned);
            let sum: f64 = text.parse().unwrap();
            (id, sum as u64)
        });
        rows.collect()
    }

    fn documents(&self, place: &str) -> BTreeMap<String, Value> {
        self.http("POST", &format!("/{place}/_refresh"), "");
        let (status, found) = self.http("GET", &format!("/{place}/_search?size=10000"), "");
        assert_eq!(status, 200, "{found}");
        let hits = found["hits"]["hits"].as_array().unwrap().iter();
        let rows = hits.map(|hit| {
            (
                hit["_id"].as_str().unwrap().to_owned(),
                hit["_source"].clone(),
            )
        });
        rows.collect()
    }

    pub(super) fn redis(&self, password: Option<&str>) -> redis::Connection {
        let login = password.map_or_else(String::new, |it| format!(":{it}@"));
        let url = format!("redis://{login}{}", self.server.address);
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    fn hashes(&self, place: &str) -> BTreeMap<String, Value> {
        let mut connection = self.redis(None);
        let pattern = format!("{place}:*");
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(pattern)
            .query(&mut connection)
            .unwrap();
        let rows = keys.into_iter().map(|key| {
            let hash: BTreeMap<String, String> = redis::cmd("HGETALL")
                .arg(&key)
                .query(&mut connection)
                .unwrap();
            let id = key[place.len() + 1..].to_owned();
            (id, serde_json::to_value(hash).unwrap())
        });
        rows.collect()
    }

    fn cells(&self, place: &str) -> BTreeMap<String, Value> {
        use base64::Engine;
        let decoded = |value: &Value| {
            let bytes = base64::prelude::BASE64_STANDARD.decode(value.as_str().unwrap());
            String::from_utf8(bytes.unwrap()).unwrap()
        };
        let (status, found) = self.http("GET", &format!("/{place}/*"), "");
        assert_eq!(status, 200, "{found}");
        let rows = found["Row"].as_array().unwrap().iter().map(|row| {
            let cells = row["Cell"].as_array().unwrap().iter();
            let cells = cells.map(|cell| {
                let name = decoded(&cell["column"]);
                (
                    name["f:".len()..].to_owned(),
                    Value::from(decoded(&cell["$"])),
                )
            });
            (
                decoded(&row["key"]),
                cells.collect::<serde_json::Map<_, _>>().into(),
            )
        });
        rows.collect()
    }

    /// The entries of the sites of the input.
    fn entries(&self, place: &str) -> Totals {
        let mut stream = BufReader::new(TcpStream::connect(&self.server.address).unwrap());
        let sites = (0..41).map(|site| format!("s{site}"));
        let sites = sites.chain((0..9).map(|file| format!("only-in-{file}")));
        let mut totals = Totals::new();
        for site in sites.chain(["all".to_owned()]) {
            write!(stream.get_mut(), "get {place}:{site}\r\n").unwrap();
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if line.trim() == "END" {
                continue;
            }
            let length: usize = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
            let mut value = vec![0; length + "\r\nEND\r\n".len()];
            stream.read_exact(&mut value).unwrap();
            let value: Value = serde_json::from_slice(&value[..length]).unwrap();
            totals.insert(site, value["sum(count)"].as_f64().unwrap() as u64);
        }
        totals
    }
}
