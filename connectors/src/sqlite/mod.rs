//! A table of a SQLite database.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use keymill::{Error, ErrorKind, Result, shown_name};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql, params_from_iter};

use crate::sql::{Cell, Database, EPOCHS, SqlColumn, SqlSink, SqlType, Table, list, quoted};

/// How long a locked database is waited for at a time.
const LOCKED: Duration = Duration::from_secs(2);

/// A table of a SQLite database.
///
/// ```
/// use keymill::prelude::*;
/// use keymill::stream::{MemoryStream, Trigger, sum};
/// use keymill_connectors::SqliteSink;
///
/// # let folder = std::env::temp_dir().join(format!("keymill-sqlite-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let file = folder.join("words.db");
/// let (source, input) = MemoryStream::new();
/// input.push("to be or not to be");
/// Engine::new()?
///     .stream(source)
///     .trigger(Trigger::AvailableNow)
///     .tokenize(whitespace())
///     .count_by_key()
///     .update_state(sum())
///     .sink(SqliteSink::new(&file).table("words"))
///     .run()?;
/// let database = rusqlite::Connection::open(&file).unwrap();
/// let sql = "SELECT count FROM words WHERE key = 'be'";
/// assert_eq!(database.query_row(sql, [], |row| row.get::<_, i64>(0)), Ok(2));
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), keymill::Error>(())
/// ```
///
/// Text that is not UTF-8 is a blob, in a column of type TEXT. A float that is not a number is the text
/// `NaN`. A locked or full database pauses the query.
pub type SqliteSink = SqlSink<Sqlite>;

/// A SQLite database.
pub struct Sqlite {
    file: PathBuf,
    connection: Option<Connection>,
}

impl SqlSink<Sqlite> {
    /// Writes to a database, which is created if it is not there.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self::to(Sqlite {
            file: file.into(),
            connection: None,
        })
    }
}

impl Sqlite {
    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(LOCKED)?;
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        if pages == 0 {
            // Readers of a new database do not stop its writer. The mode of others is their owner's.
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        }
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        Ok(connection)
    }

    /// Runs `work` on the connection, which is there from the first `begin` on.
    fn run<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = match &self.connection {
            Some(connection) => connection,
            None => {
                let opened = self.open().map_err(|cause| self.failed(cause))?;
                self.connection.insert(opened)
            }
        };
        work(connection).map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: rusqlite::Error) -> Error {
        let name = shown_name(&self.file);
        let (kind, message) = match cause.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                let message = format!("the database `{name}` is locked by another program");
                (ErrorKind::Unavailable, message)
            }
            Some(ErrorCode::DiskFull) => {
                let message = format!("the disk of the database `{name}` is full");
                (ErrorKind::Unavailable, message)
            }
            Some(ErrorCode::NotADatabase) => {
                let message = format!("`{name}` is not a SQLite database; name another file");
                (ErrorKind::Sink, message)
            }
            _ => {
                let message = format!("cannot write to the database `{name}`");
                (ErrorKind::Sink, message)
            }
        };
        Error::new(kind, message).with_source(cause)
    }
}

impl Database for Sqlite {
    const HAS_SCHEMAS: bool = false;

    fn describe(&self) -> String {
        format!("sqlite:{}", shown_name(&self.file))
    }

    fn begin(&mut self) -> Result<()> {
        self.run(|connection| {
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            connection.execute_batch("BEGIN IMMEDIATE")
        })
    }

    fn create(&mut self, table: &Table) -> Result<()> {
        let found = self.run(|connection| {
            connection.execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {EPOCHS} \
                 (target TEXT PRIMARY KEY, query TEXT NOT NULL, epoch INTEGER)"
            ))?;
            let mut columns = connection.prepare("SELECT name, type FROM pragma_table_info(?)")?;
            let columns = columns.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
            columns.collect::<rusqlite::Result<Vec<(String, String)>>>()
        })?;
        if found.is_empty() {
            let create = table.create(type_name);
            self.run(|connection| connection.execute_batch(&create))?;
        } else {
            let is_same =
                |column: &SqlColumn, of: &str| affinity(of) == affinity(type_name(column));
            table.check(&found, type_name, is_same)?;
        }
        if table.is_keyed {
            let create = table.create_index("");
            self.run(|connection| connection.execute_batch(&create))?;
        }
        Ok(())
    }

    fn claim(&mut self, table: &Table, query: &str) -> Result<(String, Option<i64>)> {
        self.run(|connection| {
            let claim = format!("INSERT OR IGNORE INTO {EPOCHS} VALUES (?, ?, NULL)");
            let read = format!("SELECT query, epoch FROM {EPOCHS} WHERE target = ?");
            let mut claim = connection.prepare_cached(&claim)?;
            claim.execute([&table.name, query])?;
            let mut read = connection.prepare_cached(&read)?;
            read.query_row([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    fn write(&mut self, table: &Table, columns: &[Vec<Cell<'_>>]) -> Result<()> {
        let rows = columns.first().map_or(0, Vec::len);
        self.run(|connection| {
            let mut insert = connection.prepare_cached(&insert(table))?;
            let mut update = match update(table) {
                Some(update) => Some(connection.prepare_cached(&update)?),
                None => None,
            };
            for row in 0..rows {
                let cells = || columns.iter().map(|column| &column[row]);
                let is_there = match &mut update {
                    Some(update) => execute(update, cells())? > 0,
                    None => false,
                };
                if !is_there {
                    execute(&mut insert, cells())?;
                }
            }
            Ok(())
        })
    }

    fn note(&mut self, table: &Table, epoch: i64) -> Result<()> {
        self.run(|connection| {
            let note = format!("UPDATE {EPOCHS} SET epoch = ? WHERE target = ?");
            let mut note = connection.prepare_cached(&note)?;
            note.execute((epoch, &table.name)).map(|_| ())
        })
    }

    fn commit(&mut self) -> Result<()> {
        self.run(|connection| connection.execute_batch("COMMIT"))
    }
}

/// Changes the row with a key, also one with nulls, which no unique index finds.
fn update(table: &Table) -> Option<String> {
    if !table.is_keyed {
        return None;
    }
    let numbered = table.columns.iter().zip(1..);
    let (keys, values) = (table.keys().len(), table.values().len());
    let is_key = numbered
        .clone()
        .take(keys)
        .map(|(column, n)| format!("{} IS ?{n}", quoted(&column.name)));
    let is_key: Vec<String> = is_key.collect();
    // A statement must change something: without values, the key itself.
    let changed = numbered.skip(if values > 0 { keys } else { 0 });
    let changed = list(changed.map(|(column, n)| format!("{} = ?{n}", quoted(&column.name))));
    let name = table.quoted();
    let is_key = is_key.join(" AND ");
    Some(format!("UPDATE {name} SET {changed} WHERE {is_key}"))
}

fn insert(table: &Table) -> String {
    let values = list((1..=table.columns.len()).map(|number| format!("?{number}")));
    let (name, columns) = (table.quoted(), table.column_list());
    format!("INSERT INTO {name} ({columns}) VALUES ({values})")
}

fn execute<'a, 'c: 'a>(
    statement: &mut CachedStatement<'_>,
    cells: impl Iterator<Item = &'a Cell<'c>>,
) -> rusqlite::Result<usize> {
    statement.execute(params_from_iter(cells))
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Boolean(value) => ToSqlOutput::Owned(Value::Integer((*value).into())),
            // SQLite would store a null.
            Self::Float(value) if value.is_nan() => ToSqlOutput::Borrowed(ValueRef::Text(b"NaN")),
            Self::Float(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Formatted(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn type_name(column: &SqlColumn) -> &'static str {
    match column.of {
        SqlType::Integer => "INTEGER",
        SqlType::Float => "REAL",
        SqlType::Boolean => "BOOLEAN",
        SqlType::Text | SqlType::Decimal | SqlType::Date | SqlType::Timestamp { .. } => "TEXT",
    }
}

/// What SQLite makes of the name of a type: the rules of its manual, section "type affinity".
fn affinity(of: &str) -> &'static str {
    let of = of.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| of.contains(part));
    match () {
        () if has(&["INT"]) => "INTEGER",
        () if has(&["CHAR", "CLOB", "TEXT"]) => "TEXT",
        () if of.is_empty() || has(&["BLOB"]) => "BLOB",
        () if has(&["REAL", "FLOA", "DOUB"]) => "REAL",
        () => "NUMERIC",
    }
}
