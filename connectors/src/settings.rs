//! Settings by name, as the command line gives them.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};

/// Settings of a source or sink, by their names.
/// They may hold passwords, and are not shown.
#[derive(Clone, Default)]
pub struct Settings(Vec<(String, String)>);

impl Settings {
    /// No settings: the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a setting. The last one of a name counts.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let value = self.0.iter().rev().find(|(it, _)| it == name);
        let value = value.map(|(_, value)| value.clone());
        self.0.retain(|(it, _)| it != name);
        value
    }

    /// A number, which is at least 1.
    pub(crate) fn number(&mut self, name: &str, default: usize) -> Result<usize> {
        match self.take(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(wrong(name, &text, "a whole number from 1 on")),
            },
        }
    }

    /// A time in milliseconds.
    pub(crate) fn time(&mut self, name: &str, default: Duration) -> Result<Duration> {
        let default = default.as_millis() as usize;
        let milliseconds = self.number(name, default)?;
        Ok(Duration::from_millis(milliseconds as u64))
    }

    /// `true` or `false`.
    #[cfg(any(feature = "http", feature = "_rest", feature = "cassandra-tls"))]
    pub(crate) fn switch(&mut self, name: &str, default: bool) -> Result<bool> {
        match self.take(name).as_deref() {
            None => Ok(default),
            Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(wrong(name, other, "true or false")),
        }
    }

    /// A whole number.
    #[cfg(any(feature = "redis", feature = "memcached", feature = "cassandra"))]
    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<u64>> {
        let text = self.take(name);
        let number = text.map(|text| {
            text.parse()
                .map_err(|_| wrong(name, &text, "a whole number"))
        });
        number.transpose()
    }

    /// The bytes of the file that a setting names.
    #[cfg(any(
        feature = "http",
        feature = "_rest",
        feature = "redis",
        feature = "cassandra-tls"
    ))]
    pub(crate) fn bytes_of_file(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = self.take(name);
        let bytes = file.map(|file| {
            std::fs::read(&file).map_err(|cause| {
                let message = format!("cannot read `{file}`, which `{name}` names");
                Error::new(ErrorKind::Config, message).with_source(cause)
            })
        });
        bytes.transpose()
    }

    /// The files of `tls.cert` and `tls.key`, both or none: the certificate of this client, and its key.
    #[cfg(any(
        feature = "http",
        feature = "_rest",
        feature = "redis",
        feature = "cassandra-tls"
    ))]
    pub(crate) fn identity(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let certificate = self.bytes_of_file("tls.cert")?;
        match (certificate, self.bytes_of_file("tls.key")?) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            _ => {
                let message = "a client needs both `tls.cert` and `tls.key`: files of PEM";
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// What must not be shown: the setting of this name, or the first line of the file `NAME.file`.
    pub(crate) fn secret(&mut self, name: &str) -> Result<Option<String>> {
        match (self.take(name), self.take(&format!("{name}.file"))) {
            (Some(_), Some(_)) => {
                let message = format!("set `{name}` or `{name}.file`, not both");
                Err(Error::new(ErrorKind::Config, message))
            }
            (Some(secret), None) => Ok(Some(secret)),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(&file).map_err(|cause| {
                    let message = format!("cannot read the {name} in `{file}`");
                    Error::new(ErrorKind::Config, message).with_source(cause)
                })?;
                Ok(Some(
                    text.lines().next().unwrap_or_default().trim().to_owned(),
                ))
            }
            (None, None) => Ok(None),
        }
    }

    /// The token for `Authorization: Bearer`: the setting `token`, or the first line of `token.file`.
    #[cfg(feature = "http")]
    pub(crate) fn token(&mut self) -> Result<Option<String>> {
        let Some(token) = self.secret("token")? else {
            return Ok(None);
        };
        match token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => {
                let message = "the bearer token must be visible ASCII characters, at least one";
                Err(Error::new(ErrorKind::Config, message))
            }
            false => Ok(Some(token)),
        }
    }

    /// A setting whose name is this, or begins with it and a dot.
    #[cfg(all(feature = "cassandra", not(feature = "cassandra-tls")))]
    pub(crate) fn any_of(&self, group: &str) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        names.find(|name| name.split('.').next() == Some(group))
    }

    /// Refuses unknown settings: those that were not taken.
    pub(crate) fn finish(self, known: &str) -> Result<()> {
        match self.0.first() {
            Some((name, _)) => {
                let message = format!("`{name}` is not a setting here; there are {known}");
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

pub(crate) fn wrong(name: &str, value: &str, known: &str) -> Error {
    let message = format!("`{name}` cannot be `{value}`; write {known}");
    Error::new(ErrorKind::Config, message)
}
