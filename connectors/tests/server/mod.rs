//! Servers for tests, by `scripts/postgres`, `scripts/kafka` and `scripts/servers`.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "each program of tests uses a part")]

mod started;

use std::net::TcpListener;
use std::process::Command;

#[allow(unused_imports, reason = "each program of tests uses a part")]
pub(crate) use started::Started;

/// A server with data of its own, which are removed with this value.
pub(crate) struct Server {
    /// The address, as the script's clients write it.
    pub(crate) url: String,
    /// Where it listens; clients may use another way.
    pub(crate) port: u16,
    /// What the names of its topics begin with.
    prefix: String,
    /// The folder of a server that is this test's own.
    folder: Option<String>,
    script: &'static str,
}

fn run(script: &str, arguments: &[&str]) -> Result<String, String> {
    let path = format!("{}/../scripts/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(path).args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// A port that is free, and so are the three after it.
fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if port < u16::MAX - 2 && (1..=3).all(|next| is_free(port + next)) {
            return port;
        }
    }
}

impl Server {
    /// A PostgreSQL server; `None`, and a line that says so, where there is no PostgreSQL.
    pub(crate) fn postgres(test: &str) -> Option<Self> {
        Self::start("postgres", "new", test, |port| {
            format!("postgres://keymill@127.0.0.1:{port}/postgres")
        })
    }

    /// The Kafka broker that `scripts/test` started for all tests, with topics of this test alone, or else a
    /// broker of its own; `None`, and a line that says so, where there is no Kafka.
    pub(crate) fn shared_kafka(test: &str) -> Option<Self> {
        let Ok(address) = std::env::var("KEYMILL_TEST_KAFKA") else {
            return Self::kafka(test);
        };
        let (_, port) = address.rsplit_once(':').unwrap();
        Some(Self {
            url: format!("kafka://{address}"),
            port: port.parse().unwrap(),
            prefix: format!("{test}-{}-", std::process::id()),
            folder: None,
            script: "kafka",
        })
    }

    /// A Kafka broker that this test may stop.
    pub(crate) fn kafka(test: &str) -> Option<Self> {
        let url = |port| format!("kafka://127.0.0.1:{port}");
        Self::start("kafka", "new", test, url)
    }

    /// A Kafka broker that tells its clients to use another port, from which somebody brings them to it.
    pub(crate) fn kafka_behind(other: u16, test: &str) -> Option<Self> {
        let how = format!("new-behind={other}");
        Self::start("kafka", &how, test, |_| {
            format!("kafka://127.0.0.1:{other}")
        })
    }

    /// A Kafka broker with SASL_SSL: the user `alice` with the password `secret`.
    pub(crate) fn secure_kafka(test: &str) -> Option<Self> {
        let url = |port| format!("kafka://127.0.0.1:{}", port + 2);
        Self::start("kafka", "new-secure", test, url)
    }

    /// The URL of the same broker with SASL_PLAINTEXT.
    pub(crate) fn url_without_tls(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.port + 3)
    }

    /// The certificate that its clients must trust.
    pub(crate) fn certificate(&self) -> String {
        format!("{}/broker.pem", self.folder())
    }

    /// The name of a topic or group of this test.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The URL of a topic of this test.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}/{}", self.url, self.name(name))
    }

    fn folder(&self) -> &str {
        let folder = self.folder.as_deref();
        folder.expect("a shared server is not to be disturbed")
    }

    fn start(
        script: &'static str,
        how: &str,
        test: &str,
        url: impl Fn(u16) -> String,
    ) -> Option<Self> {
        if let Err(why) = run(script, &["--find"]) {
            let required = format!("KEYMILL_REQUIRE_{}", script.to_uppercase());
            let required = std::env::var(required);
            assert!(required.as_deref() != Ok("1"), "{why}");
            println!("skipped: {test}: {why}");
            return None;
        }
        let port = free_port();
        let folder = run(script, &[how, &port.to_string()]).unwrap();
        let url = url(port);
        Some(Self {
            url,
            port,
            prefix: String::new(),
            folder: Some(folder),
            script,
        })
    }

    /// Stops it as a crash does.
    pub(crate) fn crash(&self) {
        run(self.script, &["stop", self.folder()]).unwrap();
    }

    /// Starts it again after a crash.
    pub(crate) fn start_again(&self) {
        run(self.script, &["start", self.folder()]).unwrap();
    }

    /// Deletes the messages of a partition.
    pub(crate) fn forget(&self, topic: &str, partition: u32) {
        self.change("forget", topic, partition);
    }

    /// Gives a topic more partitions.
    pub(crate) fn set_partitions(&self, topic: &str, partitions: u32) {
        self.change("partitions", topic, partitions);
    }

    fn change(&self, what: &str, topic: &str, number: u32) {
        let address = &self.url["kafka://".len()..];
        let (topic, number) = (self.name(topic), number.to_string());
        run(self.script, &[what, address, &topic, &number]).unwrap();
    }

    pub(crate) fn client(&self) -> postgres::Client {
        postgres::Client::connect(&self.url, postgres::NoTls).unwrap()
    }

    /// The rows of a query that selects texts.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.client().query(sql, &[]).unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = run(self.script, &["remove", folder]);
        }
    }
}
