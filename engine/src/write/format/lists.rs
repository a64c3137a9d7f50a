//! Lists as text: `[5,4]`, `["2026-01-31",null]`, which is JSON.
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::{Array, ListArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::column::{columns, with_texts};
use super::json;
use super::lines::Lines;
use crate::{Error, ErrorKind, Result};

/// Returns whether a column is a list, whose text is JSON.
pub(super) fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_))
}

/// Returns the texts of lists; null where there is no list.
///
/// # Errors
///
/// Those of the text of its values.
pub(super) fn texts(lists: &ListArray) -> Result<StringArray> {
    let offsets = lists.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
    let values = lists.values().slice(first, last - first);
    let field = Field::new("values", lists.value_type(), true);
    let values = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![values]);
    let values = values.map_err(|cause| {
        Error::new(ErrorKind::Internal, "the values of a list do not fit").with_source(cause)
    })?;
    let values = with_texts(&values)?;
    let cells = columns(&values);
    let text = |row: usize| {
        let mut out = Lines::default();
        out.push(b'[');
        let start = offsets[row] as usize - first;
        for value in start..start + lists.value_length(row) as usize {
            if value > start {
                out.push(b',');
            }
            json::value(cells[0].cell(value), &mut out);
        }
        out.push(b']');
        String::from_utf8_lossy(out.as_bytes()).into_owned()
    };
    Ok((0..lists.len())
        .map(|row| lists.is_valid(row).then(|| text(row)))
        .collect())
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Date32Array};

    use super::*;

    #[test]
    fn lists_become_json() {
        let lists = [Some(vec![Some(5), None, Some(-4)]), None, Some(vec![])];
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let found: Vec<_> = texts(&lists.slice(0, 3))
            .unwrap()
            .iter()
            .map(|it| it.map(str::to_owned))
            .collect();
        assert_eq!(
            found,
            [Some("[5,null,-4]".to_owned()), None, Some("[]".to_owned())]
        );
        assert_eq!(texts(&lists.slice(2, 1)).unwrap().value(0), "[]");
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None]));
        let field = Arc::new(Field::new("item", DataType::Date32, true));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([2]);
        let lists = ListArray::new(field, offsets, days, None);
        assert_eq!(texts(&lists).unwrap().value(0), r#"["1970-01-01",null]"#);
    }
}
