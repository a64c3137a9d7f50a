//! URLs of places on other machines, with options.
#![forbid(unsafe_code)]

use keymill::{Error, ErrorKind, Result};

/// A URL: `SCHEME://[USER@]HOST[:PORT]/PATH[?NAME=VALUE&…]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) user: Option<String>,
    /// The host and the port, or the bucket.
    pub(crate) host: String,
    /// What follows the host, without the first slash.
    pub(crate) path: String,
    /// The options that were given apart from the URL, and then those of the URL.
    pub(crate) options: Vec<(String, String)>,
}

impl Address {
    /// Parses a URL. `form` says how one is written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not of the scheme, or has no host.
    pub(crate) fn parse(
        scheme: &str,
        form: &str,
        url: &str,
        given: &[(String, String)],
    ) -> Result<Self> {
        let wrong = || {
            // Without the URL, which may have a password.
            let message = format!("not a URL of {scheme}; write {form}");
            Error::new(ErrorKind::Config, message)
        };
        let rest = url
            .strip_prefix(scheme)
            .and_then(|it| it.strip_prefix("://"));
        let (rest, options) = split_options(rest.ok_or_else(wrong)?);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match host.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, host),
        };
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            user,
            host: host.to_owned(),
            path: path.to_owned(),
            options: given.iter().cloned().chain(options).collect(),
        })
    }

    /// Takes an option out of the list. The last one counts.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let mut value = None;
        self.options.retain(|(other, of)| {
            let is_it = other == name;
            if is_it {
                value = Some(of.clone());
            }
            !is_it
        });
        value
    }
}

/// Splits off `?NAME=VALUE&…`. A `?` of a pattern is not followed by names and values.
fn split_options(text: &str) -> (&str, Vec<(String, String)>) {
    let Some((rest, options)) = text.rsplit_once('?') else {
        return (text, Vec::new());
    };
    let options = options.split('&').map(|option| {
        let (name, value) = option.split_once('=')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_option = !name.is_empty() && name.chars().all(is_name);
        is_option.then(|| (name.to_owned(), value.to_owned()))
    });
    match options.collect() {
        Some(options) => (rest, options),
        None => (text, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_user_a_host_a_path_and_options() {
        let given = [("b".to_owned(), "2".to_owned())];
        let parse = |url| Address::parse("s3", "s3://BUCKET/PREFIX", url, &given);
        let address = parse("s3://shop/a?/epoch=1").unwrap();
        assert_eq!(address.path, "a?/epoch=1");
        let mut address = parse("s3://ann@shop/logs/a?.gz?a=http://h:1/&b=1").unwrap();
        assert_eq!(address.user.as_deref(), Some("ann"));
        assert_eq!((&*address.host, &*address.path), ("shop", "logs/a?.gz"));
        assert_eq!(address.take("a"), Some("http://h:1/".into()));
        assert_eq!(address.take("b"), Some("1".into()));
        assert!(address.options.is_empty());
        for wrong in ["s3:/shop", "s3:///x", "s4://shop/x", "s3://"] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
        }
    }
}
