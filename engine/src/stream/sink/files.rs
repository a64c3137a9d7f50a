//! A folder for every epoch.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Delivery, EpochOutput, Sink, SinkContext};
use crate::shown_name;
use crate::stream::checkpoint::atomic_file::sync_folder;
use crate::write::{Format, cannot_write};
use crate::{Error, ErrorKind, Result};

/// The file that tells what an epoch's folder contains.
const MANIFEST: &str = "_manifest.json";

/// Writes a folder for every epoch: a part with the rows, and a manifest.
///
/// ```text
/// results/epoch=00000007/part-00000.tsv
/// results/epoch=00000007/_manifest.json
/// ```
///
/// A folder appears complete, by a rename. After a restart an epoch that is there is not written again,
/// so that every epoch is there exactly once.
pub struct FilesSink {
    folder: PathBuf,
    format: Format,
    context: Option<SinkContext>,
}

/// Counts the bytes that are written.
struct Counting<W> {
    out: W,
    bytes: u64,
    checksum: crc32fast::Hasher,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        self.checksum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl FilesSink {
    /// Writes to a folder, as TSV unless [`FilesSink::format`] is called. The folder is created.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
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

    fn epoch_folder(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("epoch={epoch:08}"))
    }

    /// Where an epoch is written before it is complete.
    fn staging_folder(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("_unfinished-{epoch:08}"))
    }

    fn file_ending(&self) -> &'static str {
        match self.format {
            Format::Table => "txt",
            other => other.name(),
        }
    }

    /// The numbers of the epochs that are there.
    fn epochs(&self) -> Result<Vec<u64>> {
        let files = fs::read_dir(&self.folder).map_err(|cause| self.cannot_read(cause))?;
        let mut epochs = Vec::new();
        for file in files {
            let name = file.map_err(|cause| self.cannot_read(cause))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("epoch="));
            epochs.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        Ok(epochs)
    }

    fn cannot_read(&self, cause: io::Error) -> Error {
        let message = format!("cannot read the folder `{}`", shown_name(&self.folder));
        Error::new(ErrorKind::Sink, message).with_source(cause)
    }

    /// Checks that the last epoch here is of the same query.
    fn check_owner(&self, query: &str) -> Result<()> {
        let Some(last) = self.epochs()?.into_iter().max() else {
            return Ok(());
        };
        let path = self.epoch_folder(last).join(MANIFEST);
        let manifest = fs::read(&path).ok();
        let manifest = manifest.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let owner = manifest.as_ref().and_then(|it| it.get("query")?.as_str());
        if owner == Some(query) {
            return Ok(());
        }
        let message = format!(
            "`{}` has results of another query; name an empty folder, or the checkpoint of that \
             query",
            shown_name(&self.folder)
        );
        Err(Error::new(ErrorKind::Sink, message))
    }

    fn write_part(&self, path: &Path, output: EpochOutput<'_>) -> Result<Value> {
        let fail = |cause| cannot_write(&format!("`{}`", shown_name(path)), cause);
        let file = File::create(path).map_err(fail)?;
        let mut out = Counting {
            out: BufWriter::with_capacity(256 << 10, file),
            bytes: 0,
            checksum: crc32fast::Hasher::new(),
        };
        let mut rows = 0;
        {
            let mut writer = self.format.writer(&self.context()?.schema, &mut out)?;
            for batch in output.batches {
                let batch = batch?;
                rows += batch.num_rows();
                writer.write(&batch)?;
            }
            writer.finish()?;
        }
        let file = out
            .out
            .into_inner()
            .map_err(|cause| fail(cause.into_error()))?;
        file.sync_all().map_err(fail)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let crc32 = format!("{:08x}", out.checksum.finalize());
        Ok(json!({"name": name, "rows": rows, "bytes": out.bytes, "crc32": crc32}))
    }

    fn write_manifest(&self, folder: &Path, epoch: u64, part: &Value) -> io::Result<()> {
        let query = self.context.as_ref().map(|context| &context.query);
        let manifest = json!({"query": query, "epoch": epoch, "parts": [part]});
        let mut file = File::create(folder.join(MANIFEST))?;
        writeln!(file, "{manifest}")?;
        file.sync_all()?;
        sync_folder(folder)
    }
}

impl Sink for FilesSink {
    fn describe(&self) -> String {
        format!("files:{}", shown_name(&self.folder))
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn start(&mut self, context: &SinkContext) -> Result<()> {
        let folder = format!("`{}`", shown_name(&self.folder));
        fs::create_dir_all(&self.folder).map_err(|cause| cannot_write(&folder, cause))?;
        self.context = Some(context.clone());
        self.check_owner(&context.query)?;
        // A format that cannot write the columns is refused now.
        self.format.writer(&context.schema, io::sink()).map(|_| ())
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        Ok(self.epochs()?.into_iter().max())
    }

    fn prepare(&mut self, output: EpochOutput<'_>) -> Result<()> {
        let epoch = output.epoch;
        let folder = self.staging_folder(epoch);
        let _ = fs::remove_dir_all(&folder);
        let fail = |cause| cannot_write(&format!("`{}`", shown_name(&folder)), cause);
        fs::create_dir(&folder).map_err(fail)?;
        let part = folder.join(format!("part-00000.{}", self.file_ending()));
        let part = self.write_part(&part, output)?;
        self.write_manifest(&folder, epoch, &part).map_err(fail)
    }

    fn commit(&mut self, epoch: u64) -> Result<()> {
        let folder = self.epoch_folder(epoch);
        // It is there if only the fsync after the rename has failed.
        let renamed = match folder.exists() {
            true => fs::remove_dir_all(self.staging_folder(epoch)),
            false => fs::rename(self.staging_folder(epoch), &folder),
        };
        let done = renamed.and_then(|()| sync_folder(&self.folder));
        done.map_err(|cause| cannot_write(&format!("`{}`", shown_name(&folder)), cause))
    }
}
