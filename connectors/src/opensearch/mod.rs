//! An index of OpenSearch or Elasticsearch.
//!
//! ```text
//! POST /INDEX/_bulk:  {"index":{"_id":ID,"version":EPOCH+1,"version_type":"external_gte"}}
//!                     {"site":"a","sum(count)":3}
//! ```
//!
//! The store takes a document if its version is the same as that of the old document, or later. The query that writes to
//! an index is in the `_meta` of its mapping.
#![forbid(unsafe_code)]

use arrow_schema::{DataType, Field};
use keymill::stream::SinkContext;
use keymill::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use ureq::http::{Method, StatusCode};

use crate::settings::Settings;
use crate::upsert::{Place, REST, Refused, Rest, Rows, SHARED, Store, UpsertSink};

const FORM: &str = "opensearch://HOST:PORT/INDEX or elasticsearch://HOST:PORT/INDEX";

/// What the answer says if the index that is created is there.
const IS_THERE: &str = "resource_already_exists_exception";

/// The longest id, in bytes. A longer one fails all documents of a request.
const LONGEST_ID: usize = 512;

/// The part of `_meta` that is ours.
const OWN: &str = "keymill";

/// Writes a document for each row: its id is the key, its fields are the columns.
///
/// An index that is not there is created: columns of text are `keyword`, integers `long`, counts `unsigned_long`,
/// floats `double`.
pub type OpenSearchSink = UpsertSink<OpenSearch>;

/// An index of OpenSearch or Elasticsearch.
pub struct OpenSearch {
    rest: Rest,
}

impl UpsertSink<OpenSearch> {
    /// Writes to `opensearch://HOST:PORT/INDEX` or `elasticsearch://HOST:PORT/INDEX`, with the settings of
    /// [`UpsertSink`] and
    ///
    /// | setting | meaning |
    /// |---|---|
    /// | `tls` | `true`: use HTTPS |
    /// | `tls.ca` | use HTTPS, and trust the authorities in this file |
    /// | `tls.cert`, `tls.key` | use HTTPS, with this certificate of the client and its key |
    /// | `api.key`, `api.key.file` | sent as `Authorization: ApiKey KEY` |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL or a setting is wrong.
    pub fn new(url: &str, mut settings: Settings) -> Result<Self> {
        let place = Place::new(url, FORM, 9200, &mut settings)?;
        let name = &place.name;
        let is_allowed = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '+')
        };
        if name.starts_with(['-', '_', '+', '.']) || !name.chars().all(is_allowed) {
            let message = format!(
                "`{name}` is not the name of an index: write small letters, digits, `-`, `_`, `.` and \
                 `+`, and begin with a letter or a digit"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let rest = Rest::new(place, &mut settings)?;
        Self::to(OpenSearch { rest }, settings, &format!("{SHARED}, {REST}"))
    }
}

impl OpenSearch {
    fn path(&self, what: &str) -> String {
        format!("/{}{what}", self.rest.place.name)
    }

    /// An answer as JSON: yes, or 404.
    fn ask(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<(StatusCode, Value)> {
        let answer = self.rest.send(method, path, body)?;
        let refused = || {
            Error::new(
                ErrorKind::Sink,
                self.rest.refusal(answer.status, &answer.body),
            )
        };
        if answer.status == StatusCode::BAD_REQUEST {
            return Err(refused());
        }
        let value = serde_json::from_slice(&answer.body);
        Ok((
            answer.status,
            value.map_err(|cause| refused().with_source(cause))?,
        ))
    }

    fn create(&mut self, context: &SinkContext) -> Result<()> {
        let fields = context.schema.fields().iter();
        let fields =
            fields.filter_map(|it| Some((it.name().clone(), json!({"type": type_of(it)?}))));
        let fields: Map<String, Value> = fields.collect();
        let body = json!({"mappings": {"_meta": {OWN: context.query}, "properties": fields}});
        let path = self.path("");
        let answer = self
            .rest
            .send(&Method::PUT, &path, Some(body.to_string().as_bytes()))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let is_there = str::from_utf8(&answer.body).is_ok_and(|it| it.contains(IS_THERE));
        // An attempt whose answer was lost has created it, or another query has: look again.
        let kind = match is_there {
            true => ErrorKind::Unavailable,
            false => ErrorKind::Sink,
        };
        Err(Error::new(
            kind,
            self.rest.refusal(answer.status, &answer.body),
        ))
    }

    /// What the answer of `_bulk` says about each document.
    fn outcome(&self, rows: &Rows<'_>, sent: &[usize], answer: &Value) -> Result<Vec<Refused>> {
        let items = answer["items"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if items.len() != sent.len() {
            let message = format!(
                "`{}` answers for {} documents of {}",
                self.describe(),
                items.len(),
                sent.len()
            );
            return Err(Error::new(ErrorKind::Sink, message));
        }
        let mut refused = Vec::new();
        for (&row, item) in sent.iter().zip(items) {
            let item = &item["index"];
            let status = item["status"].as_u64().unwrap_or(0);
            let reason = || {
                let error = &item["error"];
                let kind = error["type"].as_str().unwrap_or("error");
                let because = error["caused_by"]["reason"]
                    .as_str()
                    .map(|it| format!(": {it}"));
                let reason = error["reason"].as_str().unwrap_or_default();
                format!("{kind}: {reason}{}", because.unwrap_or_default())
            };
            match status {
                200..=299 => {}
                409 => {
                    let message = format!(
                        "`{}` has a later version of the document `{}` than epoch {}: another query or \
                         another checkpoint writes there; name another index, or delete this one",
                        self.describe(),
                        rows.ids[row],
                        rows.epoch
                    );
                    return Err(Error::new(ErrorKind::Sink, message));
                }
                429 | 500..=599 => {
                    let message = format!("`{}` is too busy: {}", self.describe(), reason());
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                400 | 413 => refused.push((row, reason())),
                _ => {
                    let message = format!("`{}` answers {status}: {}", self.describe(), reason());
                    return Err(Error::new(ErrorKind::Sink, message));
                }
            }
        }
        Ok(refused)
    }
}

impl Store for OpenSearch {
    fn describe(&self) -> String {
        self.rest.place.describe()
    }

    fn claim(&mut self, context: &SinkContext) -> Result<String> {
        let mapping = self.path("/_mapping");
        let (status, found) = self.ask(&Method::GET, &mapping, None)?;
        if status == StatusCode::NOT_FOUND {
            self.create(context)?;
            return Ok(context.query.clone());
        }
        let index = found.as_object().and_then(|all| all.values().next());
        let meta = index.map(|index| index["mappings"]["_meta"].clone());
        let mut meta = match meta {
            Some(Value::Object(meta)) => meta,
            _ => Map::new(),
        };
        if let Some(writer) = meta.get(OWN).and_then(Value::as_str) {
            return Ok(writer.to_owned());
        }
        meta.insert(OWN.to_owned(), Value::from(context.query.as_str()));
        let body = json!({"_meta": meta}).to_string();
        self.ask(&Method::PUT, &mapping, Some(body.as_bytes()))?;
        Ok(context.query.clone())
    }

    fn write(&mut self, rows: &Rows<'_>) -> Result<Vec<Refused>> {
        let documents = rows.json()?;
        let (mut body, mut sent) = (Vec::with_capacity(2 * documents.len()), Vec::new());
        let mut refused = Vec::new();
        let lines = documents.split_inclusive(|&byte| byte == b'\n');
        for (row, (id, document)) in rows.ids.iter().zip(lines).enumerate() {
            if id.len() > LONGEST_ID {
                let length = id.len();
                let reason = format!(
                    "an id is too long: it has at most {LONGEST_ID} bytes, and this one {length}"
                );
                refused.push((row, reason));
                continue;
            }
            let (version, of) = (rows.version(), "external_gte");
            let head = json!({"index": {"_id": id, "version": version, "version_type": of}});
            body.extend_from_slice(head.to_string().as_bytes());
            body.push(b'\n');
            body.extend_from_slice(document);
            sent.push(row);
        }
        if sent.is_empty() {
            return Ok(refused);
        }
        let path = self.path("/_bulk?filter_path=errors,items.*.status,items.*.error");
        let (status, answer) = self.ask(&Method::POST, &path, Some(&body))?;
        if !status.is_success() {
            let message = format!("`{}` is gone: {status}", self.describe());
            return Err(Error::new(ErrorKind::Sink, message));
        }
        if answer["errors"].as_bool() != Some(false) {
            refused.extend(self.outcome(rows, &sent, &answer)?);
        }
        Ok(refused)
    }

    fn wanted_pause(&self) -> std::time::Duration {
        self.rest.wanted_pause
    }
}

/// The type of a field, where the store would guess another one from the first document.
fn type_of(field: &Field) -> Option<&'static str> {
    use DataType::{Binary, BinaryView, Boolean, LargeBinary, LargeUtf8, UInt64, Utf8, Utf8View};
    match field.data_type() {
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => Some("keyword"),
        UInt64 => Some("unsigned_long"),
        integer if integer.is_integer() => Some("long"),
        float if float.is_floating() => Some("double"),
        Boolean => Some("boolean"),
        _ => None,
    }
}
