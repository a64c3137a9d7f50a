//! A folder for every epoch.

mod local;
pub mod parts;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Delivery, EpochOutput, Sink, SinkContext};
use crate::write::Format;
use crate::{Error, ErrorKind, Result};

use local::LocalParts;
use parts::{Part, PartStore};

/// Writes a folder for every epoch: parts with the rows, and a manifest.
///
/// ```text
/// results/epoch=00000007/part-00000.tsv
/// results/epoch=00000007/_manifest.json
/// ```
///
/// An epoch appears complete: in a file system by a rename of its folder, elsewhere by its manifest. After a
/// restart an epoch that is there is not written again, so that every epoch is there exactly once.
pub struct FilesSink {
    store: Box<dyn PartStore>,
    format: Format,
    context: Option<SinkContext>,
}

/// Counts the bytes of a part.
struct Counting {
    part: Box<dyn Part>,
    /// The writer of the format has this until it is finished.
    bytes: Arc<AtomicU64>,
    checksum: crc32fast::Hasher,
    /// Why a write failed, if the part says it.
    failure: Option<Error>,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.part.write(bytes).inspect_err(|cause| {
            let cause = cause.get_ref().and_then(|cause| cause.downcast_ref());
            self.failure = cause.cloned();
        })?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        self.checksum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.part.flush()
    }
}

impl FilesSink {
    /// Writes to a folder, as TSV unless [`FilesSink::format`] is called. The folder is created.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::to(LocalParts::new(folder.into()))
    }

    /// Writes to another place than a folder of the local file system.
    #[must_use]
    pub fn to(store: impl PartStore + 'static) -> Self {
        Self {
            store: Box::new(store),
            format: Format::Tsv,
            context: None,
        }
    }

    /// Sets the format of the parts.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    fn context(&self) -> Result<&SinkContext> {
        let started = self.context.as_ref();
        started.ok_or_else(|| Error::new(ErrorKind::Internal, "the sink was not started"))
    }

    fn part_name(&self, number: usize) -> String {
        let ending = match self.format {
            Format::Table => "txt",
            other => other.name(),
        };
        format!("part-{number:05}.{ending}")
    }

    /// Checks that an epoch here is of the same query.
    fn check_owner(&mut self, epoch: u64, query: &str) -> Result<()> {
        let manifest = self.store.manifest(epoch)?;
        let manifest = manifest.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let owner = manifest.as_ref().and_then(|it| it.get("query")?.as_str());
        if owner == Some(query) {
            return Ok(());
        }
        let message = format!(
            "`{}` has results of another query; name an empty folder, or the checkpoint of that \
             query",
            self.store.describe()
        );
        Err(Error::new(ErrorKind::Sink, message))
    }

    /// Writes batches to a part until it is full. Returns what the manifest tells of it.
    fn write_part(&mut self, name: &str, epoch: u64, output: &mut Batches<'_>) -> Result<Value> {
        let most = self.store.most_part_bytes().unwrap_or(u64::MAX);
        let mut out = Counting {
            part: self.store.part(epoch, name)?,
            bytes: Arc::default(),
            checksum: crc32fast::Hasher::new(),
            failure: None,
        };
        let rows = self.write_rows(&mut out, most, output);
        let rows = rows.map_err(|error| out.failure.take().unwrap_or(error))?;
        out.part.finish()?;
        let crc32 = format!("{:08x}", out.checksum.finalize());
        Ok(
            json!({"name": name, "rows": rows, "bytes": out.bytes.load(Ordering::Relaxed), "crc32": crc32}),
        )
    }

    fn write_rows(&self, out: &mut Counting, most: u64, output: &mut Batches<'_>) -> Result<usize> {
        let (mut rows, bytes) = (0, out.bytes.clone());
        let mut writer = self.format.writer(&self.context()?.schema, &mut *out)?;
        while bytes.load(Ordering::Relaxed) < most {
            let Some(batch) = output.next() else { break };
            let batch = batch?;
            rows += batch.num_rows();
            writer.write(&batch)?;
        }
        writer.finish()?;
        drop(writer);
        Ok(rows)
    }
}

type Batches<'a> =
    std::iter::Peekable<&'a mut dyn Iterator<Item = Result<arrow_array::RecordBatch>>>;

impl Sink for FilesSink {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        self.context = Some(context.clone());
        // A format that cannot write the columns is refused now.
        self.format.writer(&context.schema, io::sink())?;
        self.store.start(&context.query)?;
        match self.store.last_epoch()? {
            Some(last) => self.check_owner(last, &context.query),
            None => Ok(()),
        }
    }

    fn may_start_later(&self) -> bool {
        true
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        self.store.last_epoch()
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let epoch = output.epoch;
        if !self.store.begin(epoch)? {
            return Ok(());
        }
        let mut batches = output.batches.peekable();
        let (mut parts, mut names) = (Vec::new(), Vec::new());
        // An epoch without rows has a part, too.
        while parts.is_empty() || batches.peek().is_some() {
            let name = self.part_name(parts.len());
            parts.push(self.write_part(&name, epoch, &mut batches)?);
            names.push(name);
        }
        let query = &self.context()?.query;
        let manifest = json!({"query": query, "epoch": epoch, "parts": parts});
        let manifest = format!("{manifest}\n").into_bytes();
        self.store.stage(epoch, &names, manifest)
    }

    fn commit(&mut self, epoch: u64) -> Result<()> {
        if self.store.commit(epoch)? {
            return Ok(());
        }
        let query = self.context()?.query.clone();
        self.check_owner(epoch, &query)
    }
}
