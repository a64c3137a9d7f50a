//! Standard input, or any reader.

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use super::inbox::{self, Receiver};
use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use crate::{Error, ErrorKind, Result};

/// Lines of a reader. The query ends with it.
///
/// After a crash, what was read and not committed is lost, unless there is a
/// [log](ReaderStream::write_ahead_log).
pub struct ReaderStream {
    name: String,
    open: Option<Box<Open>>,
    receiver: Receiver,
}

type Open = dyn FnOnce() -> Result<Box<dyn Read + Send>> + Send;

impl ReaderStream {
    /// Reads from a reader, such as a pipe of another program.
    #[must_use]
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self::named("reader", reader)
    }

    /// Reads from a reader with a name for people.
    #[must_use]
    pub fn named(name: &str, reader: impl Read + Send + 'static) -> Self {
        Self::open_on_start(name, move || Ok(Box::new(reader)))
    }

    /// Reads from a reader that is opened when the query starts.
    #[must_use]
    pub fn open_on_start(
        name: &str,
        open: impl FnOnce() -> Result<Box<dyn Read + Send>> + Send + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            open: Some(Box::new(open)),
            receiver: Receiver::default(),
        }
    }

    /// Writes what is received to a log in a folder before it is part of an epoch. What was written
    /// there is read again after a crash, so that results may arrive exactly once from then on.
    #[must_use]
    pub fn write_ahead_log(mut self, folder: impl Into<PathBuf>) -> Self {
        self.receiver.log_to(folder.into());
        self
    }

    /// Reads from standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self::named("stdin:", std::io::stdin())
    }
}

impl StreamSource for ReaderStream {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        "reader"
    }

    fn replay(&self) -> Replay {
        self.receiver.replay()
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Err(Error::new(
                ErrorKind::Config,
                "a reader can be read only once",
            ));
        };
        let reader = open()?;
        let inbox = self.receiver.start(context)?;
        let name = self.name.clone();
        inbox::spawn("keymill-reader", move || match inbox.receive(reader) {
            Ok(()) => inbox.finish(),
            Err(cause) => {
                let message = format!("cannot read `{name}`");
                inbox.fail(Error::new(ErrorKind::Source, message).with_source(cause));
            }
        })
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

    fn is_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    fn waiting_bytes(&self) -> Option<u64> {
        self.receiver.waiting_bytes()
    }
}
