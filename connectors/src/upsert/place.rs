//! Where a store is, and who may write there.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use crate::settings::Settings;

/// The parts of `SCHEME://USER:PASSWORD@HOST:PORT/NAME`, and the settings that go with it.
pub(crate) struct Place {
    scheme: String,
    /// HOST:PORT
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) timeout: Duration,
}

impl Place {
    /// Reads a URL, and takes what belongs to it out of the settings. `form` says how the URL is written.
    pub(crate) fn new(url: &str, form: &str, port: u16, settings: &mut Settings) -> Result<Self> {
        // The URL may have a password, and is not repeated.
        let wrong = || {
            Error::new(
                ErrorKind::Config,
                format!("this is not the URL of a store; write {form}"),
            )
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (address, name) = rest.split_once('/').ok_or_else(wrong)?;
        if address.is_empty() || name.is_empty() || name.contains(['?', '#', '/']) {
            return Err(wrong());
        }
        let has_port = !address.ends_with(']') && address.contains(':');
        let address = match has_port {
            true => address.to_owned(),
            false => format!("{address}:{port}"),
        };
        let (user, password) = match user.map(|it| it.split_once(':').unwrap_or((it, ""))) {
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
            None => (None, None),
        };
        let password = password.filter(|it| !it.is_empty());
        let user = settings.take("user").or(user);
        let password = settings.secret("password")?.or(password);
        Ok(Self {
            scheme: scheme.to_owned(),
            address,
            name: name.to_owned(),
            user,
            password,
            timeout: settings.time("timeout.ms", Duration::from_secs(30))?,
        })
    }

    /// The name, for people and reports.
    pub(crate) fn describe(&self) -> String {
        format!("{}://{}/{}", self.scheme, self.address, self.name)
    }
}

/// Without the password.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| {
        let message = "the user or the password in the URL of a store is not UTF-8";
        Error::new(ErrorKind::Config, message)
    })?;
    Ok(decoded.into_owned())
}
