//! Test data: columns of every type and layout, and the answers that simple code computes from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use crate::keys::{as_type, stored_type};

mod answers;

pub(crate) use answers::{every_aggregate, expected};

/// A value as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    Int(i128),
    /// The bits; all NaNs are one.
    Float(u64),
    Bytes(Vec<u8>),
    List(Vec<Cell>),
}

impl Cell {
    pub(crate) fn float(value: f64) -> Self {
        let value = if value.is_nan() { f64::NAN } else { value };
        Self::Float(value.to_bits())
    }

    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        self.bytes()
            .map(|bytes| std::str::from_utf8(bytes).unwrap())
    }
}

/// How a column is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Plain,
    /// A part of a longer array.
    Sliced,
    Dictionary,
}

pub(crate) const INTEGERS: [DataType; 8] = [
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt8,
    DataType::UInt16,
    DataType::UInt32,
    DataType::UInt64,
];

pub(crate) const KEYS: [DataType; 21] = [
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt8,
    DataType::UInt16,
    DataType::UInt32,
    DataType::UInt64,
    DataType::Boolean,
    DataType::Utf8,
    DataType::LargeUtf8,
    DataType::Utf8View,
    DataType::Binary,
    DataType::LargeBinary,
    DataType::BinaryView,
    DataType::Float32,
    DataType::Float64,
    DataType::Date32,
    DataType::Timestamp(TimeUnit::Microsecond, None),
    DataType::Decimal64(10, 2),
    DataType::Decimal128(20, 3),
];

/// The smallest and the largest value of a type of integers or booleans.
pub(crate) fn ends(of: &DataType) -> Option<(i128, i128)> {
    Some(match of {
        DataType::Boolean => (0, 1),
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, u64::MAX.into()),
        DataType::Date32 | DataType::Time32(_) => (i32::MIN.into(), i32::MAX.into()),
        DataType::Timestamp(..) | DataType::Time64(_) => (i64::MIN.into(), i64::MAX.into()),
        DataType::Decimal64(digits, _) | DataType::Decimal128(digits, _) => {
            let most = 10i128.pow(u32::from(*digits)) - 1;
            (-most, most)
        }
        _ => return None,
    })
}

/// Edge values of a type; they are few, so that they repeat.
pub(crate) fn cell(of: &DataType) -> BoxedStrategy<Cell> {
    if let Some((least, most)) = ends(of) {
        let some = [least, least + 1, -1, 0, 1, 2, most - 1, most];
        let some = some.into_iter().filter(|v| (least..=most).contains(v));
        return proptest::sample::select(some.map(Cell::Int).collect::<Vec<_>>()).boxed();
    }
    if of.is_floating() {
        let some = [
            f64::NEG_INFINITY,
            -1.5,
            0.0,
            0.25,
            1e30,
            f64::INFINITY,
            f64::NAN,
        ];
        let some = some.map(|value| match of {
            DataType::Float32 => f64::from(value as f32),
            _ => value,
        });
        return proptest::sample::select(some.map(Cell::float).to_vec()).boxed();
    }
    let mut some: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"a",
        b"a\0",
        b"\xc3\xa9",
        b"fifteen bytes..",
        b"sixteen bytes...",
        b"sixteen bytes..\x01",
        b"seventeen bytes..",
        b"a key of more than twelve and more than sixteen bytes",
        b"a key of more than twelve and more than sixteen bytes\0",
    ];
    if matches!(
        of,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    ) {
        some.extend([b"\xff".as_slice(), b"\xff\xfe and much that is no text"]);
    }
    let some = some.into_iter().map(|bytes| Cell::Bytes(bytes.to_vec()));
    proptest::sample::select(some.collect::<Vec<_>>()).boxed()
}

/// Floats whose sums a test can compute: sixteenths of small numbers, 2¹⁰⁰, infinities and NaN.
pub(crate) fn float_cell() -> BoxedStrategy<Cell> {
    let special = [-0.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    prop_oneof![
        6 => (-20_000i32..20_000).prop_map(|value| f64::from(value) / 16.0),
        2 => proptest::sample::select(vec![BIG, -BIG]),
        1 => proptest::sample::select(special.to_vec()),
    ]
    .prop_map(Cell::float)
    .boxed()
}

const BIG: f64 = (1u128 << 100) as f64;

/// A column of a type.
pub(crate) fn column(of: &DataType, cells: &[Cell], form: Form) -> ArrayRef {
    match form {
        Form::Plain => plain(of, cells),
        Form::Sliced => {
            let more = cells.first().cloned().unwrap_or(Cell::Null);
            let around = [
                vec![Cell::Null, more.clone(), more],
                cells.to_vec(),
                vec![Cell::Null],
            ];
            plain(of, &around.concat()).slice(3, cells.len())
        }
        Form::Dictionary => {
            let mut values = cells.to_vec();
            values.sort();
            values.dedup();
            // The first null is a null index; the others are indices of a null entry.
            let first_null = cells.iter().position(|cell| *cell == Cell::Null);
            let keys: Int16Array = (0..)
                .zip(cells)
                .map(|(row, cell)| {
                    let place = values.iter().position(|value| value == cell);
                    place
                        .filter(|_| first_null != Some(row))
                        .map(|place| place as i16)
                })
                .collect();
            Arc::new(DictionaryArray::new(keys, plain(of, &values)))
        }
    }
}

fn ints<T: ArrowPrimitiveType>(cells: &[Cell]) -> ArrayRef
where
    T::Native: TryFrom<i128>,
{
    let values = cells
        .iter()
        .map(|cell| cell.as_int().map(|v| T::Native::try_from(v).ok().unwrap()));
    Arc::new(PrimitiveArray::<T>::from_iter(values))
}

fn plain(of: &DataType, cells: &[Cell]) -> ArrayRef {
    match of {
        DataType::Int8 => ints::<Int8Type>(cells),
        DataType::Int16 => ints::<Int16Type>(cells),
        DataType::Int32 => ints::<Int32Type>(cells),
        DataType::Int64 => ints::<Int64Type>(cells),
        DataType::UInt8 => ints::<UInt8Type>(cells),
        DataType::UInt16 => ints::<UInt16Type>(cells),
        DataType::UInt32 => ints::<UInt32Type>(cells),
        DataType::UInt64 => ints::<UInt64Type>(cells),
        DataType::Boolean => {
            let values = cells.iter().map(|cell| cell.as_int().map(|v| v == 1));
            Arc::new(values.collect::<BooleanArray>())
        }
        DataType::Float64 => {
            let values = cells.iter().map(Cell::as_float);
            Arc::new(values.collect::<Float64Array>())
        }
        DataType::Float32 => {
            let values = cells.iter().map(|cell| cell.as_float().map(|v| v as f32));
            Arc::new(values.collect::<Float32Array>())
        }
        DataType::Utf8 => Arc::new(cells.iter().map(Cell::text).collect::<StringArray>()),
        DataType::LargeUtf8 => Arc::new(cells.iter().map(Cell::text).collect::<LargeStringArray>()),
        DataType::Utf8View => Arc::new(cells.iter().map(Cell::text).collect::<StringViewArray>()),
        DataType::Binary => Arc::new(cells.iter().map(Cell::bytes).collect::<BinaryArray>()),
        DataType::LargeBinary => {
            Arc::new(cells.iter().map(Cell::bytes).collect::<LargeBinaryArray>())
        }
        DataType::BinaryView => {
            Arc::new(cells.iter().map(Cell::bytes).collect::<BinaryViewArray>())
        }
        DataType::Decimal128(digits, scale) => {
            let values = cells.iter().map(Cell::as_int).collect::<Decimal128Array>();
            Arc::new(values.with_precision_and_scale(*digits, *scale).unwrap())
        }
        other => match stored_type(other) {
            stored if stored != *other => as_type(&plain(&stored, cells), other).unwrap(),
            _ => panic!("no test has a column of {other}"),
        },
    }
}

fn read_ints<T: ArrowPrimitiveType>(array: &ArrayRef) -> Vec<Cell>
where
    T::Native: Into<i128>,
{
    let values = array.as_primitive::<T>().iter();
    values
        .map(|v| v.map_or(Cell::Null, |v| Cell::Int(v.into())))
        .collect()
}

/// The values of a column.
pub(crate) fn cells(array: &ArrayRef) -> Vec<Cell> {
    fn bytes<'a, B: AsRef<[u8]> + 'a>(all: impl Iterator<Item = Option<B>>) -> Vec<Cell> {
        all.map(|v| v.map_or(Cell::Null, |v| Cell::Bytes(v.as_ref().to_vec())))
            .collect()
    }
    let float = |v: Option<f64>| v.map_or(Cell::Null, Cell::float);
    match array.data_type() {
        DataType::Int8 => read_ints::<Int8Type>(array),
        DataType::Int16 => read_ints::<Int16Type>(array),
        DataType::Int32 => read_ints::<Int32Type>(array),
        DataType::Int64 => read_ints::<Int64Type>(array),
        DataType::UInt8 => read_ints::<UInt8Type>(array),
        DataType::UInt16 => read_ints::<UInt16Type>(array),
        DataType::UInt32 => read_ints::<UInt32Type>(array),
        DataType::UInt64 => read_ints::<UInt64Type>(array),
        DataType::Decimal128(..) => read_ints::<Decimal128Type>(array),
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            values
                .map(|v| v.map_or(Cell::Null, |v| Cell::Int(v.into())))
                .collect()
        }
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .map(float)
            .collect(),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().iter();
            values.map(|v| float(v.map(f64::from))).collect()
        }
        DataType::Utf8 => bytes(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => bytes(array.as_string::<i64>().iter()),
        DataType::Utf8View => bytes(array.as_string_view().iter()),
        DataType::Binary => bytes(array.as_binary::<i32>().iter()),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().iter()),
        DataType::BinaryView => bytes(array.as_binary_view().iter()),
        DataType::List(_) => {
            let lists = array.as_list::<i32>().iter();
            let list = |list: Option<ArrayRef>| list.map(|it| Cell::List(cells(&it)));
            lists.map(|it| list(it).unwrap_or(Cell::Null)).collect()
        }
        other => match stored_type(other) {
            stored if stored != *other => cells(&as_type(array, &stored).unwrap()),
            _ => panic!("no test reads a column of {other}"),
        },
    }
}

/// The rows of batches, in their order.
pub(crate) fn rows<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<Vec<Cell>> = batch.columns().iter().map(cells).collect();
        let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
        rows.extend((0..batch.num_rows()).map(row));
    }
    rows
}

/// The same, sorted.
pub(crate) fn sorted<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<Vec<Cell>> {
    let mut rows = rows(batches);
    rows.sort();
    rows
}

/// Batches of rows: keys, and a value.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) key_types: Vec<DataType>,
    pub(crate) value_type: DataType,
    pub(crate) forms: Vec<Form>,
    /// Each row is its keys and then its value.
    pub(crate) batches: Vec<Vec<Vec<Cell>>>,
}

impl Data {
    /// Some batches. From a random batch on, or never, keys may be null.
    pub(crate) fn strategy(value_types: Vec<DataType>) -> impl Strategy<Value = Self> {
        let keys = proptest::collection::vec(proptest::sample::select(KEYS.to_vec()), 1..=4);
        let forms = vec![Form::Plain, Form::Sliced, Form::Dictionary];
        let forms = proptest::collection::vec(proptest::sample::select(forms), 5);
        let value = proptest::sample::select(value_types);
        (keys, value, forms, 0..5usize).prop_flat_map(
            |(key_types, value_type, forms, nulls_from)| {
                let value = match ends(&value_type) {
                    Some(_) => cell(&value_type),
                    None => float_cell(),
                };
                let mut row: Vec<BoxedStrategy<(Cell, bool)>> = Vec::new();
                for of in &key_types {
                    row.push((cell(of), proptest::bool::weighted(0.2)).boxed());
                }
                row.push((value, proptest::bool::weighted(0.2)).boxed());
                let rows = proptest::collection::vec(row, 0..40);
                let batches = proptest::collection::vec(rows, 1..5);
                batches.prop_map(move |batches| {
                    let batches = batches.into_iter().enumerate().map(|(number, rows)| {
                        rows.into_iter()
                            .map(|row| {
                                let last = row.len() - 1;
                                let cells = row.into_iter().enumerate();
                                cells
                                    .map(|(column, (cell, is_null))| {
                                        match is_null && (column == last || number >= nulls_from) {
                                            true => Cell::Null,
                                            false => cell,
                                        }
                                    })
                                    .collect()
                            })
                            .collect()
                    });
                    Self {
                        batches: batches.collect(),
                        key_types: key_types.clone(),
                        value_type: value_type.clone(),
                        forms: forms.clone(),
                    }
                })
            },
        )
    }

    pub(crate) fn key_names(&self) -> Vec<String> {
        (0..self.key_types.len())
            .map(|number| format!("k{number}"))
            .collect()
    }

    /// The schema of plain batches.
    pub(crate) fn schema(&self) -> SchemaRef {
        let names = self.key_names();
        let keys = names.iter().zip(&self.key_types);
        let mut fields: Vec<Field> = keys
            .map(|(name, of)| Field::new(name, of.clone(), true))
            .collect();
        fields.push(Field::new("v", self.value_type.clone(), true));
        Schema::new(fields).into()
    }

    /// Rows as a batch, whose columns have the forms of the data.
    pub(crate) fn batch(&self, rows: &[Vec<Cell>]) -> RecordBatch {
        let names = self.key_names();
        let names = names.iter().map(String::as_str).chain(["v"]);
        let types = self.key_types.iter().chain([&self.value_type]);
        let columns = names.zip(types).zip(&self.forms).enumerate();
        RecordBatch::try_from_iter(columns.map(|(number, ((name, of), form))| {
            let cells: Vec<Cell> = rows.iter().map(|row| row[number].clone()).collect();
            (name, column(of, &cells, *form))
        }))
        .unwrap()
    }

    /// The values of each key.
    pub(crate) fn by_key(&self) -> BTreeMap<Vec<Cell>, Vec<Cell>> {
        let mut all: BTreeMap<_, Vec<Cell>> = BTreeMap::new();
        for row in self.batches.iter().flatten() {
            let (value, key) = row.split_last().unwrap();
            all.entry(key.to_vec()).or_default().push(value.clone());
        }
        all
    }
}
