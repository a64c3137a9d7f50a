//! A table of HBase, by its REST server.
//!
//! ```text
//! PUT /TABLE/rows:  row ID ─▶ FAMILY:count = "3", timestamp EPOCH+1
//! ```
//!
//! HBase shows the cell with the latest timestamp, so that an older epoch never hides a newer one. The table
//! `keymill_epochs` has the query that writes to a table.
#![forbid(unsafe_code)]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use keymill::stream::SinkContext;
use keymill::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use ureq::http::{Method, StatusCode};

use crate::settings::Settings;
use crate::upsert::{Answer, Place, REST, Refused, Rest, Rows, SHARED, Store, UpsertSink, texts};

const FORM: &str = "hbase://HOST:PORT/TABLE, with the address of its REST server";

/// The table with the query that writes to each table.
const OWNERS: &str = "keymill_epochs";

/// The longest row key of HBase.
const LONGEST_KEY: usize = 32_767;

/// Writes a row of HBase for each row: its row key is the key, its cells are the other columns as text. An
/// empty cell is a null.
pub type HBaseSink = UpsertSink<HBase>;

/// A table of HBase.
pub struct HBase {
    rest: Rest,
    family: String,
}

impl UpsertSink<HBase> {
    /// Writes to `hbase://HOST:PORT/TABLE`, with the settings of [`UpsertSink`] and
    ///
    /// | setting | meaning |
    /// |---|---|
    /// | `family` | the column family: `f`. A table that is not there is created with it |
    /// | `tls`, `tls.ca`, `tls.cert`, `tls.key` | as for OpenSearch |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL or a setting is wrong.
    pub fn new(url: &str, mut settings: Settings) -> Result<Self> {
        let place = Place::new(url, FORM, 8080, &mut settings)?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = place.name.replacen(':', "", 1);
        if !name.chars().all(is_allowed) || place.name == OWNERS {
            let message = format!(
                "`{}` cannot be the table of a sink: write letters, digits, `-`, `_` and `.`, and \
                 perhaps a namespace and `:` before the name",
                place.name
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let family = settings.take("family").unwrap_or_else(|| "f".to_owned());
        let rest = Rest::new(place, &mut settings)?;
        let known = format!("{SHARED}, {REST}, family");
        Self::to(HBase { rest, family }, settings, &known)
    }
}

impl HBase {
    /// Sends a request that must succeed.
    fn put(&mut self, path: &str, body: &Value) -> Result<()> {
        let body = body.to_string();
        let answer = self.rest.send(&Method::PUT, path, Some(body.as_bytes()))?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(self.refused(&answer)),
        }
    }

    fn refused(&self, answer: &Answer) -> Error {
        Error::new(
            ErrorKind::Sink,
            self.rest.refusal(answer.status, &answer.body),
        )
    }

    /// Creates a table with a family, if it is not there.
    fn create(&mut self, table: &str, family: &str) -> Result<()> {
        let path = format!("/{table}/schema");
        let answer = self.rest.send(&Method::GET, &path, None)?;
        if answer.status == StatusCode::NOT_FOUND {
            return self.put(
                &path,
                &json!({"name": table, "ColumnSchema": [{"name": family}]}),
            );
        }
        let schema: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let families = schema["ColumnSchema"].as_array();
        let mut families = families.into_iter().flatten().map(|it| it["name"].as_str());
        if families.any(|name| name == Some(family)) {
            return Ok(());
        }
        let message = format!(
            "the table `{table}` of `{}` has no column family `{family}`; name another one with the \
             setting family=NAME",
            self.describe()
        );
        Err(Error::new(ErrorKind::Sink, message))
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

impl Store for HBase {
    fn describe(&self) -> String {
        self.rest.place.describe()
    }

    fn claim(&mut self, context: &SinkContext) -> Result<String> {
        let (table, family) = (self.rest.place.name.clone(), self.family.clone());
        self.create(&table, &family)?;
        self.create(OWNERS, "f")?;
        let cell = format!("/{OWNERS}/{table}/f:query");
        let answer = self.rest.send(&Method::GET, &cell, None)?;
        if answer.status.is_success() {
            let found: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let writer = found["Row"][0]["Cell"][0]["$"].as_str().unwrap_or_default();
            let writer = BASE64_STANDARD.decode(writer).unwrap_or_default();
            return Ok(String::from_utf8_lossy(&writer).into_owned());
        }
        let cells = json!([{"column": base64("f:query"), "$": base64(&context.query)}]);
        self.put(
            &cell,
            &json!({"Row": [{"key": base64(&table), "Cell": cells}]}),
        )?;
        Ok(context.query.clone())
    }

    fn write(&mut self, rows: &Rows<'_>) -> Result<Vec<Refused>> {
        let arrays = rows
            .values()
            .map(|it| rows.plain(it))
            .collect::<Result<Vec<_>>>()?;
        let values = arrays.iter().map(texts).collect::<Result<Vec<_>>>()?;
        let names = rows
            .values()
            .map(|it| base64(format!("{}:{}", self.family, rows.name(it))));
        let names: Vec<String> = names.collect();
        let cell = |column: &str, value: &[u8]| json!({"column": column, "timestamp": rows.version(), "$": base64(value)});
        let (mut body, mut refused) = (Vec::new(), Vec::new());
        for (row, id) in rows.ids.iter().enumerate() {
            if id.len() > LONGEST_KEY {
                refused.push((
                    row,
                    format!(
                        "a row key has at most {LONGEST_KEY} bytes, and this one {}",
                        id.len()
                    ),
                ));
                continue;
            }
            let cells = names.iter().zip(&values);
            let cells =
                cells.map(|(name, texts)| cell(name, texts[row].as_deref().unwrap_or_default()));
            let mut cells: Vec<Value> = cells.collect();
            if cells.is_empty() {
                // A row without cells does not exist.
                cells.push(cell(&base64(format!("{}:", self.family)), b""));
            }
            body.push(json!({"key": base64(id), "Cell": cells}));
        }
        if !body.is_empty() {
            let path = format!("/{}/rows", self.rest.place.name);
            self.put(&path, &json!({ "Row": body }))?;
        }
        Ok(refused)
    }

    fn wanted_pause(&self) -> std::time::Duration {
        self.rest.wanted_pause
    }
}
