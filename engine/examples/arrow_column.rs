//! Counts the words in a column of Arrow batches. Every row is a record.
//!
//! ```console
//! cargo run --release -p keymill --example arrow_column
//! ```
#![forbid(unsafe_code)]

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use keymill::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let titles = StringArray::from(vec![
        Some("Der Process"),
        None,
        Some("Das Schloss"),
        Some("der"),
    ]);
    let batch = RecordBatch::try_from_iter([("title", Arc::new(titles) as ArrayRef)])?;

    let counts = Engine::new()?
        .read_batches([batch])
        .column("title")
        .tokenize(words())
        .lowercase()
        .count_by_key()
        .collect()?;
    assert_eq!(counts.get("der"), Some(2));

    for batch in counts.as_utf8(Utf8::Strict)? {
        println!("{batch:?}");
    }
    Ok(())
}
