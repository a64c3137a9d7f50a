//! Lines from TCP: of a server, or of many clients.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::inbox::{self, Inbox, Receiver};
use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use crate::{Error, ErrorKind, Result};

/// Pauses between attempts to connect again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Lines from TCP.
///
/// When a server ends the connection, the source connects again, with growing pauses. The end of a
/// connection ends a line. After a crash, what was received and not committed is lost, unless
/// there is a [log](TcpSource::write_ahead_log).
pub struct TcpSource {
    address: String,
    peer: Peer,
    receiver: Receiver,
    connections: Connections,
}

/// Who sends.
enum Peer {
    Server,
    /// The listener, once there is one.
    Clients(Option<TcpListener>),
}

/// The open connections, to end them when the query ends.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<Vec<TcpStream>>>);

impl Connections {
    fn add(&self, stream: &TcpStream) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.peer_addr().is_ok());
        streams.extend(stream.try_clone());
    }

    fn end(&self) {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl TcpSource {
    /// Connects to a server, such as `nc -lk 9999`.
    #[must_use]
    pub fn connect(address: impl Into<String>) -> Self {
        Self::new(address.into(), Peer::Server)
    }

    /// Listens for clients, of which any number may be connected. Port 0 is any free port.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] if the address cannot be listened on.
    pub fn listen(address: impl Into<String>) -> Result<Self> {
        let address = address.into();
        let listener = bind(&address)?;
        Ok(Self::new(address, Peer::Clients(Some(listener))))
    }

    /// Listens for clients, from the start of the query on.
    #[must_use]
    pub fn listen_on_start(address: impl Into<String>) -> Self {
        Self::new(address.into(), Peer::Clients(None))
    }

    fn new(address: String, peer: Peer) -> Self {
        Self {
            address,
            peer,
            receiver: Receiver::default(),
            connections: Connections::default(),
        }
    }

    /// Writes what is received to a log in a folder before it is part of an epoch. What was written
    /// there is read again after a crash, so that results may arrive exactly once from then on.
    #[must_use]
    pub fn write_ahead_log(mut self, folder: impl Into<PathBuf>) -> Self {
        self.receiver.log_to(folder.into());
        self
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.peer {
            Peer::Clients(Some(listener)) => listener.local_addr().ok(),
            _ => None,
        }
    }
}

impl StreamSource for TcpSource {
    fn describe(&self) -> String {
        match &self.peer {
            Peer::Server => format!("tcp://{}", self.address),
            Peer::Clients(_) => format!("tcp-listen://{}", self.address),
        }
    }

    fn kind(&self) -> &'static str {
        "tcp"
    }

    fn replay(&self) -> Replay {
        self.receiver.replay()
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        let inbox = self.receiver.start(context)?;
        let connections = self.connections.clone();
        match &mut self.peer {
            Peer::Server => {
                let address = self.address.clone();
                let first = connect(&address)?;
                inbox::spawn("keymill-tcp", move || {
                    read_server(&address, first, &inbox, &connections);
                })
            }
            Peer::Clients(listener) => {
                let listener = match listener {
                    Some(listener) => listener,
                    none => none.insert(bind(&self.address)?),
                };
                let listener = listener
                    .try_clone()
                    .map_err(|cause| cannot_listen(&self.address, cause))?;
                inbox::spawn("keymill-tcp", move || {
                    accept_clients(&listener, &inbox, &connections);
                })
            }
        }
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        self.receiver.next_range(limits)
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        self.receiver.read(range)
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.receiver.commit(range)
    }

    fn position(&self) -> Value {
        self.receiver.position()
    }

    fn waiting_bytes(&self) -> Option<u64> {
        self.receiver.waiting_bytes()
    }
}

impl Drop for TcpSource {
    fn drop(&mut self) {
        let is_started = self.receiver.waiting_bytes().is_some();
        // The threads of the connections see that their inbox is closed.
        self.receiver = Receiver::default();
        self.connections.end();
        if let Some(address) = self.local_addr().filter(|_| is_started) {
            // Wakes the thread that waits for clients.
            let _ = TcpStream::connect_timeout(&address, FIRST_PAUSE);
        }
    }
}

fn bind(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|cause| cannot_listen(address, cause))
}

fn cannot_listen(address: &str, cause: std::io::Error) -> Error {
    let message = format!("cannot listen on `{address}`; choose a free port");
    Error::new(ErrorKind::Source, message).with_source(cause)
}

fn connect(address: &str) -> Result<TcpStream> {
    TcpStream::connect(address).map_err(|cause| {
        let message = format!("cannot connect to `{address}`; start the server first");
        Error::new(ErrorKind::Source, message).with_source(cause)
    })
}

/// Reads from a server, and connects again whenever the connection ends.
fn read_server(address: &str, first: TcpStream, inbox: &Inbox, connections: &Connections) {
    let mut stream = Some(first);
    let mut pause = FIRST_PAUSE;
    while !inbox.is_closed() {
        if let Some(stream) = stream.take() {
            connections.add(&stream);
            // A connection that breaks is opened again, as one that ends.
            let _ = inbox.receive(&stream);
            pause = FIRST_PAUSE;
        }
        if !inbox.pause(pause) {
            return;
        }
        pause = (2 * pause).min(LONGEST_PAUSE);
        stream = TcpStream::connect(address).ok();
    }
}

/// Starts a thread for each client.
fn accept_clients(listener: &TcpListener, inbox: &Inbox, connections: &Connections) {
    while !inbox.is_closed() {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, for example: a client that leaves frees one.
            if !inbox.pause(FIRST_PAUSE) {
                return;
            }
            continue;
        };
        connections.add(&stream);
        let client = inbox.clone();
        let started = inbox::spawn("keymill-client", move || {
            // Its lines stay if the connection breaks.
            let _ = client.receive(&stream);
        });
        if started.is_err() && !inbox.pause(FIRST_PAUSE) {
            return;
        }
    }
}
