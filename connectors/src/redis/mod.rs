//! Hashes of Redis.
//!
//! ```text
//! PREFIX:ID ─▶ { count: "3", keymill:epoch: "8" }
//! ```
//!
//! A script of Redis writes each hash only if the epoch that is there is not later. The key
//! `keymill:query:PREFIX` has the query that writes.
#![forbid(unsafe_code)]

use std::time::Duration;

use keymill::stream::SinkContext;
use keymill::{Error, ErrorKind, Result};
use redis::{
    Client, ClientTlsConfig, Cmd, Connection, FromRedisValue, IntoConnectionInfo, RedisError,
    TlsCertificates,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::settings::Settings;
use crate::trust::refused;
use crate::upsert::{Place, Refused, Rows, SHARED, Store, UpsertSink, texts};

const FORM: &str = "redis://HOST:PORT/PREFIX or rediss://HOST:PORT/PREFIX for TLS";

/// The field with the epoch.
const EPOCH: &str = "keymill:epoch";

/// KEYS: the hashes. ARGV: the epoch, the time to live in milliseconds or 0, how many fields, their names, and
/// then the values of each hash: `=` and the text, or nothing for a null. Returns the hashes that are later.
const SCRIPT: &str = r"
local epoch, ttl, fields = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at, later = 3 + fields, {}
for _, key in ipairs(KEYS) do
  local there = redis.call('HGET', key, 'keymill:epoch')
  if there and tonumber(there) > epoch then
    later[#later + 1] = key
  else
    local set, gone = {'keymill:epoch', ARGV[1]}, {}
    for field = 1, fields do
      local name, value = ARGV[3 + field], ARGV[at + field]
      if value == '' then
        gone[#gone + 1] = name
      else
        set[#set + 1] = name
        set[#set + 1] = string.sub(value, 2)
      end
    end
    redis.call('HSET', key, unpack(set))
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
    if ttl > 0 then redis.call('PEXPIRE', key, ttl) end
  end
  at = at + fields
end
return later
";

/// Writes a hash for each row: its key is `PREFIX:ID`, its fields are the columns that are not the key. A null
/// has no field.
pub type RedisSink = UpsertSink<Redis>;

/// Hashes of a Redis server.
pub struct Redis {
    place: Place,
    client: Client,
    ttl: Duration,
    connection: Option<Connection>,
}

impl UpsertSink<Redis> {
    /// Writes to `redis://HOST:PORT/PREFIX`, or `rediss://HOST:PORT/PREFIX` with TLS, with the settings of
    /// [`UpsertSink`] and
    ///
    /// | setting | meaning |
    /// |---|---|
    /// | `database` | the number of the database: 0 |
    /// | `ttl.seconds` | a hash that is not written for so long is removed; without it hashes stay |
    /// | `tls.ca` | the authorities that are trusted instead of those of the system |
    /// | `tls.cert`, `tls.key` | the certificate of this client and its key |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL or a setting is wrong.
    pub fn new(url: &str, mut settings: Settings) -> Result<Self> {
        let place = Place::new(url, FORM, 6379, &mut settings)?;
        let ttl = settings.whole("ttl.seconds")?.unwrap_or(0);
        let database = settings.whole("database")?.unwrap_or(0);
        let tls = certificates(&mut settings)?;
        let client = client(&place, url.starts_with("rediss:"), database, tls);
        let client = client.map_err(|cause| {
            let message = format!(
                "`{}` cannot be reached with these settings",
                place.describe()
            );
            Error::new(ErrorKind::Config, message).with_source(cause)
        })?;
        let redis = Redis {
            place,
            client,
            ttl: Duration::from_secs(ttl),
            connection: None,
        };
        Self::to(
            redis,
            settings,
            &format!("{SHARED}, database, ttl.seconds, tls.ca, tls.cert, tls.key"),
        )
    }
}

/// The settings of TLS.
fn certificates(settings: &mut Settings) -> Result<Option<TlsCertificates>> {
    let root_cert = settings.bytes_of_file("tls.ca")?;
    // The client would take such a file, and trust no server.
    let has_none = |pem: &[u8]| !CertificateDer::pem_slice_iter(pem).any(|it| it.is_ok());
    if root_cert.as_deref().is_some_and(has_none) {
        let message = "the file that `tls.ca` names has no certificates in PEM";
        return Err(Error::new(ErrorKind::Config, message));
    }
    let client_tls = settings.identity()?;
    let client_tls = client_tls.map(|(client_cert, client_key)| ClientTlsConfig {
        client_cert,
        client_key,
    });
    let is_default = root_cert.is_none() && client_tls.is_none();
    Ok((!is_default).then_some(TlsCertificates {
        client_tls,
        root_cert,
    }))
}

fn client(
    place: &Place,
    is_tls: bool,
    database: u64,
    tls: Option<TlsCertificates>,
) -> std::result::Result<Client, RedisError> {
    // Not by a URL with a password, which messages would show.
    let scheme = if is_tls { "rediss" } else { "redis" };
    let info = format!("{scheme}://{}", place.address).into_connection_info()?;
    let mut login = info
        .redis_settings()
        .clone()
        .set_db(i64::try_from(database).unwrap_or(i64::MAX));
    if let Some(user) = place.user.as_deref().filter(|it| !it.is_empty()) {
        login = login.set_username(user);
    }
    if let Some(password) = &place.password {
        login = login.set_password(password);
    }
    let info = info.set_redis_settings(login);
    match tls {
        None => Client::open(info),
        Some(tls) => Client::build_with_tls(info, tls),
    }
}

impl Redis {
    fn connection(&mut self) -> Result<&mut Connection> {
        if self.connection.is_none() {
            let timeout = self.place.timeout;
            let connected = self.client.get_connection_with_timeout(timeout);
            let connected = connected.and_then(|it| {
                it.set_read_timeout(Some(timeout))?;
                it.set_write_timeout(Some(timeout))?;
                Ok(it)
            });
            let connected = connected.map_err(|cause| self.failed(cause))?;
            self.connection = Some(connected);
        }
        let none = || Error::new(ErrorKind::Internal, "no connection to Redis");
        self.connection.as_mut().ok_or_else(none)
    }

    /// Runs a command. After an error the next one has a new connection.
    fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T> {
        let answer = command.query(self.connection()?);
        answer.map_err(|cause| {
            self.connection = None;
            self.failed(cause)
        })
    }

    fn failed(&self, cause: RedisError) -> Error {
        let place = self.place.describe();
        let code = cause.code().unwrap_or_default().to_owned();
        let waits = [
            "LOADING",
            "BUSY",
            "TRYAGAIN",
            "MASTERDOWN",
            "CLUSTERDOWN",
            "READONLY",
            "OOM",
            "MISCONF",
        ];
        if matches!(code.as_str(), "WRONGPASS" | "NOAUTH" | "NOPERM")
            || cause.kind() == redis::ErrorKind::AuthenticationFailed
        {
            let message = format!("`{place}` does not accept the user and password");
            return Error::new(ErrorKind::Sink, message).with_source(cause);
        }
        if let Some(says) = refused(&cause) {
            let message = format!("`{place}` {says}");
            return Error::new(ErrorKind::Sink, message).with_source(cause);
        }
        let passes = cause.is_io_error()
            || cause.is_timeout()
            || cause.is_connection_dropped()
            || waits.contains(&code.as_str());
        let kind = if passes {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Sink
        };
        let message = format!("`{place}` does not take results");
        Error::new(kind, message).with_source(cause)
    }

    fn key(&self, id: &str) -> String {
        format!("{}:{id}", self.place.name)
    }
}

impl Store for Redis {
    fn describe(&self) -> String {
        self.place.describe()
    }

    fn claim(&mut self, context: &SinkContext) -> Result<String> {
        let mut names = context.schema.fields().iter().map(|it| it.name().as_str());
        if names.any(|name| name == EPOCH) {
            let message =
                format!("a column cannot be named `{EPOCH}`, a field that every hash has");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let owner = format!("keymill:query:{}", self.place.name);
        let _: i64 = self.run(redis::cmd("SETNX").arg(&owner).arg(&context.query))?;
        self.run(redis::cmd("GET").arg(&owner))
    }

    fn write(&mut self, rows: &Rows<'_>) -> Result<Vec<Refused>> {
        let columns = rows
            .values()
            .map(|it| rows.plain(it))
            .collect::<Result<Vec<_>>>()?;
        let columns = columns.iter().map(texts).collect::<Result<Vec<_>>>()?;
        let mut script = redis::cmd("EVAL");
        script.arg(SCRIPT).arg(rows.ids.len());
        for id in &rows.ids {
            script.arg(self.key(id));
        }
        let ttl = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        script.arg(rows.epoch).arg(ttl).arg(columns.len());
        for column in rows.values() {
            script.arg(rows.name(column));
        }
        for row in 0..rows.ids.len() {
            for column in &columns {
                match &column[row] {
                    Some(text) => script.arg([b"=", &text[..]].concat()),
                    None => script.arg(""),
                };
            }
        }
        let later: Vec<String> = self.run(&script)?;
        match later.first() {
            None => Ok(Vec::new()),
            Some(key) => {
                let message = format!(
                    "`{}` has a later version of `{key}` than epoch {}: another query or another \
                     checkpoint writes there; name another prefix, or delete these keys",
                    self.place.describe(),
                    rows.epoch
                );
                Err(Error::new(ErrorKind::Sink, message))
            }
        }
    }
}
