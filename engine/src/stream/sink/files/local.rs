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
pub(super) struct LocalParts {
    folder: PathBuf,
    query: String,
}

struct LocalPart {
    path: PathBuf,
    file: BufWriter<File>,
}

impl LocalParts {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            query: String::new(),
        }
    }

    fn epoch(&self, epoch: u64) -> PathBuf {
        self.folder.join(epoch_folder(epoch))
    }

    fn staging(&self, epoch: u64) -> PathBuf {
        self.folder
            .join(format!("{}-{}", staging_folder(epoch), self.query))
    }

    fn cannot_read(&self, cause: io::Error) -> Error {
        let message = format!("cannot read the folder `{}`", shown_name(&self.folder));
        Error::new(ErrorKind::Sink, message).with_source(cause)
    }
}

fn cannot(path: &Path) -> impl Fn(io::Error) -> Error {
    move |cause| cannot_write(&format!("`{}`", shown_name(path)), cause)
}

impl PartStore for LocalParts {
    fn describe(&self) -> String {
        format!("files:{}", shown_name(&self.folder))
    }

    fn start(&mut self, query: &str) -> Result<()> {
        query.clone_into(&mut self.query);
        fs::create_dir_all(&self.folder).map_err(cannot(&self.folder))
    }

    fn last_epoch(&mut self) -> Result<Option<u64>> {
        let files = fs::read_dir(&self.folder).map_err(|cause| self.cannot_read(cause))?;
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
        let (staging, folder) = (self.staging(epoch), self.epoch(epoch));
        let mut is_new = !folder.exists();
        if is_new {
            match fs::rename(&staging, &folder) {
                // Another query was faster.
                Err(_) if folder.exists() => is_new = false,
                renamed => renamed.map_err(cannot(&folder))?,
            }
        }
        if !is_new {
            let _ = fs::remove_dir_all(&staging);
        }
        sync_folder(&self.folder).map_err(cannot(&folder))?;
        Ok(is_new)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_write_at_the_same_time_do_not_mix_their_parts() {
        let folder = tempfile::tempdir().unwrap();
        let mut stores = ["one", "other"].map(|query| {
            let mut store = LocalParts::new(folder.path().to_owned());
            store.start(query).unwrap();
            store
        });
        let parts = stores.each_mut().map(|store| {
            assert!(store.begin(0).unwrap());
            let mut part = store.part(0, "part").unwrap();
            part.write_all(store.query.as_bytes()).unwrap();
            part
        });
        for part in parts {
            part.finish().unwrap();
        }
        for store in &mut stores {
            let manifest = store.query.clone().into_bytes();
            store.stage(0, &["part".to_owned()], manifest).unwrap();
        }
        // One of them has the epoch, whole.
        assert_eq!(
            stores.each_mut().map(|it| it.commit(0).unwrap()),
            [true, false]
        );
        assert_eq!(stores[1].manifest(0).unwrap().unwrap(), b"one");
        let part = fs::read(folder.path().join(epoch_folder(0)).join("part"));
        assert_eq!(part.unwrap(), b"one");
        // Nothing else stays.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
