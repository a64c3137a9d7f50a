//! A table: its columns, how it is created, and which query writes to it.
#![forbid(unsafe_code)]

use keymill::stream::SinkContext;
use keymill::{Error, ErrorKind, Result};
use scylla::client::session::Session;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency, SerialConsistency};

use super::failure::failed;
use super::values::type_of;
use crate::upsert::is_added;

/// The table of the queries that write to a keyspace.
const WRITERS: &str = "keymill_writers";

/// The key of rows that are only added.
const ID: &str = "keymill_id";

/// A table, and the columns that results have in it.
pub(super) struct Table {
    keyspace: String,
    name: String,
    /// Whether rows have an id of their own instead of a key.
    pub(super) has_id: bool,
    columns: Vec<Column>,
}

/// A column of a table.
#[derive(PartialEq)]
struct Column {
    name: String,
    of: String,
    is_key: bool,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Columns, for a message.
fn described(columns: &[Column]) -> String {
    listed(columns.iter().map(|it| {
        let key = if it.is_key { " (key)" } else { "" };
        format!("{} {}{key}", it.name, it.of)
    }))
}

impl Table {
    /// A table of a keyspace; `None` if a name is no name.
    pub(super) fn new(keyspace: &str, name: &str) -> Option<Self> {
        let is_name = |name: &str| {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            !name.is_empty() && name.len() <= 48 && name.bytes().all(is_word)
        };
        let is_ours = is_name(keyspace) && is_name(name) && name != WRITERS;
        is_ours.then(|| Self {
            keyspace: keyspace.to_owned(),
            name: name.to_owned(),
            has_id: false,
            columns: Vec::new(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.keyspace), quoted(name))
    }

    /// The statement that writes a row: its values, and then its timestamp.
    pub(super) fn insert(&self, ttl: u32) -> String {
        let names = listed(self.columns.iter().map(|it| quoted(&it.name)));
        let marks = listed(self.columns.iter().map(|_| "?".to_owned()));
        let name = self.full_name(&self.name);
        let ttl = match ttl {
            0 => String::new(),
            seconds => format!(" AND TTL {seconds}"),
        };
        format!("INSERT INTO {name} ({names}) VALUES ({marks}) USING TIMESTAMP ?{ttl}")
    }

    fn create(&self) -> String {
        let columns = self.columns.iter();
        let columns = listed(columns.map(|it| format!("{} {}", quoted(&it.name), it.of)));
        let keys = self.columns.iter().filter(|it| it.is_key);
        let keys = listed(keys.map(|it| quoted(&it.name)));
        let name = self.full_name(&self.name);
        format!("CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY (({keys})))")
    }

    /// Takes the columns of the results.
    pub(super) fn set_columns(&mut self, context: &SinkContext) -> Result<()> {
        self.has_id = is_added(context);
        let fields = context.schema.fields().iter().enumerate();
        let columns = fields.map(|(index, field)| Column {
            name: field.name().clone(),
            of: type_of(field.data_type()).to_owned(),
            is_key: !self.has_id && index < context.key_columns,
        });
        let id = self.has_id.then(|| Column {
            name: ID.to_owned(),
            of: "text".to_owned(),
            is_key: true,
        });
        self.columns = id.into_iter().chain(columns).collect();
        let ids = self.columns.iter().filter(|it| it.name == ID).count();
        if ids > usize::from(self.has_id) {
            let message =
                format!("a column cannot be named `{ID}`, the key of rows that are only added");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }

    /// Creates the keyspace if it is missing, with this number of replicas in each data centre.
    pub(super) async fn create_keyspace(
        &self,
        session: &Session,
        at: &str,
        replicas: usize,
    ) -> Result<()> {
        let name = quoted(&self.keyspace);
        let class = "'class': 'NetworkTopologyStrategy'";
        let create = format!(
            "CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {{{class}, 'replication_factor': {replicas}}}"
        );
        run(session, at, create, ()).await.map(|_| ())
    }

    /// Creates the table if it is missing, and checks its columns.
    pub(super) async fn prepare(&self, session: &Session, at: &str) -> Result<()> {
        if self.found(session, at, &self.name).await?.is_empty() {
            let created = run(session, at, self.create(), ()).await;
            created.map_err(|error| self.not_created(at, error))?;
        }
        // Another query may have created it meanwhile.
        self.check(session, at).await
    }

    fn not_created(&self, at: &str, error: Error) -> Error {
        if error.kind() != ErrorKind::Sink {
            return error;
        }
        let message = format!(
            "`{at}` cannot be created; if the keyspace `{}` is not there, create it, or let it be created with \
             the setting replication=3",
            self.keyspace
        );
        Error::new(ErrorKind::Sink, message).with_source(error)
    }

    /// Whether the table has the columns of the results, and no other key.
    pub(super) async fn check(&self, session: &Session, at: &str) -> Result<()> {
        let found = self.found(session, at, &self.name).await?;
        let keys = |columns: &[Column]| columns.iter().filter(|it| it.is_key).count();
        let has_all = self.columns.iter().all(|it| found.contains(it));
        if has_all && keys(&found) == keys(&self.columns) {
            return Ok(());
        }
        let message = match found.is_empty() {
            true => format!("the table `{at}` is not there any more"),
            false => format!(
                "`{at}` has other columns than the results: it has {}, and the results have {}; name \
                 another table",
                described(&found),
                described(&self.columns)
            ),
        };
        Err(Error::new(ErrorKind::Sink, message))
    }

    /// The columns that a table has; none if it is not there.
    async fn found(&self, session: &Session, at: &str, table: &str) -> Result<Vec<Column>> {
        let select = "SELECT column_name, type, kind FROM system_schema.columns \
                      WHERE keyspace_name = ? AND table_name = ?";
        let answer = run(session, at, select, (&self.keyspace, table)).await?;
        let rows = answer.into_rows_result().map_err(|cause| odd(at, cause))?;
        let rows = rows.rows::<(String, String, String)>();
        let rows = rows.map_err(|cause| odd(at, cause))?;
        let columns = rows.map(|row| {
            let (name, of, kind) = row.map_err(|cause| odd(at, cause))?;
            let is_key = kind == "partition_key" || kind == "clustering";
            Ok(Column { name, of, is_key })
        });
        columns.collect()
    }

    /// Registers a query as the writer of the table, unless there is one. Returns the writer, and the timestamp
    /// of its first epoch.
    pub(super) async fn claim(
        &self,
        session: &Session,
        at: &str,
        query: &str,
        now: i64,
    ) -> Result<(String, i64)> {
        let writers = self.full_name(WRITERS);
        if self.found(session, at, WRITERS).await?.is_empty() {
            let columns = "place text PRIMARY KEY, query text, base bigint";
            let create = format!("CREATE TABLE IF NOT EXISTS {writers} ({columns})");
            run(session, at, create, ()).await?;
        }
        let insert =
            format!("INSERT INTO {writers} (place, query, base) VALUES (?, ?, ?) IF NOT EXISTS");
        let mut insert = Statement::new(insert);
        insert.set_serial_consistency(Some(SerialConsistency::Serial));
        run(session, at, insert, (&self.name, query, now)).await?;
        let select = format!("SELECT query, base FROM {writers} WHERE place = ?");
        let mut select = Statement::new(select);
        select.set_consistency(Consistency::Serial);
        let answer = run(session, at, select, (&self.name,)).await?;
        let rows = answer.into_rows_result().map_err(|cause| odd(at, cause))?;
        rows.single_row().map_err(|cause| odd(at, cause))
    }
}

async fn run(
    session: &Session,
    at: &str,
    statement: impl Into<Statement>,
    values: impl SerializeRow,
) -> Result<QueryResult> {
    let done = session.query_unpaged(statement, values).await;
    done.map_err(|cause| failed(at, cause))
}

/// The error of an answer that has another form than it should.
fn odd(at: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = format!("`{at}` gives an answer of another form than Cassandra's");
    Error::new(ErrorKind::Sink, message).with_source(cause)
}
