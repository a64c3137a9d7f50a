//! Rows that cannot be read, and why.

use arrow_schema::{DataType, Field, Schema};
use keymill_kernels::stage::csv::FieldIndex;

use super::without_cr;
use crate::read::table::bad_row_log::BadRow;
use crate::read::table::text_pieces::Chunk;
use crate::shown_name;

/// Characters of a value that a message shows.
const SHOWN: usize = 60;

/// A row that cannot be read.
pub(super) struct Bad {
    /// Its first field.
    pub(super) first: u32,
    pub(super) why: Why,
}

pub(super) enum Why {
    /// It ends inside quotes.
    NotClosed,
    /// It has too many or too few fields.
    FieldCount,
    /// The value of this column is not of its type.
    Value(usize),
}

/// Describes rows, which are ordered.
pub(super) fn described<'t>(
    bad: Vec<Bad>,
    chunk: &Chunk<'t>,
    index: &FieldIndex,
    schema: &Schema,
) -> impl ExactSizeIterator<Item = BadRow<'t>> {
    let (text, name) = (chunk.text, chunk.name);
    let (mut line, mut counted) = (chunk.line, 0);
    bad.into_iter().map(move |Bad { first, why }| {
        let first = first as usize;
        let fields = index.fields(index.row_of(first));
        let row = index.field(first).start..index.field(fields.end - 1).end;
        let before = &text[counted..row.start];
        line += before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        counted = row.start;
        let why = match why {
            Why::NotClosed => ": a quote is not closed".to_owned(),
            Why::FieldCount => {
                let expected = schema.fields().len();
                let found = values(fields.len());
                format!(": {found} where {expected} are expected")
            }
            Why::Value(column) => {
                let value = without_cr(&text[index.field(first + column)]);
                not_of_type(schema.field(column), value)
            }
        };
        BadRow {
            reason: format!("`{name}`, line {line}{why}"),
            bytes: without_cr(&text[row]),
        }
    })
}

fn values(count: usize) -> String {
    match count {
        1 => "1 value".to_owned(),
        count => format!("{count} values"),
    }
}

fn not_of_type(field: &Field, value: &[u8]) -> String {
    let of = field.data_type();
    let what = match of {
        DataType::Int64 => "an integer of 64 bits".to_owned(),
        DataType::Float64 => "a number".to_owned(),
        DataType::Date32 => "a date YYYY-MM-DD".to_owned(),
        DataType::Timestamp(..) => "a date and a time".to_owned(),
        DataType::Boolean => "true or false".to_owned(),
        DataType::Utf8 => "UTF-8".to_owned(),
        of => format!("a {of}"),
    };
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let (name, shown) = (shown_name(field.name()), shown_name(shown));
    format!(", column `{name}`: `{shown}` is not {what}")
}
