//! A small HTTP server for the metrics of a query.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::StreamQuery;
use super::handle::Shared;
use super::state_over_http::state_as_json;
use crate::{Error, ErrorKind, Result};

/// The most bytes of a request.
const MOST_BYTES: usize = 8 << 10;

/// How long a client may take to send its request, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Serves the metrics of a query over HTTP, on a thread of its own, until it is dropped.
///
/// | path | what |
/// |---|---|
/// | `/metrics` | metrics in Prometheus' text format |
/// | `/progress` | the report of the last epoch as JSON; `null` before the first one |
/// | `/state` | groups of the state of the last committed epoch, as lines of JSON: `?key=VALUE` for each key column, or the first 1000, `?limit=N` |
/// | `/healthz` | 200 while the query runs; 503 while it starts or is paused, and after its end |
///
/// # Examples
///
/// ```
/// use keymill::prelude::*;
/// use keymill::stream::{MemorySink, MemoryStream, MetricsServer};
///
/// let server = MetricsServer::bind("127.0.0.1:0")?;
/// let (source, input) = MemoryStream::new();
/// input.finish();
/// let query = Engine::new()?
///     .stream(source)
///     .tokenize(whitespace())
///     .count_by_key()
///     .sink(MemorySink::new())
///     .start()?;
/// server.watch(&query);
/// println!("http://{}/metrics", server.local_addr());
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    watched: Arc<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    query: Mutex<Option<Arc<Shared>>>,
    is_over: AtomicBool,
}

impl MetricsServer {
    /// Listens on an address, such as `127.0.0.1:9464`. Port 0 is any free port.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the address cannot be listened on.
    pub fn bind(address: &str) -> Result<Self> {
        let wrong = |cause: io::Error| {
            let message = format!("cannot serve metrics on `{address}`; name a free HOST:PORT");
            Error::new(ErrorKind::Config, message).with_source(cause)
        };
        let listener = TcpListener::bind(address).map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let watched = Arc::new(Watched::default());
        let thread = std::thread::Builder::new().name("keymill-metrics".to_owned());
        let shared = watched.clone();
        let spawned = thread.spawn(move || serve(&listener, &shared));
        spawned.map_err(wrong)?;
        Ok(Self { address, watched })
    }

    /// The address that is listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves the metrics of a query. The query before, if any, is not served any more.
    pub fn watch(&self, query: &StreamQuery) {
        *self.watched.lock() = Some(query.shared.clone());
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.watched.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for clients.
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let _ = TcpStream::connect_timeout(&address, PATIENCE);
    }
}

impl Watched {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Shared>>> {
        self.query.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(listener: &TcpListener, watched: &Watched) {
    while !watched.is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            // A client that does not read its answer has no use for the error.
            Ok((client, _)) => drop(answer(client, watched)),
            // Out of file descriptors, for example.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Reads one request and answers it. Every connection has one request.
fn answer(mut client: TcpStream, watched: &Watched) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let end = Instant::now() + PATIENCE;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !has_head(&request) && request.len() < MOST_BYTES && Instant::now() < end {
        match client.read(&mut buffer)? {
            0 => break,
            bytes => request.extend_from_slice(&buffer[..bytes]),
        }
    }
    let response = if has_head(&request) {
        respond(&request, watched)
    } else {
        Response::text("400 Bad Request", "this is not an HTTP request\n")
    };
    client.write_all(&response.head())?;
    if !request.starts_with(b"HEAD ") {
        client.write_all(response.body.as_bytes())?;
    }
    client.flush()
}

/// Whether the lines before the body are complete.
fn has_head(request: &[u8]) -> bool {
    request.windows(4).any(|end| end == b"\r\n\r\n") || request.windows(2).any(|end| end == b"\n\n")
}

struct Response {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl Response {
    fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }

    fn head(&self) -> Vec<u8> {
        let (status, content, length) = (self.status, self.content_type, self.body.len());
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        .into_bytes()
    }
}

fn status_of(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Config | ErrorKind::Format => "400 Bad Request",
        _ => "503 Service Unavailable",
    }
}

fn respond(request: &[u8], watched: &Watched) -> Response {
    let line = request
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    if !matches!(method, Some("GET" | "HEAD")) {
        return Response::text("405 Method Not Allowed", "use GET\n");
    }
    let path = target.split('?').next().unwrap_or_default();
    let query = watched.lock().clone();
    let ok = "200 OK";
    match (path, query) {
        ("/healthz", None) => Response::text("503 Service Unavailable", "the query starts\n"),
        ("/healthz", Some(query)) => match query.health() {
            Ok(status) => Response::text(ok, format!("{status}\n")),
            Err(why) => Response::text("503 Service Unavailable", format!("{why}\n")),
        },
        ("/metrics", query) => Response {
            status: ok,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: query.map_or_else(String::new, |query| query.metrics()),
        },
        ("/progress", query) => {
            let last = query.and_then(|query| query.last_progress());
            Response {
                status: ok,
                content_type: "application/json",
                body: last.map_or_else(|| "null".to_owned(), |last| last.to_json()),
            }
        }
        ("/state", None) => Response::text("503 Service Unavailable", "the query starts\n"),
        ("/state", Some(query)) => {
            let parameters = target.split_once('?').map_or("", |(_, it)| it);
            match state_as_json(&query, parameters) {
                Ok(body) => Response {
                    status: ok,
                    content_type: "application/x-ndjson",
                    body,
                },
                Err(error) => Response::text(status_of(&error), format!("{error}\n")),
            }
        }
        _ => Response::text(
            "404 Not Found",
            "there are /metrics, /progress, /state and /healthz\n",
        ),
    }
}
