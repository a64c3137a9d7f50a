//! A folder of the local file system.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::parts::{MANIFEST, Part, PartStore, epoch_folder, epoch_of, staging_folder};
use crate::shown_name;
use crate::stream::checkpoint::atomic_file::sync_folder;
use crate::write::cannot_write;
use crate::{Error, ErrorKind, Result};

/// A folder whose epochs appear by a rename.
pub(super) struct LocalParts(pub(super) PathBuf);

struct LocalPart {
    path: PathBuf,
    file: BufWriter<File>,
}

impl LocalParts {
    fn epoch(&self, epoch: u64) -> PathBuf {
        self.0.join(epoch_folder(epoch))
    }

    fn staging(&self, epoch: u64) -> PathBuf {
        self.0.join(staging_folder(epoch))
    }

    fn cannot_read(&self, cause: io::Error) -> Error {
        let message = format!("cannot read the folder `{}`", shown_name(&self.0));
        Error::new(ErrorKind::Sink, message).with_source(cause)
    }
}

fn cannot(path: &Path) -> impl Fn(io::Error) -> Error {
    move |cause| cannot_write(&format!("`{}`", shown_name(path)), cause)
}

impl PartStore for LocalParts {
    fn describe(&self) -> String {
        format!("files:{}", shown_name(&self.0))
    }

    fn start(&mut self) -> Result<()> {
        fs::create_dir_all(&self.0).map_err(cannot(&self.0))
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        let files = fs::read_dir(&self.0).map_err(|cause| self.cannot_read(cause))?;
        let mut last = None;
        for file in files {
            let name = file.map_err(|cause| self.cannot_read(cause))?.file_name();
            last = last.max(name.to_str().and_then(epoch_of));
        }
        Ok(last)
    }

    fn manifest(&mut self, epoch: u64) -> Result<Option<Vec<u8>>> {
        Ok(fs::read(self.epoch(epoch).join(MANIFEST)).ok())
    }

    fn begin(&mut self, epoch: u64) -> Result<bool> {
        let folder = self.staging(epoch);
        let _ = fs::remove_dir_all(&folder);
        // It is there if only the fsync after the rename has failed.
        if self.epoch(epoch).exists() {
            return Ok(false);
        }
        fs::create_dir(&folder).map_err(cannot(&folder))?;
        Ok(true)
    }

    fn part(&mut self, epoch: u64, name: &str) -> Result<Box<dyn Part>> {
        let path = self.staging(epoch).join(name);
        let file = File::create(&path).map_err(cannot(&path))?;
        let file = BufWriter::with_capacity(256 << 10, file);
        Ok(Box::new(LocalPart { path, file }))
    }

    fn stage(&mut self, epoch: u64, _: &[String], manifest: Vec<u8>) -> Result<()> {
        let folder = self.staging(epoch);
        let write = || {
            let mut file = File::create(folder.join(MANIFEST))?;
            file.write_all(&manifest)?;
            file.sync_all()?;
            sync_folder(&folder)
        };
        write().map_err(cannot(&folder))
    }

    fn commit(&mut self, epoch: u64) -> Result<bool> {
        let folder = self.epoch(epoch);
        let is_new = !folder.exists();
        let renamed = match is_new {
            true => fs::rename(self.staging(epoch), &folder),
            false => Ok(()),
        };
        let synced = renamed.and_then(|()| sync_folder(&self.0));
        synced.map(|()| is_new).map_err(cannot(&folder))
    }
}

impl Write for LocalPart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Part for LocalPart {
    fn finish(self: Box<Self>) -> Result<()> {
        let written = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error);
        let synced = written.and_then(|file| file.sync_all());
        synced.map_err(cannot(&self.path))
    }
}
