//! Tables of Cassandra.
//!
//! ```text
//! INSERT INTO TABLE (key, values) VALUES (…) USING TIMESTAMP base + epoch
//! ```
//!
//! Of two writes of a cell the one with the later timestamp counts, in whatever order they come. So a row that is
//! written again, or after a later one, changes nothing. `base` is the time at which the query first wrote to the
//! table, because its rows may be older than the query. The table `keymill_writers` of the keyspace has the query
//! and the base of each table.
#![forbid(unsafe_code)]

mod failure;
mod table;
#[cfg_attr(not(feature = "cassandra-tls"), path = "no_tls.rs")]
mod tls;
mod values;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};
use keymill::stream::SinkContext;
use keymill::{Error, ErrorKind, Result};
use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;

use crate::runtime::{wait_at_most, wait_long};
use crate::settings::{Settings, wrong};
use crate::upsert::{Place, Refused, Rows, SHARED, Store, UpsertSink};
use failure::{failed, failed_to_connect, failed_to_prepare, refusal, untrusted};
use table::Table;
use tls::{TLS, Tls};
use values::{Row, values};

const FORM: &str = "cassandra://HOST:PORT/KEYSPACE/TABLE";

/// Rows that are on their way at the same time.
const AT_ONCE: usize = 256;

/// How long connecting may take at least, with the creation of a table.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest time to live that Cassandra has, in seconds: 20 years.
const LONGEST_TTL: u64 = 630_720_000;

/// Writes each row to a table, where it replaces the one with the same primary key.
///
/// A table that is not there is created; its partition key is the key columns. The columns of an existing
/// table are checked. The keyspace must be there, unless `replication` is set.
pub type CassandraSink = UpsertSink<Cassandra>;

/// A table of Cassandra.
pub struct Cassandra {
    place: Place,
    table: Table,
    consistency: Consistency,
    /// The time to live in seconds, or 0.
    ttl: u32,
    /// How many replicas a keyspace gets that is created; without it none is created.
    replication: Option<usize>,
    tls: Option<Tls>,
    connection: Option<Arc<Connection>>,
    /// The timestamp of epoch 0, in microseconds since 1970.
    base: i64,
}

struct Connection {
    session: Session,
    insert: PreparedStatement,
}

impl UpsertSink<Cassandra> {
    /// Writes to `cassandra://HOST:PORT/KEYSPACE/TABLE`, with the settings of [`UpsertSink`] and
    ///
    /// | setting | meaning |
    /// |---|---|
    /// | `consistency` | which replicas must have a row: `local_quorum`, `quorum`, `each_quorum`, `all` or `local_one` |
    /// | `replication` | creates a missing keyspace, with this number of replicas in each data centre |
    /// | `ttl.seconds` | a row that is not written for so long is removed; without it rows stay |
    ///
    /// and with the feature `cassandra-tls`
    ///
    /// | setting | meaning |
    /// |---|---|
    /// | `tls` | `true`: with TLS; so do the settings below |
    /// | `tls.ca` | the certificates of nodes come from one of these, not from one of the system's |
    /// | `tls.cert`, `tls.key` | the certificate of this client and its key |
    /// | `tls.key.password`, `tls.key.password.file` | the password of the key |
    /// | `tls.check.name` | `false`: the certificate of a node need not be for its IP address |
    ///
    /// HOST:PORT may be several, separated by commas: the first nodes that are asked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL or a setting is wrong.
    pub fn new(url: &str, mut settings: Settings) -> Result<Self> {
        let wrong_url = || {
            let message = format!("this is not the URL of a table; write {FORM}");
            Error::new(ErrorKind::Config, message)
        };
        let (place, table) = url.rsplit_once('/').ok_or_else(wrong_url)?;
        let place = Place::new(place, FORM, 9042, &mut settings)?;
        let cassandra = Cassandra {
            table: Table::new(&place.name, table).ok_or_else(wrong_url)?,
            place,
            consistency: consistency(&mut settings)?,
            ttl: ttl(&mut settings)?,
            replication: replication(&mut settings)?,
            tls: Tls::new(&mut settings)?,
            connection: None,
            base: 0,
        };
        let known = format!("{SHARED}, consistency, replication, ttl.seconds{TLS}");
        Self::to(cassandra, settings, &known)
    }
}

fn consistency(settings: &mut Settings) -> Result<Consistency> {
    const KNOWN: &str = "local_quorum, quorum, each_quorum, all or local_one";
    let Some(name) = settings.take("consistency") else {
        return Ok(Consistency::LocalQuorum);
    };
    Ok(match name.to_lowercase().as_str() {
        "local_quorum" => Consistency::LocalQuorum,
        "quorum" => Consistency::Quorum,
        "each_quorum" => Consistency::EachQuorum,
        "all" => Consistency::All,
        "local_one" => Consistency::LocalOne,
        _ => return Err(wrong("consistency", &name, KNOWN)),
    })
}

fn replication(settings: &mut Settings) -> Result<Option<usize>> {
    match settings.number("replication", usize::MAX)? {
        usize::MAX => Ok(None),
        replicas => Ok(Some(replicas)),
    }
}

fn ttl(settings: &mut Settings) -> Result<u32> {
    let seconds = settings.whole("ttl.seconds")?.unwrap_or(0);
    let ttl = u32::try_from(seconds).ok();
    let ttl = ttl.filter(|_| seconds <= LONGEST_TTL);
    let known = format!("at most {LONGEST_TTL}, which are 20 years");
    ttl.ok_or_else(|| wrong("ttl.seconds", &seconds.to_string(), &known))
}

impl Cassandra {
    /// Connects, creates or checks the table, and registers the query.
    async fn connect(&mut self, context: &SinkContext) -> Result<String> {
        let at = self.describe();
        self.table.set_columns(context)?;
        let session = self.session().await?;
        if let Some(replicas) = self.replication {
            self.table.create_keyspace(&session, &at, replicas).await?;
        }
        self.table.prepare(&session, &at).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX / 2);
        let (writer, base) = self.table.claim(&session, &at, &context.query, now).await?;
        let insert = session.prepare(self.table.insert(self.ttl)).await;
        let mut insert = insert.map_err(|cause| failed_to_prepare(&at, cause))?;
        insert.set_consistency(self.consistency);
        // The timestamp makes it safe to try again.
        insert.set_is_idempotent(true);
        self.base = base;
        self.connection = Some(Arc::new(Connection { session, insert }));
        Ok(writer)
    }

    async fn session(&self) -> Result<Session> {
        let timeout = self.place.timeout;
        let profile = ExecutionProfile::builder().request_timeout(Some(timeout));
        let mut builder = SessionBuilder::new()
            .known_nodes(self.place.address.split(','))
            .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
            .connection_timeout(timeout)
            .fetch_schema_metadata(false)
            .default_execution_profile_handle(profile.build().into_handle());
        if let Some(user) = &self.place.user {
            builder = builder.user(user, self.place.password.as_deref().unwrap_or_default());
        }
        if let Some(tls) = &self.tls {
            builder = tls.secure(builder);
        }
        let session = builder.build().await;
        let why = self.tls.as_ref().and_then(Tls::refusal);
        session.map_err(|cause| match why {
            Some(why) => untrusted(&self.describe(), why),
            None => failed_to_connect(&self.describe(), cause),
        })
    }
}

impl Connection {
    /// Writes rows, many at the same time. Returns those that the server does not take.
    async fn write(&self, at: &str, rows: Vec<Row>) -> Result<Vec<Refused>> {
        let writes = rows.into_iter().map(|(number, row)| async move {
            match self.session.execute_unpaged(&self.insert, row).await {
                Ok(_) => Ok(None),
                Err(cause) => match refusal(&cause) {
                    Some(why) => Ok(Some((number, why))),
                    None => Err(failed(at, cause)),
                },
            }
        });
        let mut writes = stream::iter(writes).buffer_unordered(AT_ONCE);
        let mut refused = Vec::new();
        while let Some(written) = writes.next().await {
            refused.extend(written?);
        }
        Ok(refused)
    }
}

impl Store for Cassandra {
    fn describe(&self) -> String {
        format!("{}/{}", self.place.describe(), self.table.name())
    }

    fn claim(&mut self, context: &SinkContext) -> Result<String> {
        // The client waits without a limit for a server that accepts a connection and then says nothing.
        let most = self.place.timeout.max(CONNECT);
        wait_at_most(most, &self.describe(), self.connect(context))
    }

    fn write(&mut self, rows: &Rows<'_>) -> Result<Vec<Refused>> {
        let not_claimed = || Error::new(ErrorKind::Internal, "the sink was not started");
        let connection = self.connection.clone().ok_or_else(not_claimed)?;
        let timestamp = self.base.saturating_add_unsigned(rows.epoch);
        let (taken, mut refused) = values(rows, self.table.has_id, timestamp)?;
        let at = self.describe();
        let by_server = wait_long(connection.write(&at, taken))?;
        if !by_server.is_empty() {
            // A table that was dropped or changed refuses every row.
            wait_long(self.table.check(&connection.session, &at))?;
            refused.extend(by_server);
            refused.sort_unstable();
        }
        Ok(refused)
    }
}
