//! Settings by name, as the command line gives them.
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::{Error, ErrorKind, Result};

/// Settings of an HTTP source or sink, by their names.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings(Vec<(String, String)>);

impl HttpSettings {
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

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let value = self.0.iter().rev().find(|(it, _)| it == name);
        let value = value.map(|(_, value)| value.clone());
        self.0.retain(|(it, _)| it != name);
        value
    }

    /// A number, which is at least 1.
    pub(super) fn number(&mut self, name: &str, default: usize) -> Result<usize> {
        match self.take(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(wrong(name, &text, "a whole number from 1 on")),
            },
        }
    }

    /// A time in milliseconds.
    pub(super) fn time(&mut self, name: &str, default: Duration) -> Result<Duration> {
        let default = default.as_millis() as usize;
        let milliseconds = self.number(name, default)?;
        Ok(Duration::from_millis(milliseconds as u64))
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, name: &str) -> Result<bool> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(wrong(name, other, "true or false")),
        }
    }

    /// The token for `Authorization: Bearer`: the setting `token`, or the first line of `token.file`.
    pub(super) fn token(&mut self) -> Result<Option<String>> {
        let token = match (self.take("token"), self.take("token.file")) {
            (Some(token), None) => token,
            (None, Some(file)) => {
                let text = std::fs::read_to_string(&file).map_err(|cause| {
                    let message = format!("cannot read the token in `{file}`");
                    Error::new(ErrorKind::Config, message).with_source(cause)
                })?;
                text.lines().next().unwrap_or_default().trim().to_owned()
            }
            (None, None) => return Ok(None),
            _ => {
                let message = "set `token` or `token.file`, not both";
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        match token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => {
                let message = "the bearer token must be visible ASCII characters, at least one";
                Err(Error::new(ErrorKind::Config, message))
            }
            false => Ok(Some(token)),
        }
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self, known: &str) -> Result<()> {
        match self.0.first() {
            Some((name, _)) => {
                let message = format!("`{name}` is not a setting of HTTP; there are {known}");
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(()),
        }
    }
}

pub(super) fn wrong(name: &str, value: &str, known: &str) -> Error {
    let message = format!("`{name}` cannot be `{value}`; write {known}");
    Error::new(ErrorKind::Config, message)
}
