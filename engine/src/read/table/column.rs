//! A column with its type, as people write it: `count:int`.

use std::str::FromStr;

use arrow_schema::{DataType, TimeUnit};

use super::wrong;
use crate::{Error, Result};

/// The names of types. Decimals have a precision and a scale too.
const TYPES: [(&str, DataType); 7] = [
    ("text", DataType::Utf8),
    ("int", DataType::Int64),
    ("float", DataType::Float64),
    ("bool", DataType::Boolean),
    ("date", DataType::Date32),
    (
        "timestamp",
        DataType::Timestamp(TimeUnit::Microsecond, None),
    ),
    ("binary", DataType::Binary),
];

/// A column of a table, and its type if it is not to be inferred.
///
/// # Examples
///
/// ```
/// use keymill::arrow::schema::DataType;
/// use keymill::read::Column;
///
/// let column: Column = "price:decimal(10,2)".parse()?;
/// assert_eq!((column.name(), column.data_type()), ("price", Some(&DataType::Decimal128(10, 2))));
/// assert_eq!("site".parse::<Column>()?.data_type(), None);
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: String,
    data_type: Option<DataType>,
}

impl Column {
    /// Creates a column whose type is inferred.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            data_type: None,
        }
    }

    /// Sets the type.
    #[must_use]
    pub fn of_type(self, data_type: DataType) -> Self {
        Self {
            data_type: Some(data_type),
            ..self
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the type, if it was set.
    #[must_use]
    pub fn data_type(&self) -> Option<&DataType> {
        self.data_type.as_ref()
    }
}

impl FromStr for Column {
    type Err = Error;

    /// Parses `name` or `name:type`. Types are text, int, float, bool, date, timestamp, binary and
    /// `decimal(PRECISION,SCALE)`.
    fn from_str(text: &str) -> Result<Self> {
        let (name, of) = match text.rsplit_once(':') {
            Some((name, of)) => (name, Some(of)),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(wrong(format!("`{text}`: a column needs a name")));
        }
        let column = Self::new(name);
        match of {
            None => Ok(column),
            Some(of) => Ok(column.of_type(type_of(text, of)?)),
        }
    }
}

fn type_of(text: &str, name: &str) -> Result<DataType> {
    if let Some((_, known)) = TYPES.iter().find(|(known, _)| *known == name) {
        return Ok(known.clone());
    }
    let numbers = name
        .strip_prefix("decimal(")
        .and_then(|it| it.strip_suffix(')'));
    let numbers = numbers.and_then(|it| it.split_once(','));
    let decimal = numbers.and_then(|(precision, scale)| {
        let precision: u8 = precision.trim().parse().ok()?;
        let scale: i8 = scale.trim().parse().ok()?;
        let is_valid = (1..=38).contains(&precision) && (0..=precision as i8).contains(&scale);
        is_valid.then_some(DataType::Decimal128(precision, scale))
    });
    decimal.ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        wrong(format!(
            "`{text}`: `{name}` is not a type; the types are {names} and decimal(PRECISION,SCALE)"
        ))
    })
}
