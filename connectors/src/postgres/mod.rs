//! A table of a PostgreSQL database.
#![forbid(unsafe_code)]

mod failure;

use std::time::Duration;

use keymill::{Error, ErrorKind, Result};
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls};

use crate::sql::{Cell, Database, EPOCHS, SqlColumn, SqlSink, SqlType, Table, list, quoted};
use failure::{failed, is_lost};

/// How long a server may take to answer a connection, if the URL does not say.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may be silent before the connection is lost, if the URL does not say.
const SILENT: Duration = Duration::from_secs(30);

/// The first release whose unique indexes can take nulls for equal.
const OLDEST: i32 = 150_000;

/// The bytes of the longest name. The server cuts longer ones.
const LONGEST: usize = 63;

/// A number that only sinks use, so that they create tables one after the other.
const CREATE_LOCK: i64 = 0x6b65_796d_696c_6c00;

/// A table of a PostgreSQL database, of PostgreSQL 15 or later.
///
/// ```no_run
/// use keymill::prelude::*;
/// use keymill::stream::{FolderSource, sum};
/// use keymill_connectors::PostgresSink;
///
/// Engine::new()?
///     .stream(FolderSource::new("logs"))
///     .tokenize(whitespace())
///     .count_by_key()
///     .update_state(sum())
///     .sink(PostgresSink::new("postgres://ann@localhost:5432/shop")?.table("words"))
///     .checkpoint("checkpoint")
///     .run()?;
/// # Ok::<(), keymill::Error>(())
/// ```
///
/// The connection is not encrypted. When it is lost the query pauses and connects again. Text that is
/// not UTF-8, or that contains a zero byte, cannot be written, and ends the query.
pub type PostgresSink = SqlSink<Postgres>;

/// A PostgreSQL database.
pub struct Postgres {
    name: String,
    config: Config,
    client: Option<Client>,
    /// Whether a transaction was begun on the connection.
    is_open: bool,
}

impl SqlSink<Postgres> {
    /// Writes to a database: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with the options of
    /// [`Config`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is not such a URL.
    pub fn new(url: &str) -> Result<Self> {
        let mut config: Config = url.parse().map_err(|cause| {
            // Without the URL, which may have a password.
            let message = "not a PostgreSQL URL; write postgres://USER@HOST:PORT/DATABASE";
            Error::new(ErrorKind::Config, message).with_source(postgres_error(cause))
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENT);
        }
        if config.get_application_name().is_none() {
            config.application_name("keymill");
        }
        Ok(Self::to(Postgres {
            name: shown(&config),
            config,
            client: None,
            is_open: false,
        }))
    }
}

/// The address without user and password.
fn shown(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        postgres::config::Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        postgres::config::Host::Unix(folder) => folder.display().to_string(),
    });
    let hosts: Vec<String> = hosts.collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    let port = if ports.is_empty() { "" } else { ":" };
    let database = config.get_dbname().unwrap_or_default();
    let (hosts, ports) = (hosts.join(","), ports.join(","));
    format!("postgres://{hosts}{port}{ports}/{database}")
}

/// The cause of an error, which the text of the error does not contain.
fn postgres_error(error: postgres::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let text = error.to_string();
    error.into_source().unwrap_or_else(|| text.into())
}

impl Postgres {
    fn connect(&self) -> Result<Client, postgres::Error> {
        let mut client = self.config.connect(NoTls)?;
        // A commit that a crash of the server undoes would be lost.
        client.batch_execute(
            "SET client_min_messages = warning; SET lock_timeout = '5s'; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
        )?;
        Ok(client)
    }

    /// Runs `work` on the connection, which is there from the first `begin` on.
    fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Client) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect().map_err(|cause| failed(&self.name, cause))?,
        };
        let client = self.client.insert(client);
        let done = work(client);
        let is_lost = client.is_closed() || done.as_ref().is_err_and(is_lost);
        if is_lost {
            self.client = None;
            self.is_open = false;
        }
        done.map_err(|cause| failed(&self.name, cause))
    }

    fn check_version(&mut self) -> Result<()> {
        let version = self.run(|client| {
            let sql = "SELECT current_setting('server_version_num')::int";
            client.query_one(sql, &[])?.try_get::<_, i32>(0)
        })?;
        if version >= OLDEST {
            return Ok(());
        }
        let message = format!(
            "`{}` is PostgreSQL {}; running totals need PostgreSQL 15 or later, which can keep \
             keys that are null unique",
            self.name,
            version / 10_000
        );
        Err(Error::new(ErrorKind::Sink, message))
    }

    fn check_names(&self, table: &Table) -> Result<()> {
        let columns = table.columns.iter().map(|column| column.name.clone());
        let (schema, _) = table.parts();
        let mut names = columns
            .chain(schema.map(str::to_owned))
            .chain([table.index_name()]);
        match names.find(|name| name.len() > LONGEST) {
            Some(long) => {
                let message =
                    format!("`{long}` is longer than a PostgreSQL name of {LONGEST} bytes");
                Err(Error::new(ErrorKind::Config, message))
            }
            None => Ok(()),
        }
    }
}

impl Database for Postgres {
    const HAS_SCHEMAS: bool = true;

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn begin(&mut self) -> Result<()> {
        let begin = if self.is_open {
            "ROLLBACK; BEGIN"
        } else {
            "BEGIN"
        };
        self.run(|client| client.batch_execute(begin))?;
        self.is_open = true;
        Ok(())
    }

    fn create(&mut self, table: &Table) -> Result<()> {
        self.check_names(table)?;
        if table.is_keyed {
            self.check_version()?;
        }
        let found = self.run(|client| {
            client.execute("SELECT pg_advisory_xact_lock($1)", &[&CREATE_LOCK])?;
            client.batch_execute(&format!(
                "CREATE TABLE IF NOT EXISTS {EPOCHS} \
                 (target text PRIMARY KEY, query text NOT NULL, epoch bigint)"
            ))?;
            let columns = "SELECT attname::text, format_type(atttypid, atttypmod) \
                 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 \
                 AND NOT attisdropped ORDER BY attnum";
            let rows = client.query(columns, &[&table.quoted()])?;
            let columns = rows
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            columns.collect::<Result<Vec<(String, String)>, postgres::Error>>()
        })?;
        if found.is_empty() {
            let create = table.create(type_name);
            self.run(|client| client.batch_execute(&create))?;
        } else {
            table.check(&found, type_name, |column, of| {
                let of = of.split('(').next().unwrap_or_default();
                of == type_name(column) || (of, column.of) == ("character varying", SqlType::Text)
            })?;
        }
        if table.is_keyed {
            let create = table.create_index(" NULLS NOT DISTINCT");
            self.run(|client| client.batch_execute(&create))?;
        }
        Ok(())
    }

    fn claim(&mut self, table: &Table, query: &str) -> Result<(String, Option<i64>)> {
        // The lock waits for a transaction of ours that the server has not ended yet.
        let claim = format!("INSERT INTO {EPOCHS} VALUES ($1, $2, NULL) ON CONFLICT DO NOTHING");
        let read = format!("SELECT query, epoch FROM {EPOCHS} WHERE target = $1 FOR UPDATE");
        self.run(|client| {
            client.execute(&claim, &[&table.name, &query])?;
            let row = client.query_one(&read, &[&table.name])?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
    }

    fn write(&mut self, table: &Table, columns: &[Vec<Cell<'_>>]) -> Result<()> {
        let arrays = table.columns.iter().zip(columns);
        let arrays = arrays.map(|(column, cells)| array(column, cells));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let arrays: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|it| &**it as _).collect();
        let statement = statement(table);
        self.run(|client| client.execute(&statement, &arrays))?;
        Ok(())
    }

    fn note(&mut self, table: &Table, epoch: i64) -> Result<()> {
        let note = format!("UPDATE {EPOCHS} SET epoch = $1 WHERE target = $2");
        self.run(|client| client.execute(&note, &[&epoch, &table.name]))?;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.run(|client| client.batch_execute("COMMIT"))?;
        self.is_open = false;
        Ok(())
    }
}

/// Writes all rows of a batch, whose columns are arrays.
fn statement(table: &Table) -> String {
    let numbered = || table.columns.iter().zip(1..);
    let arrays = list(numbered().map(|(column, n)| format!("${n}::{}[]", array_of(column))));
    let names = list(numbered().map(|(_, n)| format!("c{n}")));
    let values = list(numbered().map(|(column, n)| format!("c{n}::{}", type_name(column))));
    let (name, columns) = (table.quoted(), table.column_list());
    let insert = format!(
        "INSERT INTO {name} ({columns}) SELECT {values} FROM unnest({arrays}) AS rows({names})"
    );
    if !table.is_keyed {
        return insert;
    }
    let keys = list(table.keys().iter().map(|it| quoted(&it.name)));
    let changes = table.values().iter().map(|it| {
        let name = quoted(&it.name);
        format!("{name} = EXCLUDED.{name}")
    });
    let change = match table.values() {
        [] => "DO NOTHING".to_owned(),
        _ => format!("DO UPDATE SET {}", list(changes)),
    };
    format!("{insert} ON CONFLICT ({keys}) {change}")
}

/// The cells of a column as one parameter.
fn array<'a>(column: &SqlColumn, cells: &'a [Cell<'_>]) -> Result<Box<dyn ToSql + Sync + 'a>> {
    Ok(match column.of {
        SqlType::Integer => boxed(cells, |cell| match cell {
            Cell::Integer(value) => Some(*value),
            _ => None,
        }),
        SqlType::Float => boxed(cells, |cell| match cell {
            Cell::Float(value) => Some(*value),
            _ => None,
        }),
        SqlType::Boolean => boxed(cells, |cell| match cell {
            Cell::Boolean(value) => Some(*value),
            _ => None,
        }),
        _ => {
            let texts = cells.iter().map(|cell| text(column, cell));
            Box::new(texts.collect::<Result<Vec<_>>>()?)
        }
    })
}

fn boxed<'a, T: ToSql + Sync + 'a>(
    cells: &'a [Cell<'_>],
    value: impl Fn(&'a Cell<'_>) -> Option<T>,
) -> Box<dyn ToSql + Sync + 'a> {
    Box::new(cells.iter().map(value).collect::<Vec<_>>())
}

fn text<'a>(column: &SqlColumn, cell: &'a Cell<'_>) -> Result<Option<&'a str>> {
    let bytes = match cell {
        Cell::Text(text) if !text.contains('\0') => return Ok(Some(text)),
        Cell::Formatted(text) => return Ok(Some(text)),
        Cell::Text(text) => text.as_bytes(),
        Cell::Bytes(bytes) => bytes,
        _ => return Ok(None),
    };
    let message = format!(
        "the value `{}` in column `{}` is not text that PostgreSQL can store: it is not UTF-8, or has \
         a zero byte; clean the input, or write to SQLite or files",
        bytes.escape_ascii(),
        column.name
    );
    Err(Error::new(ErrorKind::Sink, message))
}

/// The names of types as PostgreSQL writes them.
fn type_name(column: &SqlColumn) -> &'static str {
    match column.of {
        SqlType::Integer => "bigint",
        SqlType::Float => "double precision",
        SqlType::Boolean => "boolean",
        SqlType::Text => "text",
        SqlType::Decimal => "numeric",
        SqlType::Date => "date",
        SqlType::Timestamp { has_zone: true } => "timestamp with time zone",
        SqlType::Timestamp { has_zone: false } => "timestamp without time zone",
    }
}

/// The type in which the values of a column are sent.
fn array_of(column: &SqlColumn) -> &'static str {
    match column.of {
        SqlType::Integer | SqlType::Float | SqlType::Boolean => type_name(column),
        _ => "text",
    }
}
