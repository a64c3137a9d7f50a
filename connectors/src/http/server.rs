//! The server: connections, requests and answers.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use keymill::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::body::{self, Trouble};
use super::budget::{Held, Reserved};
use super::log::Log;

/// How long requests that are under way may take when the query ends.
const GOODBYE: Duration = Duration::from_secs(5);

/// The limits of a server, and who may use it.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) token: Option<String>,
    pub(super) most_body: usize,
    pub(super) most_decompressed: usize,
    pub(super) most_connections: usize,
    /// How long the head of a request, and each further piece of its body, may take.
    pub(super) patience: Duration,
    pub(super) tls: Option<TlsAcceptor>,
}

/// A server that runs until it is dropped.
pub(super) struct Server {
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    /// All permits are back when all connections have ended.
    connections: Arc<Semaphore>,
    most_connections: usize,
}

/// What every connection needs.
struct Shared {
    log: Log,
    rules: Rules,
}

type Answer = Response<Full<Bytes>>;

impl Server {
    /// Serves on threads of its own.
    pub(super) fn start(listener: TcpListener, log: Log, rules: Rules) -> Result<Self> {
        let failed = |cause: std::io::Error| {
            Error::new(ErrorKind::Source, "cannot start the HTTP server").with_source(cause)
        };
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("keymill-http")
            .enable_all()
            .build()
            .map_err(failed)?;
        let guard = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        drop(guard);
        let (stop, stopped) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(rules.most_connections));
        let most_connections = rules.most_connections;
        let shared = Arc::new(Shared { log, rules });
        runtime.spawn(accept(listener, shared, connections.clone(), stopped));
        Ok(Self {
            runtime: Some(runtime),
            stop,
            connections,
            most_connections,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let all = u32::try_from(self.most_connections).unwrap_or(u32::MAX);
        let ended = self.connections.acquire_many(all);
        let _ = runtime.block_on(async { timeout(GOODBYE, ended).await.is_ok() });
        runtime.shutdown_timeout(Duration::from_millis(100));
    }
}

/// Accepts connections while there are not too many.
async fn accept(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, shared.clone(), stopped.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            // Out of file descriptors, for example: a client that leaves frees one.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Serves a connection, with TLS if there is a certificate.
async fn serve(stream: TcpStream, shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let rules = &shared.rules;
    let Some(tls) = &rules.tls else {
        return serve_requests(stream, shared, stopped).await;
    };
    // A client that does not agree to TLS has no way to hear why.
    if let Ok(Ok(stream)) = timeout(rules.patience, tls.accept(stream)).await {
        serve_requests(stream, shared, stopped).await;
    }
}

/// Serves a connection until it ends, or until the server stops.
async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let patience = shared.rules.patience;
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(respond(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A connection that breaks has no other end to tell.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|it| *it) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GOODBYE, connection).await;
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Answer {
    let path = request.uri().path();
    match (path, request.method()) {
        ("/healthz", &Method::GET | &Method::HEAD) => plain(StatusCode::OK, "ok\n"),
        ("/ingest", &Method::POST) => {
            let (head, mut body) = request.into_parts();
            match ingest(&head.headers, &mut body, shared).await {
                Ok(bytes) => plain(StatusCode::OK, format!("{{\"bytes\":{bytes}}}\n")),
                Err(refused) => {
                    discard(&head.headers, body).await;
                    *refused
                }
            }
        }
        ("/ingest", _) => with(
            plain(StatusCode::METHOD_NOT_ALLOWED, "use POST\n"),
            header::ALLOW,
            "POST",
        ),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are POST /ingest and GET /healthz\n",
        ),
    }
}

/// Takes the body of a request. Returns its bytes when they are as safe as was promised.
async fn ingest(
    headers: &HeaderMap,
    body: &mut Incoming,
    shared: &Shared,
) -> Result<usize, Box<Answer>> {
    authorize(headers, shared.rules.token.as_deref())?;
    let has_header = content(headers)?;
    let is_gzip = encoding(headers)?;
    let mut reserved = shared.log.budget().reserve();
    let raw = receive(headers, body, &shared.rules, &mut reserved).await?;
    let (text, reserved) = match is_gzip {
        true => decompress(raw, shared.rules.most_decompressed, reserved).await?,
        false => (raw, reserved),
    };
    let text = body::lines(text, has_header);
    let bytes = text.len();
    if bytes == 0 {
        return Ok(0);
    }
    let (answer, answered) = oneshot::channel();
    shared.log.accept(
        Held {
            text,
            _reserved: reserved,
        },
        answer,
    );
    match answered.await {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(why)) => Err(later(format!("{why}\n"))),
        Err(_) => Err(later("the query ends\n")),
    }
}

fn authorize(headers: &HeaderMap, token: Option<&str>) -> Result<(), Box<Answer>> {
    let Some(token) = token else { return Ok(()) };
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|it| it.to_str().ok()?.split_once(' '));
    let is_right = given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case("bearer") && is_same(given.trim().as_bytes(), token.as_bytes())
    });
    match is_right {
        true => Ok(()),
        false => Err(Box::new(with(
            plain(StatusCode::UNAUTHORIZED, "a bearer token is needed\n"),
            header::WWW_AUTHENTICATE,
            "Bearer",
        ))),
    }
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Checks the type of a body. Returns whether its first line is a header.
fn content(headers: &HeaderMap) -> Result<bool, Box<Answer>> {
    const KNOWN: [&str; 9] = [
        "text/plain",
        "text/csv",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/json",
        "application/octet-stream",
        // What curl sends with `--data-binary`.
        "application/x-www-form-urlencoded",
        "",
    ];
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.map_or(Ok(""), HeaderValue::to_str).unwrap_or("?");
    let value = value.to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    match KNOWN.contains(&parts.next().unwrap_or_default()) {
        true => Ok(parts.any(|part| part == "header=present")),
        false => Err(Box::new(plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send text/plain, text/csv or application/x-ndjson: one record per line\n",
        ))),
    }
}

/// Returns whether a body is compressed by gzip.
fn encoding(headers: &HeaderMap) -> Result<bool, Box<Answer>> {
    let value = headers.get(header::CONTENT_ENCODING);
    let value = value.map_or(Ok(""), HeaderValue::to_str).unwrap_or("?");
    match value.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        _ => Err(Box::new(with(
            plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send gzip, or no encoding\n",
            ),
            header::ACCEPT_ENCODING,
            "gzip",
        ))),
    }
}

/// Receives a body within the limits.
async fn receive(
    headers: &HeaderMap,
    body: &mut Incoming,
    rules: &Rules,
    reserved: &mut Reserved,
) -> Result<Vec<u8>, Box<Answer>> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    let expected = length.unwrap_or(0);
    if expected > rules.most_body {
        return Err(too_large("max.body.bytes", rules.most_body));
    }
    if !reserved.grow(expected) {
        return Err(full());
    }
    let (mut text, mut held) = (Vec::with_capacity(expected), expected);
    loop {
        let frame = match timeout(rules.patience, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(text),
            Ok(Some(Err(_))) => {
                return Err(Box::new(plain(
                    StatusCode::BAD_REQUEST,
                    "the body is cut off\n",
                )));
            }
            Err(_) => {
                let answer = plain(StatusCode::REQUEST_TIMEOUT, "the body is too slow\n");
                return Err(Box::new(with(answer, header::CONNECTION, "close")));
            }
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if text.len() + data.len() > rules.most_body {
            return Err(too_large("max.body.bytes", rules.most_body));
        }
        if text.len() + data.len() > held {
            if !reserved.grow(data.len()) {
                return Err(full());
            }
            held += data.len();
        }
        text.extend_from_slice(&data);
    }
}

/// Reads the rest of a body that is refused, for a while: a client that still sends would lose the answer
/// when the connection is closed. One that waits to be asked for the body gets the answer at once.
async fn discard(headers: &HeaderMap, mut body: Incoming) {
    const MOST_BYTES: usize = 32 << 20;
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let rest = async {
        let mut bytes = 0;
        while bytes < MOST_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = timeout(Duration::from_secs(2), rest).await;
}

/// Decompresses a body, on a thread that may take its time.
async fn decompress(
    raw: Vec<u8>,
    most: usize,
    mut reserved: Reserved,
) -> Result<(Vec<u8>, Reserved), Box<Answer>> {
    let unpacked = tokio::task::spawn_blocking(move || {
        body::gunzip(&raw, most, &mut reserved).map(|text| (text, reserved))
    });
    match unpacked.await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Trouble::TooLarge)) => Err(too_large("max.decompressed.bytes", most)),
        Ok(Err(Trouble::NoMemory)) => Err(full()),
        Ok(Err(Trouble::Corrupt)) => Err(Box::new(plain(
            StatusCode::BAD_REQUEST,
            "the body is not valid gzip\n",
        ))),
        Err(_) => Err(later("the query ends\n")),
    }
}

fn full() -> Box<Answer> {
    later("the query is busy: send it again later\n")
}

fn later(why: impl Into<String>) -> Box<Answer> {
    let answer = plain(StatusCode::SERVICE_UNAVAILABLE, why);
    Box::new(with(answer, header::RETRY_AFTER, "1"))
}

fn too_large(limit: &str, most: usize) -> Box<Answer> {
    let why = format!("the limit is {most} bytes ({limit}): send smaller parts\n");
    Box::new(plain(StatusCode::PAYLOAD_TOO_LARGE, why))
}

fn plain(status: StatusCode, body: impl Into<String>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.into())));
    *answer.status_mut() = status;
    answer
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    answer
}
