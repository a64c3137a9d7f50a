//! Writes rows to a store with its client alone, as fast as the client does it: what `scripts/store-speed`
//! compares with.
//!
//! ```text
//! bare_stores redis|cassandra|opensearch HOST:PORT/NAME EPOCHS ROWS   as many requests at once as the sink sends
//! bare_stores hdfs|s3 HOST:PORT/NAME FILES FILE                       copies of a local file
//! ```
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStoreExt, path::Path};
use scylla::client::session_builder::SessionBuilder;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rows of a request, and rows of Cassandra on their way at the same time: as the sinks have them.
const BATCH: usize = 2000;
const AT_ONCE: usize = 256;

/// Bytes that are given to HDFS at once, and the bytes of an object of S3.
const BUFFER: usize = 1 << 20;
const OBJECT: usize = 16 << 20;

/// The time before a refused request is sent again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, place, count, what] = &arguments[..] else {
        return Err("write bare_stores STORE HOST:PORT/NAME COUNT ROWS|FILE".into());
    };
    let (address, name) = place.split_once('/').ok_or("write HOST:PORT/NAME")?;
    let count = count.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match store.as_str() {
        "redis" => redis(address, name, count, what.parse()?),
        "opensearch" => opensearch(address, name, count, what.parse()?),
        "cassandra" => runtime.block_on(cassandra(address, name, count, what.parse()?)),
        "hdfs" => runtime.block_on(hdfs(address, name, count, std::fs::read(what)?.into())),
        "s3" => runtime.block_on(s3(address, name, count, std::fs::read(what)?.into())),
        _ => Err(format!("no store `{store}`").into()),
    }
}

fn site(row: usize) -> String {
    format!("site{row:07}")
}

/// Pipelines of HSET.
fn redis(address: &str, name: &str, epochs: usize, rows: usize) -> Result<()> {
    let client = redis::Client::open(format!("redis://{address}"))?;
    let mut connection = client.get_connection()?;
    for epoch in 0..epochs {
        for first in (0..rows).step_by(BATCH) {
            let mut pipe = redis::pipe();
            for row in first..rows.min(first + BATCH) {
                let key = format!("{name}:{}", site(row));
                let fields = [("total", epoch), ("epoch", epoch)];
                pipe.hset_multiple(key, &fields).ignore();
            }
            pipe.query::<()>(&mut connection)?;
        }
    }
    Ok(())
}

/// Requests to `_bulk`.
fn opensearch(address: &str, name: &str, epochs: usize, rows: usize) -> Result<()> {
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{address}/{name}");
    let mapping =
        r#"{"mappings":{"properties":{"site":{"type":"keyword"},"total":{"type":"long"}}}}"#;
    agent
        .put(&url)
        .content_type("application/json")
        .send(mapping)?;
    let bulk = format!("{url}/_bulk?filter_path=errors");
    for epoch in 0..epochs {
        for first in (0..rows).step_by(BATCH) {
            let mut body = String::new();
            for row in first..rows.min(first + BATCH) {
                let (id, version) = (site(row), epoch + 1);
                body += &format!(
                    "{{\"index\":{{\"_id\":\"{id}\",\"version\":{version},\"version_type\":\"external_gte\"}}}}\n\
                     {{\"site\":\"{id}\",\"total\":{epoch}}}\n"
                );
            }
            let send = || {
                let request = agent.post(&bulk).content_type("application/json");
                request.send(&body)?.body_mut().read_to_string()
            };
            // The server is short of memory; the sink waits, too.
            let answer = loop {
                match send() {
                    Err(ureq::Error::StatusCode(429)) => std::thread::sleep(PAUSE),
                    answer => break answer?,
                }
            };
            if !answer.contains("\"errors\":false") {
                return Err(answer.into());
            }
        }
    }
    Ok(())
}

/// A prepared statement, many times at once.
async fn cassandra(address: &str, name: &str, epochs: usize, rows: usize) -> Result<()> {
    let session = SessionBuilder::new().known_node(address).build().await?;
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    let (keyspace, _) = name.split_once('.').ok_or("write KEYSPACE.TABLE")?;
    let keyspace =
        format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}");
    session.query_unpaged(keyspace, ()).await?;
    let table = format!("CREATE TABLE IF NOT EXISTS {name} (site text PRIMARY KEY, total bigint)");
    session.query_unpaged(table, ()).await?;
    let insert = format!("INSERT INTO {name} (site, total) VALUES (?, ?) USING TIMESTAMP ?");
    let insert = session.prepare(insert).await?;
    let now = 1_700_000_000_000_000_i64;
    for epoch in 0..epochs as i64 {
        let rows = stream::iter(0..rows).map(|row| {
            let values = (site(row), epoch, now + epoch);
            session.execute_unpaged(&insert, values)
        });
        let rows = rows.buffer_unordered(AT_ONCE);
        rows.try_for_each(|_| std::future::ready(Ok(()))).await?;
    }
    Ok(())
}

/// Files that are synced and renamed.
async fn hdfs(address: &str, name: &str, files: usize, bytes: Bytes) -> Result<()> {
    let client = hdfs_native::ClientBuilder::new()
        .with_url(format!("hdfs://{address}"))
        .build()?;
    client.mkdirs(&format!("/{name}"), 0o755, true).await?;
    for file in 0..files {
        let (path, whole) = (format!("/{name}/_{file}"), format!("/{name}/{file}"));
        let options = hdfs_native::WriteOptions::default();
        let mut writer = client.create(&path, options).await?;
        for at in (0..bytes.len()).step_by(BUFFER) {
            let end = bytes.len().min(at + BUFFER);
            writer.write_bytes(bytes.slice(at..end)).await?;
        }
        writer.hsync().await?;
        writer.close().await?;
        client.rename(&path, &whole, false).await?;
    }
    Ok(())
}

/// Objects, one after the other.
async fn s3(address: &str, name: &str, files: usize, bytes: Bytes) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (bucket, prefix) = name.split_once('/').ok_or("write BUCKET/PREFIX")?;
    let store = AmazonS3Builder::from_env()
        .with_region("us-east-1")
        .with_endpoint(format!("http://{address}"))
        .with_allow_http(true)
        .with_bucket_name(bucket);
    let store = Arc::new(store.build()?);
    for file in 0..files {
        for (part, at) in (0..bytes.len()).step_by(OBJECT).enumerate() {
            let object = bytes.slice(at..bytes.len().min(at + OBJECT));
            let path = Path::from(format!("{prefix}/{file}/{part}"));
            store.put(&path, object.into()).await?;
        }
    }
    Ok(())
}
