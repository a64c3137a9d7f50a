//! HTTP requests: whom they trust, and which failures may pass.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use ureq::Body;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::settings::Settings;

/// Whether another attempt would fail in the same way.
pub(crate) fn is_final(cause: &ureq::Error) -> bool {
    use ureq::Error::{BadUri, Http, InvalidProxyUrl, RequireHttpsOnly, Tls};
    matches!(
        cause,
        BadUri(_) | Http(_) | InvalidProxyUrl | RequireHttpsOnly(_) | Tls(_)
    )
}

/// Whether the same request may get another answer later.
pub(crate) fn passes(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status.as_u16(), 408 | 425 | 429)
}

/// How long an answer asks to wait.
pub(crate) fn retry_after(answer: &Response<Body>) -> Duration {
    let wait = answer.headers().get("Retry-After");
    let wait = wait.and_then(|it| it.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(wait.unwrap_or(0))
}

/// Whom a client trusts: the certificates of the setting `tls.ca`. Without it, public authorities.
pub(crate) fn roots(settings: &mut Settings) -> Result<Option<TlsConfig>> {
    let Some(file) = settings.take("tls.ca") else {
        return Ok(None);
    };
    let wrong = || {
        let message = format!("`{file}` cannot be read as PEM");
        Error::new(ErrorKind::Config, message)
    };
    let text = std::fs::read(&file).map_err(|cause| wrong().with_source(cause))?;
    let items = parse_pem(&text).collect::<std::result::Result<Vec<_>, _>>();
    let items = items.map_err(|cause| wrong().with_source(cause))?;
    let all = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let all: Vec<Certificate<'static>> = all.collect();
    if all.is_empty() {
        return Err(wrong());
    }
    let roots = RootCerts::Specific(Arc::new(all));
    Ok(Some(TlsConfig::builder().root_certs(roots).build()))
}
