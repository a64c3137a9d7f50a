//! The servers, and what is in them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::keymill;
use crate::server::Started;

/// Names of files with slashes, and what is in them.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hdfs,
    S3,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Hdfs, Kind::S3];

/// A folder of its own on a server.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) server: Started,
    folder: String,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Hdfs => "hdfs",
            Self::S3 => "s3",
        }
    }
}

impl Place {
    /// A folder of a server; `None`, and a line that says so, where the server cannot be had.
    pub(crate) fn new(kind: Kind, test: &str) -> Option<Self> {
        Some(Self::on(kind, test, Started::shared(kind.name(), test)?))
    }

    /// A new folder, with a name that no other test has.
    pub(crate) fn alone(kind: Kind, test: &str) -> Option<Self> {
        Some(Self::on(kind, test, Started::own(kind.name(), test, &[])?))
    }

    fn on(kind: Kind, test: &str, server: Started) -> Self {
        let folder = format!("{test}-{}", std::process::id());
        Self {
            kind,
            server,
            folder,
        }
    }

    /// The URL of a name in the folder.
    pub(crate) fn url(&self, name: &str) -> String {
        match self.kind {
            Kind::Hdfs => format!("hdfs://{}/{}/{name}", self.server.address, self.folder),
            Kind::S3 => format!("s3://keymill/{}/{name}", self.folder),
        }
    }

    /// The program, with what it needs to reach the server.
    pub(crate) fn keymill(&self) -> Command {
        let mut command = keymill();
        command
            .env(
                "AWS_ENDPOINT_URL",
                format!("http://{}", self.server.address),
            )
            .env("AWS_ACCESS_KEY_ID", "keymill")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-tests");
        command
    }

    /// Writes a file into the folder.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let (port, path) = match self.kind {
            Kind::S3 => (self.server.port("filer"), self.path(name)),
            Kind::Hdfs => {
                let path = format!(
                    "{}?op=CREATE&overwrite=true&noredirect=true",
                    self.path(name)
                );
                let answer = http(self.server.port("names-http"), "PUT", &path, b"");
                let answer: Value = serde_json::from_slice(&answer.unwrap()).unwrap();
                let location = answer["Location"].as_str().unwrap();
                let (host, path) = location["http://".len()..].split_once('/').unwrap();
                let port = host.rsplit(':').next().unwrap().parse().unwrap();
                (port, format!("/{path}"))
            }
        };
        http(port, "PUT", &path, bytes).unwrap();
    }

    /// All files below a name in the folder.
    pub(crate) fn files(&self, name: &str) -> Files {
        let mut files = Files::new();
        self.add_files(name, "", &mut files);
        files
    }

    fn add_files(&self, root: &str, below: &str, files: &mut Files) {
        let folder = format!("{root}{below}");
        for (name, is_folder) in self.names(&folder) {
            let below = format!("{below}/{name}");
            match is_folder {
                true => self.add_files(root, &below, files),
                false => {
                    // A folder may be renamed meanwhile.
                    let bytes = self.get(&format!("{root}{below}"));
                    files.extend(bytes.map(|bytes| (below[1..].to_owned(), bytes)));
                }
            }
        }
    }

    fn names(&self, folder: &str) -> Vec<(String, bool)> {
        let (port, path) = match self.kind {
            Kind::S3 => (
                self.server.port("filer"),
                self.path(folder) + "/?limit=1000",
            ),
            Kind::Hdfs => (
                self.server.port("names-http"),
                self.path(folder) + "?op=LISTSTATUS",
            ),
        };
        let Some(answer) = http(port, "GET", &path, b"") else {
            return Vec::new();
        };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let entries = match self.kind {
            Kind::S3 => &answer["Entries"],
            Kind::Hdfs => &answer["FileStatuses"]["FileStatus"],
        };
        let entry = |entry: &Value| match self.kind {
            Kind::S3 => {
                let path = entry["FullPath"].as_str().unwrap();
                let name = path.rsplit('/').next().unwrap().to_owned();
                (name, entry["Mode"].as_u64().unwrap() & (1 << 31) != 0)
            }
            Kind::Hdfs => {
                let name = entry["pathSuffix"].as_str().unwrap().to_owned();
                (name, entry["type"] == "DIRECTORY")
            }
        };
        let entries = entries.as_array().map(|it| it.iter().map(entry).collect());
        entries.unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        let (port, path) = match self.kind {
            Kind::S3 => (self.server.port("filer"), self.path(name)),
            Kind::Hdfs => (self.server.port("names-http"), self.path(name) + "?op=OPEN"),
        };
        http(port, "GET", &path, b"")
    }

    fn path(&self, name: &str) -> String {
        let name = name.replace('=', "%3D");
        match self.kind {
            Kind::Hdfs => format!("/webhdfs/v1/{}/{name}", self.folder),
            Kind::S3 => format!("/buckets/keymill/{}/{name}", self.folder),
        }
    }
}

/// The bytes of an answer. A server that has just been started may refuse a connection, or end it.
fn answer_of(port: u16, request: &[u8]) -> Vec<u8> {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match ask() {
            Ok(answer) if !answer.is_empty() => return answer,
            asked => assert!(Instant::now() < until, "{asked:?}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The body of an answer; `None` if there is nothing. Redirections are followed.
fn http(port: u16, method: &str, path: &str, body: &[u8]) -> Option<Vec<u8>> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    );
    let answer = answer_of(port, &[request.as_bytes(), body].concat());
    let answer = answer
        .strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(&answer);
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap();
    match status.as_bytes()[0] {
        b'2' => Some(answer[end + 4..].to_vec()),
        b'3' => {
            let location = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("location").then(|| value.trim())
            });
            let (host, path) = location.unwrap()["http://".len()..]
                .split_once('/')
                .unwrap();
            let port = host.rsplit(':').next().unwrap().parse().unwrap();
            http(port, method, &format!("/{path}"), body)
        }
        _ if status == "404" => None,
        // It has just been started.
        b'5' => {
            thread::sleep(Duration::from_millis(300));
            http(port, method, path, body)
        }
        _ => panic!("{method} {path}: {head}"),
    }
}
