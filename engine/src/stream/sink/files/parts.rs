//! Where the parts of epochs are put: what [`FilesSink`](super::FilesSink) writes to.

use std::io::Write;

use crate::Result;

/// The file that tells what the folder of an epoch contains.
pub const MANIFEST: &str = "_manifest.json";

/// The folder of an epoch: `epoch=00000007`.
#[must_use]
pub fn epoch_folder(epoch: u64) -> String {
    format!("epoch={epoch:08}")
}

/// The epoch of a folder's name.
#[must_use]
pub fn epoch_of(folder: &str) -> Option<u64> {
    folder.strip_prefix("epoch=")?.parse().ok()
}

/// How the name of the folder of an epoch begins before it is complete, in places that can rename folders. What comes
/// after it must differ for two queries, so that they do not write into one folder.
#[must_use]
pub fn staging_folder(epoch: u64) -> String {
    format!("_unfinished-{epoch:08}")
}

/// A place that keeps a folder for every epoch, such as a folder of a file system or a prefix of a bucket.
///
/// ```text
/// begin(7) ─▶ part(7, "part-00000.tsv") ─▶ stage(7, manifest) ─▶ commit(7)
/// ```
///
/// Until `commit` readers do not see the epoch: its folder is not there, or has no manifest.
///
/// All calls fail with [`crate::ErrorKind::Sink`], or with [`crate::ErrorKind::Unavailable`] if the system does
/// not answer: then the query begins the same epoch again.
pub trait PartStore: Send {
    /// The URL, for people: without user names and passwords.
    fn describe(&self) -> String;

    /// Makes the place, if it is not there. The query has this id, the same after restarts.
    ///
    /// # Errors
    ///
    /// If nothing can be written there.
    fn start(&mut self, query: &str) -> Result<()>;

    /// The last epoch that is committed.
    ///
    /// # Errors
    ///
    /// If it cannot be found out.
    fn last_epoch(&mut self) -> Result<Option<u64>>;

    /// The manifest of an epoch, if the epoch is committed and has one.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn manifest(&mut self, epoch: u64) -> Result<Option<Vec<u8>>>;

    /// The bytes after which a part ends, if there is a limit. It gets larger by one batch, and by what the
    /// format writes at the end of a file.
    fn most_part_bytes(&self) -> Option<u64> {
        None
    }

    /// Begins an epoch. Returns `false` if it is committed, because an answer to `commit` was lost; then
    /// nothing is to be written.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn begin(&mut self, epoch: u64) -> Result<bool>;

    /// Begins a part of an epoch.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn part(&mut self, epoch: u64, name: &str) -> Result<Box<dyn Part>>;

    /// Keeps the manifest of the epoch, which tells its parts. What else an attempt before has left is
    /// removed.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn stage(&mut self, epoch: u64, parts: &[String], manifest: Vec<u8>) -> Result<()>;

    /// Shows the epoch, at once. Returns `false` if it was there already: because an answer was lost, or because
    /// another query writes to the same place.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn commit(&mut self, epoch: u64) -> Result<bool>;
}

/// A part that is written. A write may fail with a [`crate::Error`] inside of [`std::io::Error`].
pub trait Part: Write + Send {
    /// Makes the part durable.
    ///
    /// # Errors
    ///
    /// As of [`PartStore`].
    fn finish(self: Box<Self>) -> Result<()>;
}
