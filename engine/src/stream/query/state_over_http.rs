//! The path `/state` of the metrics server: groups of the state as lines of JSON.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, StringArray};
use arrow_cast::cast;

use super::committed_state::QueryState;
use super::handle::Shared;
use crate::write::Format;
use crate::{Error, ErrorKind, Result};

/// How long the server waits for an epoch that is written. Other requests wait meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

/// The groups that are returned if the request names no limit.
const LIMIT: usize = 1000;

/// What a request asks for: `key=VALUE` for each key column, or `limit=N`.
#[derive(Debug, Default, PartialEq)]
struct Request {
    keys: Vec<String>,
    limit: Option<usize>,
}

/// Answers a request with these parameters.
pub(super) fn state_as_json(query: &Arc<Shared>, parameters: &str) -> Result<String> {
    let request = Request::parse(parameters)?;
    let state = query.committed_state(Some(PATIENCE))?;
    let mut left = request.limit.unwrap_or(LIMIT);
    let mut out = Vec::new();
    let mut writer = Format::Json.writer(&state.schema(), &mut out)?;
    if request.keys.is_empty() {
        for batch in state.batches()? {
            let batch = batch?;
            let rows = left.min(batch.num_rows());
            writer.write(&batch.slice(0, rows))?;
            left -= rows;
            if left == 0 {
                break;
            }
        }
    } else {
        writer.write(&state.get(&keys_of(&state, request.keys)?)?)?;
    }
    writer.finish()?;
    drop(writer);
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn keys_of(state: &QueryState, keys: Vec<String>) -> Result<Vec<ArrayRef>> {
    let types = state.key_types();
    if keys.len() != types.len() {
        let message = format!(
            "the state has {} key columns, and {} keys are given; give key=VALUE for each",
            types.len(),
            keys.len()
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    let keys = keys.into_iter().zip(types).map(|(key, of)| {
        let text = StringArray::from(vec![key.clone()]);
        let value = cast(&text, &of).ok().filter(|it| !it.is_null(0));
        value.ok_or_else(|| {
            let message = format!("`{key}` is no value of a key of the type {of}");
            Error::new(ErrorKind::Config, message)
        })
    });
    keys.collect()
}

impl Request {
    fn parse(parameters: &str) -> Result<Self> {
        let wrong = |part: &str| {
            let message = format!("`{part}`: there are key=VALUE and limit=N");
            Error::new(ErrorKind::Config, message)
        };
        let mut request = Self::default();
        for part in parameters.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("key", value)) => request.keys.push(decoded(value)),
                Some(("limit", value)) => {
                    request.limit = Some(value.parse().map_err(|_| wrong(part))?);
                }
                _ => return Err(wrong(part)),
            }
        }
        Ok(request)
    }
}

/// Replaces `+` and `%41` by the bytes that they stand for.
fn decoded(text: &str) -> String {
    let (bytes, mut at) = (text.as_bytes(), 0);
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).and_then(|code| {
            let code = std::str::from_utf8(code).ok()?;
            u8::from_str_radix(code, 16).ok()
        });
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_keys_and_a_limit() {
        let request = Request::parse("key=to+be&key=%C3%A9%2&limit=7").unwrap();
        assert_eq!(request.keys, ["to be", "é%2"]);
        assert_eq!(request.limit, Some(7));
        assert_eq!(Request::parse("").unwrap(), Request::default());
        for wrong in ["limit=x", "keys=1", "key"] {
            let error = Request::parse(wrong).unwrap_err();
            assert!(
                error.message().starts_with(&format!("`{wrong}`")),
                "{error}"
            );
        }
    }
}
