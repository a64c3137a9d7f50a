//! Runs a statement of Cassandra and prints its rows: `cql HOST:PORT STATEMENT`, for scripts.
#![forbid(unsafe_code)]

use std::error::Error;

use scylla::client::session_builder::SessionBuilder;
use scylla::value::{CqlValue, Row};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(statement)) = (arguments.next(), arguments.next()) else {
        return Err("write cql HOST:PORT STATEMENT".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let session = SessionBuilder::new().known_node(address).build().await?;
        Ok::<_, Box<dyn Error>>(session.query_unpaged(statement, &[]).await?)
    })?;
    if !answer.is_rows() {
        return Ok(());
    }
    for row in answer.into_rows_result()?.rows::<Row>()? {
        let columns = row?.columns.into_iter().map(|it| match it {
            Some(CqlValue::Text(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        });
        println!("{}", columns.collect::<Vec<_>>().join("\t"));
    }
    Ok(())
}
