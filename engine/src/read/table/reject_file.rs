//! The file of rejected rows. It gets its name when it is complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, ErrorKind, Result, shown_name};

/// A file that is written next to its place, and replaces what is there when it is complete. Pipes and devices
/// are written directly.
pub(super) struct RejectFile {
    name: PathBuf,
    out: Out,
}

enum Out {
    Direct(File),
    Beside(NamedTempFile, PathBuf),
    /// It was renamed.
    Done,
}

impl RejectFile {
    pub(super) fn create(name: &Path) -> Result<Self> {
        let out = open(name).map_err(|cause| failed(name, "cannot be created", cause))?;
        let name = name.to_owned();
        Ok(Self { name, out })
    }

    pub(super) fn write(&mut self, text: &[u8]) -> Result<()> {
        let written = match &mut self.out {
            Out::Direct(file) => file.write_all(text),
            Out::Beside(file, _) => file.write_all(text),
            Out::Done => Ok(()),
        };
        written.map_err(|cause| failed(&self.name, "cannot be written", cause))
    }

    /// Gives the file its name.
    pub(super) fn commit(&mut self) -> Result<()> {
        if let Out::Beside(file, target) = std::mem::replace(&mut self.out, Out::Done) {
            let renamed = file.persist(target).map_err(|failure| failure.error);
            renamed.map_err(|cause| failed(&self.name, "cannot be written", cause))?;
        }
        Ok(())
    }
}

fn open(name: &Path) -> io::Result<Out> {
    let target = match fs::metadata(name) {
        Ok(found) if !found.is_file() => return File::create(name).map(Out::Direct),
        // A read-only file is not replaced; of a symlink its target is.
        Ok(_) => {
            File::options().write(true).open(name)?;
            fs::canonicalize(name)?
        }
        Err(_) => name.to_owned(),
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keymill-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask applies, as for any new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    Ok(Out::Beside(builder.tempfile_in(folder)?, target))
}

fn failed(name: &Path, what: &str, cause: io::Error) -> Error {
    let message = format!("the file for bad rows, `{}`, {what}", shown_name(name));
    Error::new(ErrorKind::Sink, message).with_source(cause)
}
