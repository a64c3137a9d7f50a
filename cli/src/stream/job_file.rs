//! Reads a job file: the flags of `keymill stream` as TOML.
//!
//! A key is a flag without its dashes. Its value becomes the argument of that flag, so that flags and
//! files have one vocabulary and one parser. `[[source]]` and `[[sink]]` are sources and sinks with
//! values of their own, before those of the whole file.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::File as OpenFile;
use std::io::Read;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapErrorKind};
use clap::{ArgAction, Args, Command, FromArgMatches};
use keymill::{Error, ErrorKind, Result, shown_name};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::StreamPlan;
use crate::args::{SinkArgs, SourceArgs, StreamArgs};

/// The most bytes of a job file. A larger file was named by mistake.
const MOST_BYTES: u64 = 1 << 20;

/// Reads the stream that a file describes.
pub(super) fn read(path: &Path) -> Result<StreamPlan> {
    let unreadable = |cause| {
        let message = format!("cannot read the job file `{}`", shown_name(path));
        Error::new(ErrorKind::Source, message).with_source(cause)
    };
    let name = shown_name(path);
    // Pipes and devices do not tell their size.
    let file = OpenFile::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    if read.map_err(unreadable)? as u64 > MOST_BYTES {
        return Err(wrong(format!("`{name}` has more than 1 MiB: no job file")));
    }
    plan(&name, &text)
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn plan(name: &str, text: &str) -> Result<StreamPlan> {
    let file = File { name, text };
    let root = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        file.wrong(start, error.message().trim())
    })?;
    let root = root.get_ref();
    let stream = command::<StreamArgs>();
    let tables = ["source", "sink"];
    let values = file.values(&stream, root, &tables)?;
    let sources = file.tables::<SourceArgs>(root, "source", "from", &values)?;
    let sinks = file.tables::<SinkArgs>(root, "sink", "to", &values)?;
    Ok(StreamPlan::new(
        file.parse(stream, &values)?,
        sources,
        sinks,
    ))
}

/// The command whose flags are the keys of a table.
fn command<A: Args>() -> Command {
    A::augment_args(Command::new("job"))
        .no_binary_name(true)
        .disable_help_flag(true)
}

/// A job file.
struct File<'t> {
    name: &'t str,
    text: &'t str,
}

/// A key of a job file, as the arguments of the command line.
#[derive(Clone)]
struct Value {
    key: String,
    /// Where the key begins.
    start: usize,
    arguments: Vec<OsString>,
}

impl File<'_> {
    /// An error at a byte of the file.
    fn wrong(&self, start: usize, message: &str) -> Error {
        let before = &self.text.as_bytes()[..start.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let message: Vec<String> = message.lines().map(shown_name).collect();
        wrong(format!("{}:{line}: {}", self.name, message.join("; ")))
    }

    /// The values of a table, in the order of the file.
    fn values(&self, flags: &Command, table: &DeTable<'_>, others: &[&str]) -> Result<Vec<Value>> {
        let own = table
            .iter()
            .filter(|(key, _)| !others.contains(&&**key.get_ref()));
        let values = own.map(|(key, value)| self.value(flags, key, value, others));
        let mut values = values.collect::<Result<Vec<_>>>()?;
        values.sort_by_key(|value| value.start);
        Ok(values)
    }

    fn value(
        &self,
        flags: &Command,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
        others: &[&str],
    ) -> Result<Value> {
        let (start, key) = (key.span().start, key.get_ref().as_ref());
        let flag = flags.get_arguments().find(|it| it.get_long() == Some(key));
        let flag = flag.ok_or_else(|| self.unknown(start, key, flags, others))?;
        let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
        let is_list = matches!(flag.get_action(), ArgAction::Append);
        let argument = |value: String| format!("--{key}={value}").into();
        let arguments = match value.get_ref() {
            DeValue::Boolean(is_set) if is_switch => {
                let switch = is_set.then(|| format!("--{key}").into());
                switch.into_iter().collect()
            }
            _ if is_switch => {
                return Err(self.wrong(start, &format!("`{key}` is true or false")));
            }
            DeValue::Array(items) if is_list => {
                let items = items.iter().map(|item| scalar(item.get_ref()));
                let items: Option<Vec<_>> = items.map(|item| item.map(argument)).collect();
                items.ok_or_else(|| self.not_text(start, key, "an array of strings"))?
            }
            one => {
                let is = if is_list {
                    "a string or an array of strings"
                } else {
                    "a string or a number"
                };
                vec![argument(
                    scalar(one).ok_or_else(|| self.not_text(start, key, is))?,
                )]
            }
        };
        Ok(Value {
            key: key.to_owned(),
            start,
            arguments,
        })
    }

    fn not_text(&self, start: usize, key: &str, is: &str) -> Error {
        self.wrong(start, &format!("`{key}` is {is}"))
    }

    fn unknown(&self, start: usize, key: &str, flags: &Command, others: &[&str]) -> Error {
        let known = flags.get_arguments().filter_map(|it| it.get_long());
        let known = known.chain(others.iter().copied());
        let nearest = known
            .map(|known| (strsim::jaro_winkler(known, key), known))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = nearest.map_or(
            "the keys are the flags of `keymill stream`".to_owned(),
            |(_, known)| format!("did you mean `{known}`?"),
        );
        self.wrong(start, &format!("there is no key `{key}` here; {hint}"))
    }

    /// The tables of an array of tables. A value that a table lacks is that of the whole file.
    fn tables<A: Args>(
        &self,
        root: &DeTable<'_>,
        name: &str,
        url: &str,
        all: &[Value],
    ) -> Result<Vec<A>> {
        let Some((key, tables)) = root.get_key_value(name) else {
            return Ok(Vec::new());
        };
        let start = key.span().start;
        let not_tables = || self.wrong(start, &format!("write `[[{name}]]` before each {name}"));
        let tables = tables.get_ref().as_array().ok_or_else(not_tables)?;
        let flags = command::<A>();
        let tables = tables.iter().map(|table| {
            let start = table.span().start;
            let own = table.get_ref().as_table().ok_or_else(not_tables)?;
            let mut values = self.values(&flags, own, &[])?;
            if !values.iter().any(|value| value.key == url) {
                let message = format!("this {name} has no URL: `{url} = \"…\"`");
                return Err(self.wrong(start, &message));
            }
            let is_known = |key: &str| flags.get_arguments().any(|it| it.get_long() == Some(key));
            for value in all.iter().filter(|it| is_known(&it.key)) {
                if !values.iter().any(|own| own.key == value.key) {
                    values.push(value.clone());
                }
            }
            self.parse(flags.clone(), &values)
        });
        tables.collect()
    }

    fn parse<A: FromArgMatches>(&self, flags: Command, values: &[Value]) -> Result<A> {
        let arguments = values.iter().flat_map(|value| value.arguments.clone());
        let parsed = flags
            .clone()
            .try_get_matches_from(arguments)
            .and_then(|matches| A::from_arg_matches(&matches));
        parsed.map_err(|error| self.refused(&flags, &error, values))
    }

    /// What the parser of the flags says about a value.
    fn refused(&self, flags: &Command, error: &clap::Error, values: &[Value]) -> Error {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => text.clone(),
            Some(ContextValue::Strings(texts)) => texts.join(", "),
            _ => String::new(),
        };
        let key_of = |flag: &str| {
            let key = flag.trim_start_matches('-');
            let end = key.find(['=', ' ', '[']).unwrap_or(key.len());
            key[..end].to_owned()
        };
        let key = key_of(&text(ContextKind::InvalidArg));
        let start = values
            .iter()
            .find(|it| it.key == key)
            .map_or(0, |it| it.start);
        let value = text(ContextKind::InvalidValue);
        let why = std::error::Error::source(error).map(ToString::to_string);
        let message = match (error.kind(), why) {
            (ClapErrorKind::ArgumentConflict, _) => {
                let other = text(ContextKind::PriorArg);
                let others: Vec<String> = other.split(", ").map(key_of).collect();
                format!("`{key}` cannot stand beside `{}`", others.join("`, `"))
            }
            (_, Some(why)) => format!("`{key}`: `{value}`: {why}"),
            (ClapErrorKind::InvalidValue, _) => {
                let known = text(ContextKind::ValidValue);
                format!("`{key}`: `{value}` is not one of {known}")
            }
            (ClapErrorKind::MissingRequiredArgument, _) => {
                return self.lacks(flags, error, values);
            }
            _ => error.to_string(),
        };
        self.wrong(start, &message)
    }
}

impl File<'_> {
    /// The error for a key that needs others.
    fn lacks(&self, flags: &Command, error: &clap::Error, values: &[Value]) -> Error {
        let needs_others = |it: &&Value| {
            let alone = flags.clone().try_get_matches_from(&it.arguments);
            alone.is_err_and(|error| error.kind() == ClapErrorKind::MissingRequiredArgument)
        };
        let key = values.iter().find(needs_others);
        let (start, key) = key.map_or((0, ""), |it| (it.start, it.key.as_str()));
        let missing = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(flags)) => flags.clone(),
            _ => Vec::new(),
        };
        // `--time <COLUMN>`, or one of several: `<--window <TIME>|--session <GAP>>`.
        let keys_of = |flag: &String| {
            let words = flag.split(['<', ' ', '|', '>']);
            let keys: Vec<&str> = words.filter_map(|it| it.strip_prefix("--")).collect();
            keys.join("` or `")
        };
        let missing: Vec<String> = missing.iter().map(keys_of).collect();
        let missing = missing.join("`, `");
        self.wrong(start, &format!("`{key}` needs `{missing}`, too"))
    }
}

/// A string, or a number as it is written.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
