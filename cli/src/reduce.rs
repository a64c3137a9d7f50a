//! `keymill reduce`.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::time::Instant;

use clap::Args;
use keymill::aggregate::AggregateExpr;
use keymill::read::{BadRows, Column, Table, TableFormat};
use keymill::{
    AggregateJob, Cancel, Engine, Error, ErrorKind, Expr, Order, OrderBy, Progress, Result,
};

use crate::args::{FileArgs, MachineArgs, ResultArgs, parse_delimiter};
use crate::named::Named;
use crate::output::{self, Output};
use crate::progress::Bar;
use crate::result::Nouns;
use crate::{exit, inputs, machine, result, say};

#[derive(Args, Debug)]
pub(crate) struct ReduceArgs {
    #[command(flatten)]
    pub(crate) files: FileArgs,

    /// The keys: columns or expressions, such as 'site, lower(country) AS country'; without them all rows are
    /// one group
    #[arg(short, long, value_name = "EXPRESSIONS", allow_hyphen_values = true)]
    pub(crate) key: Option<String>,

    /// The aggregates of columns or expressions, such as 'count, sum(price * n) AS total, quantile(x, 0.9)'
    #[arg(
        short,
        long,
        value_name = "CALLS",
        default_value = "count",
        allow_hyphen_values = true
    )]
    pub(crate) agg: String,

    /// Use only the rows for which this is true, such as 'count > 0 AND day IS NOT NULL'
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    pub(crate) condition: Option<String>,

    /// Write only the groups for which this is true, such as 'total > 3' with --agg 'sum(price) AS total'
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    pub(crate) having: Option<String>,

    /// Write these columns or expressions instead of keys and aggregates
    #[arg(long, value_name = "EXPRESSIONS", allow_hyphen_values = true)]
    pub(crate) select: Option<String>,

    #[command(flatten)]
    pub(crate) table: TableArgs,

    #[command(flatten)]
    pub(crate) machine: MachineArgs,

    #[command(flatten)]
    pub(crate) result: ResultArgs,

    /// Order by key (the default), by count (largest first), or by columns of the result, such as
    /// 'total:desc,site'; none is the fastest
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "key",
        help_heading = "Result"
    )]
    pub(crate) sort: String,
}

/// How files are read as rows.
#[derive(Args, Debug)]
#[command(next_help_heading = "Input")]
pub(crate) struct TableArgs {
    /// The format of the files: csv, tsv, json (one object per line), parquet or arrow; the default is that
    /// of the first file's name, or of its first bytes
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    #[arg(value_parser = Named(parse_table_format, &["csv", "tsv", "json", "parquet", "arrow"]))]
    pub(crate) input: Option<TableFormat>,

    /// The files do not begin with a line that names the columns
    #[arg(long)]
    pub(crate) no_header: bool,

    /// The character between values, or \t; the default is a comma, and a tab for TSV
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Names of columns, with types if wanted: station,t:float. With a header only their types are set
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) columns: Option<String>,

    /// A spelling of null, in addition to the empty value; it can be given several times
    #[arg(long, value_name = "TEXT")]
    pub(crate) null: Vec<String>,

    /// What to do with rows that cannot be read: fail, skip, or reject:FILE
    #[arg(long, value_name = "POLICY", default_value = "fail", value_parser = parse_bad_rows)]
    pub(crate) bad_rows: BadRows,
}

/// What remarks say.
const NOUNS: Nouns = Nouns {
    unit: "row",
    rejected: ("bad row", "left out"),
};

/// Aggregates and exits. The process ends without freeing its tables, which would take long.
pub(crate) fn run(args: &ReduceArgs) -> Result<i32> {
    let started = Instant::now();
    let cancel = Cancel::default();
    exit::stop_on_signal(&cancel);
    let order = order(&args.sort)?;
    result::check_rows(&args.result, order != Order::None)?;
    let format = result::choose_format(&args.result)?;
    let progress = Progress::default();
    let engine = machine::engine(&args.machine)?;
    if result::shows_remarks(&args.result) {
        machine::adjusted(&args.machine, &engine)
            .iter()
            .for_each(|it| say(it));
    }
    let mut job = job(args, &engine, &cancel, &progress)?;
    if args.result.explain {
        say(&job.explain());
    }
    let output = Output::open(args.result.output.as_deref())?;
    let (is_typed, is_terminal) = (io::stdin().is_terminal(), output::is_terminal(None));
    let is_watched = inputs::wants_bar(&args.files, &args.result, is_typed, is_terminal);
    let mut bar = Bar::start(&progress, is_watched);
    let stream = job.stream(order, result::limits(&args.result));
    let mut stream = stream.map_err(|error| with_options(machine::with_device(error)))?;
    if output::is_terminal(args.result.output.as_deref()) {
        bar.stop();
    }
    let shown = result::shown_rows(&args.result);
    let rows = engine.install(|| result::write(&mut stream, format, output, shown))?;
    bar.stop();
    let metrics = stream.metrics();
    result::remark(&args.result, &metrics, &progress, rows, started, NOUNS);
    exit::end(exit::DONE)
}

fn job(
    args: &ReduceArgs,
    engine: &Engine,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<AggregateJob> {
    let aggregates = AggregateExpr::list(&args.agg)?;
    let table = table(&args.files, &args.table, &args.result)?;
    let mut rows = engine.read_table(table).cancel(cancel).progress(progress);
    if let Some(condition) = &args.condition {
        rows = rows.filter(condition.parse::<Expr>()?);
    }
    let mut groups = match &args.key {
        Some(keys) => rows.group_by(parsed::<Expr>(keys)?).agg(aggregates),
        None => rows.agg(aggregates),
    };
    if let Some(condition) = &args.having {
        groups = groups.having(condition.parse::<Expr>().map_err(of_groups)?);
    }
    if let Some(columns) = &args.select {
        groups = groups.select(parsed::<Expr>(columns).map_err(of_groups)?);
    }
    Ok(groups)
}

/// The table of the files.
pub(crate) fn table(files: &FileArgs, args: &TableArgs, result: &ResultArgs) -> Result<Table> {
    let columns: Vec<Column> = match &args.columns {
        Some(columns) => parsed(columns)?,
        None => Vec::new(),
    };
    let table = Table::of_files(inputs::find(files, result)?)
        .header(!args.no_header)
        .columns(columns)
        .nulls(&args.null)
        .bad_rows(args.bad_rows.clone());
    let table = match args.input {
        Some(format) => table.format(format),
        None => table,
    };
    Ok(match args.delimiter {
        Some(delimiter) => table.delimiter(delimiter),
        None => table,
    })
}

/// Adds the options that help with rows that cannot be read.
pub(crate) fn with_options(error: Error) -> Error {
    let is_bad_row = error.message().ends_with("reject bad rows");
    let is_empty = error.message().ends_with("there is no header");
    let advice = match (error.kind(), is_bad_row, is_empty) {
        (ErrorKind::Format, true, _) => "see --columns NAME:text and --bad-rows",
        (ErrorKind::Format, _, true) => "see --columns and --no-header",
        _ => return error,
    };
    Error::new(error.kind(), format!("{} ({advice})", error.message()))
}

/// Says how an aggregate is written in an expression over groups.
fn of_groups(error: Error) -> Error {
    if !error.message().contains("there is no function") {
        return error;
    }
    let advice =
        "an aggregate is written by its name, such as `total` after --agg 'sum(x) AS total'";
    Error::new(error.kind(), format!("{}; {advice}", error.message()))
}

/// Parses the order of the result.
pub(crate) fn order(text: &str) -> Result<Order> {
    let columns = match text {
        "key" => return Ok(Order::Key),
        "count" => return Ok(Order::Count),
        "none" => return Ok(Order::None),
        text => list(text),
    };
    let columns = columns.into_iter().map(|column| {
        let (name, is_descending) = match column.rsplit_once(':') {
            Some((name, "desc")) => (name, true),
            Some((name, "asc")) => (name, false),
            _ => (column, false),
        };
        match name.trim() {
            "" => {
                let message = format!("--sort {text}: a column of the order has no name");
                Err(Error::new(ErrorKind::Config, message))
            }
            name if is_descending => Ok(OrderBy::new(name).descending()),
            name => Ok(OrderBy::new(name)),
        }
    });
    columns.collect::<Result<_>>().map(Order::Columns)
}

/// Parses the items of a list.
pub(crate) fn parsed<T: std::str::FromStr<Err = Error>>(text: &str) -> Result<Vec<T>> {
    list(text).into_iter().map(str::parse).collect()
}

/// Splits a list at its commas, but not at those within parentheses or quotes.
pub(crate) fn list(text: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth, mut quote) = (Vec::new(), 0, 0, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                items.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(text[start..].trim());
    items
}

fn parse_table_format(text: &str) -> Result<TableFormat, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

fn parse_bad_rows(text: &str) -> Result<BadRows, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_of_parentheses_and_quotes() {
        assert_eq!(list("a, f(b,c) ,'d,e'"), ["a", "f(b,c)", "'d,e'"]);
        assert_eq!(list(""), [""]);
    }

    #[test]
    fn an_order_names_columns_and_directions() {
        let expected = vec![OrderBy::new("sum(x)").descending(), OrderBy::new("a:b")];
        assert_eq!(order("sum(x):desc, a:b").unwrap(), Order::Columns(expected));
        assert_eq!(order("none").unwrap(), Order::None);
        assert!(order("a,,b").is_err());
    }
}
