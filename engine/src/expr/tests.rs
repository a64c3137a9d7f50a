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

/// The parsed form, written again.
#[cfg(feature = "sql")]
fn again(text: &str) -> String {
    match text.parse::<Expr>() {
        Ok(expr) => {
            let written = expr.to_string();
            assert_eq!(written.parse::<Expr>().unwrap(), expr, "{text} → {written}");
            written
        }
        Err(error) => format!("error: {error}"),
    }
}

#[cfg(feature = "sql")]
#[test]
fn expressions_are_read_and_written() {
    for text in [
        "a + b * c",
        "(a + b) * c",
        "a - (b - c)",
        "-a",
        "-(-5)",
        "a = 1 AND b <> 2 OR NOT c",
        "(a OR b) AND c",
        "a IS NOT NULL",
        "a IN (1, 2, 'x')",
        "a NOT IN (1)",
        "a LIKE 'x%'",
        "a NOT LIKE 'x%'",
        "a ~ '^x' AND b !~* 'y'",
        "CASE WHEN a > 1 THEN 'x' ELSE 'y' END",
        "CAST(a AS BIGINT)",
        "TRY_CAST(a AS DECIMAL(10, 2))",
        "a || 'x' || lower(b)",
        "date_trunc('month', day)",
        "\"a b\" > 1.5",
        "day >= DATE '2026-01-31'",
        "at < TIMESTAMP '2026-01-31 12:00:00'",
        "a IS NOT DISTINCT FROM NULL",
        "upper(a) AS b",
        "'it''s'",
        "coalesce(a, b, 0)",
        "(a > 1) IS TRUE",
    ] {
        assert_eq!(again(text), text);
    }
    for (text, written) in [
        ("a between 1 and 2", "a >= 1 AND a <= 2"),
        ("a!=1", "a <> 1"),
        ("case a when 1 then 'x' end", "CASE WHEN a = 1 THEN 'x' END"),
        ("a::bigint", "CAST(a AS BIGINT)"),
        ("extract(year from d)", "date_part('year', d)"),
        ("trim(both ' x' from a)", "trim(a, ' x')"),
        ("substring(a from 2 for 3)", "substr(a, 2, 3)"),
        ("year(d)", "date_part('year', d)"),
        ("a like 'x#%' escape '#'", "a LIKE 'x\\%'"),
        (
            "d + interval '1 day'",
            "d + INTERVAL '0 months 1 days 0 seconds'",
        ),
        ("floor(a) + ceil(b)", "floor(a) + ceil(b)"),
    ] {
        assert_eq!(again(text), written);
    }
}

mod random {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 5 } else { 3000 }))]

        #[test]
        fn batches_give_the_values_of_rows(seed in proptest::collection::vec(any::<u8>(), 0..400)) {
            super::oracle::check(&seed);
        }
    }
}

#[cfg(feature = "sql")]
#[test]
fn every_word_can_be_a_name() {
    let mut reserved = Vec::new();
    for word in sqlparser::keywords::ALL_KEYWORDS {
        let name = word.to_lowercase();
        for expr in [
            col(&name).gt(lit(1)),
            col(&name) + col("a"),
            lit(1) + col(&name),
            -col(&name),
            col(&name).is_null(),
            col(&name).is_in([lit(1)]),
            lit("x").eq(col(&name)).and(col(&name)),
            col(&name).lower(),
            col("a").alias(&name),
            when(col(&name), col(&name)).otherwise(col(&name)),
        ] {
            if expr.to_string().parse::<Expr>().ok() != Some(expr) {
                reserved.push(word);
                break;
            }
        }
    }
    assert!(reserved.is_empty(), "these need quotes: {reserved:?}");
}
