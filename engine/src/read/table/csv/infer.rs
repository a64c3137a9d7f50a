//! The types of columns, from their first values.

use std::borrow::Cow;

use arrow_schema::{DataType, TimeUnit};
use keymill_kernels::parse;
use keymill_kernels::stage::csv::{FieldIndex, unquoted};

use super::values;
use super::without_cr;
use crate::read::table::Column;

/// Maximum number of rows that are looked at.
const MOST_ROWS: usize = 10_000;

/// Sets the types that are not set: the first of integer, float, boolean, date and timestamp that all
/// values of the first rows have, or else text.
pub(super) fn types(columns: &mut [Column], rows: &[u8], index: &FieldIndex, nulls: &[String]) {
    for (number, column) in columns.iter_mut().enumerate() {
        if column.data_type().is_some() {
            continue;
        }
        let rows_looked_at = (0..index.rows().min(MOST_ROWS)).map(|row| index.fields(row));
        let fields = rows_looked_at.filter_map(|fields| fields.clone().nth(number));
        let values = fields.map(|field| without_cr(&rows[index.field(field)]));
        let of = type_of(values, nulls);
        *column = Column::new(column.name()).of_type(of);
    }
}

fn type_of<'a>(fields: impl Iterator<Item = &'a [u8]>, nulls: &[String]) -> DataType {
    let mut fitting: Option<Vec<&(DataType, Fits)>> = None;
    for field in fields {
        let value: Cow<'_, [u8]> = unquoted(field);
        let value = value.trim_ascii();
        if value.is_empty() || nulls.iter().any(|null| null.as_bytes() == value) {
            continue;
        }
        let fitting = fitting.get_or_insert_with(|| FITS.iter().collect());
        fitting.retain(|(_, fits)| fits(value));
        if fitting.is_empty() {
            return DataType::Utf8;
        }
    }
    let first = fitting.and_then(|fitting| fitting.first().map(|(of, _)| of.clone()));
    first.unwrap_or(DataType::Utf8)
}

/// Whether a value can be of a type.
type Fits = fn(&[u8]) -> bool;

const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The types that are inferred, in their order of preference.
static FITS: [(DataType, Fits); 5] = [
    (DataType::Int64, |value| parse::integer(value).is_some()),
    (DataType::Float64, is_float),
    (DataType::Boolean, |value| {
        value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"false")
    }),
    (DataType::Date32, |value| parse::date(value).is_some()),
    (TIMESTAMP, |value| values::timestamp(value).is_some()),
];

/// Whether a value is a float. An integer of more than 15 digits is not: as a float it would be another number.
fn is_float(value: &[u8]) -> bool {
    let has_point = value.iter().any(|byte| b".eE".contains(byte));
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let fits = has_point || value.len() <= 15 || parse::integer(value).is_some();
    has_digit && fits && parse::float(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> DataType {
        type_of(
            values.iter().map(|value| value.as_bytes()),
            &["NA".to_owned()],
        )
    }

    #[test]
    fn the_narrowest_type_of_all_values_is_taken() {
        assert_eq!(of(&["1", "-2", "", "NA"]), DataType::Int64);
        assert_eq!(of(&["1", "2.5", " 3 "]), DataType::Float64);
        assert_eq!(of(&["\"1\"", "\"\""]), DataType::Int64);
        assert_eq!(of(&["true", "FALSE"]), DataType::Boolean);
        assert_eq!(of(&["2024-02-29"]), DataType::Date32);
        assert_eq!(
            of(&["2024-02-29 10:00:00", "2024-02-29T10:00:00.5"]),
            TIMESTAMP
        );
        assert_eq!(of(&["1", "x"]), DataType::Utf8);
        assert_eq!(of(&["nan"]), DataType::Utf8);
        assert_eq!(of(&["", "NA"]), DataType::Utf8);
        assert_eq!(of(&["12345678901234567890"]), DataType::Utf8);
    }
}
