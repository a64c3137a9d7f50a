//! Columns by name, and dictionaries.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int8Type;
use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch, StringArray};

use super::*;

#[test]
fn a_column_is_found_by_its_name_alone() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("n", numbers.clone()), ("m", numbers)]).unwrap();
    assert_eq!(&col("m").evaluate(&batch).unwrap(), batch.column(1));
    assert_eq!(col("m").field(&batch.schema()).unwrap().name(), "m");
    for error in [
        col("N").evaluate(&batch).unwrap_err(),
        col("N").field(&batch.schema()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            "there is no column `N`; the columns are: n, m"
        );
    }
}

#[test]
fn dictionaries_are_unpacked_and_other_columns_are_not_copied() {
    let mut dictionary = StringDictionaryBuilder::<Int8Type>::new();
    dictionary.extend([Some("a"), None, Some("b"), Some("a")]);
    let dictionary: ArrayRef = Arc::new(dictionary.finish().slice(1, 3));
    let unpacked = without_dictionary(&dictionary).unwrap();
    let wanted = StringArray::from(vec![None, Some("b"), Some("a")]);
    assert_eq!(unpacked.as_ref(), &wanted as &dyn Array);
    assert!(Arc::ptr_eq(
        &unpacked,
        &without_dictionary(&unpacked).unwrap()
    ));
}
