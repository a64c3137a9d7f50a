//! In place of TLS, where it is not built in.
#![forbid(unsafe_code)]

use std::io;

use keymill::{Error, ErrorKind, Result};
use scylla::client::session_builder::SessionBuilder;

use crate::settings::Settings;

/// The settings of TLS.
pub(super) const TLS: &str = "";

/// The type has no value, because this program has no TLS.
pub(super) enum Tls {}

impl Tls {
    /// Refuses settings that ask for TLS.
    pub(super) fn new(settings: &mut Settings) -> Result<Option<Self>> {
        match settings.any_of("tls") {
            None => Ok(None),
            Some(name) => {
                let message = format!(
                    "`{name}` needs TLS, and this program was built without it; build it with `--features \
                     cassandra-tls`"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    pub(super) fn secure(&self, _: SessionBuilder) -> SessionBuilder {
        match *self {}
    }

    pub(super) fn refusal(&self) -> Option<&'static str> {
        match *self {}
    }
}

pub(super) fn is_refusal(_: &io::Error) -> bool {
    false
}
