//! Stores that are asked by HTTP.
#![forbid(unsafe_code)]

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use keymill::{Error, ErrorKind, Result};
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::{Agent, Body};

use super::Place;
use crate::attempt::{failed, passes, retry_after, tls};
use crate::settings::Settings;

/// The most bytes of an answer.
const MOST: u64 = 256 << 20;

/// The settings of [`Rest`].
pub(crate) const REST: &str = "tls, tls.ca, tls.cert, tls.key, api.key, api.key.file";

/// A client of a store.
pub(crate) struct Rest {
    pub(crate) place: Place,
    scheme: &'static str,
    agent: Agent,
    authorization: Option<String>,
    pub(crate) wanted_pause: Duration,
}

/// An answer that says yes, that something is not there, or that the request is wrong.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Rest {
    pub(crate) fn new(place: Place, settings: &mut Settings) -> Result<Self> {
        let tls = tls(settings)?;
        let is_tls = settings.switch("tls", false)? || tls.is_some();
        let key = settings.secret("api.key")?;
        let authorization = match (key, &place.user) {
            (Some(key), _) => Some(format!("ApiKey {key}")),
            (None, Some(user)) => {
                let password = place.password.as_deref().unwrap_or_default();
                let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {both}"))
            }
            (None, None) => None,
        };
        let agent = Agent::config_builder()
            .timeout_global(Some(place.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls.unwrap_or_default())
            .user_agent(concat!("keymill/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            place,
            scheme: if is_tls { "https" } else { "http" },
            agent: agent.into(),
            authorization,
            wanted_pause: Duration::ZERO,
        })
    }

    /// Sends a request with a JSON body, or without any. 404 and 400 are answers; other refusals are errors.
    pub(crate) fn send(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer> {
        let answer = self.request(method, path, body);
        let mut answer = answer.map_err(|cause| self.failed(cause))?;
        let status = answer.status();
        let pause = retry_after(&answer);
        let body = answer.body_mut().with_config().limit(MOST).read_to_vec();
        let body = body.map_err(|cause| self.failed(cause))?;
        let is_answer = matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
        if status.is_success() || is_answer {
            return Ok(Answer { status, body });
        }
        self.wanted_pause = pause;
        let kind = match passes(status) {
            true => ErrorKind::Unavailable,
            false => ErrorKind::Sink,
        };
        Err(Error::new(kind, self.refusal(status, &body)))
    }

    /// A message with the beginning of an answer.
    pub(crate) fn refusal(&self, status: StatusCode, body: &[u8]) -> String {
        let shown = &body[..body.len().min(300)];
        let shown = String::from_utf8_lossy(shown);
        let what = match status.as_u16() {
            401 | 403 => "does not accept the user and password",
            _ => "answers",
        };
        let message = format!(
            "`{}` {what}: {status} {}",
            self.place.describe(),
            shown.trim()
        );
        message.trim_end().to_owned()
    }

    fn request(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> std::result::Result<Response<Body>, ureq::Error> {
        self.wanted_pause = Duration::ZERO;
        let url = format!("{}://{}{path}", self.scheme, self.place.address);
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("Accept", "application/json");
        if let Some(value) = &self.authorization {
            request = request.header("Authorization", value);
        }
        match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(body)?)
            }
            None => self.agent.run(request.body(())?),
        }
    }

    fn failed(&self, cause: ureq::Error) -> Error {
        failed(&self.place.describe(), cause)
    }
}
