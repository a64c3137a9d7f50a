//! A list of device commands that can be printed and checked without a device.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;
use keymill_shaders::{Binding, Stage};

/// The number of a buffer in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferId(pub(crate) usize);

/// The number of a download in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DownloadId(pub(crate) usize);

/// A buffer on the device.
#[derive(Clone, Debug)]
pub(crate) struct BufferSpec {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) content: Content,
}

/// The content of a buffer when the recording starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Zeros.
    Zeros,
    /// Undefined. It is written before it is read.
    Anything,
    /// The content after the last recording that used the buffer; zeros the first time.
    Persistent(PersistentId),
}

/// Identifies a buffer that stays on the device between recordings, until it is freed. Its size
/// never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PersistentId(u64);

impl PersistentId {
    /// Creates an id that no other buffer has.
    pub(crate) fn new() -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        Self(NAMES.fetch_add(1, Ordering::Relaxed))
    }
}

/// The size of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A fixed number of bytes.
    Bytes(u64),
    /// A number of items of `item_bytes` bytes each. The number is word `word` of an earlier
    /// download, so that only valid results are downloaded.
    Counted {
        by: DownloadId,
        word: usize,
        item_bytes: u64,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Upload {
        to: BufferId,
        bytes: Buffer,
    },
    Run {
        stage: Stage,
        entry: &'static str,
        /// In the order of [`Stage::bindings`].
        buffers: Vec<BufferId>,
        groups: u32,
    },
    Download {
        from: BufferId,
        extent: Extent,
    },
}

/// Uploads, stage runs and downloads. All uploads come first, then runs and downloads in order.
/// Runs after the last download are not executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    buffers: Vec<BufferSpec>,
    commands: Vec<Command>,
    downloads: usize,
    is_timed: bool,
}

impl Recording {
    /// Adds a buffer of zeros.
    pub(crate) fn buffer(&mut self, name: &'static str, bytes: u64) -> BufferId {
        self.add(name, bytes, Content::Zeros)
    }

    /// Adds a buffer that is written before it is read.
    pub(crate) fn scratch(&mut self, name: &'static str, bytes: u64) -> BufferId {
        self.add(name, bytes, Content::Anything)
    }

    /// Adds a buffer that stays on the device.
    pub(crate) fn persistent(
        &mut self,
        id: PersistentId,
        name: &'static str,
        bytes: u64,
    ) -> BufferId {
        self.add(name, bytes, Content::Persistent(id))
    }

    /// Adds a buffer of at least 16 bytes: devices cannot bind empty buffers.
    fn add(&mut self, name: &'static str, bytes: u64, content: Content) -> BufferId {
        let bytes = bytes.max(16).next_multiple_of(16);
        self.buffers.push(BufferSpec {
            name,
            bytes,
            content,
        });
        BufferId(self.buffers.len() - 1)
    }

    /// Requests the time of each run, if the device has a clock.
    pub(crate) fn time(&mut self) {
        self.is_timed = true;
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Adds a buffer with these bytes. The rest of the buffer is zeros.
    pub(crate) fn upload(&mut self, name: &'static str, bytes: impl Into<Buffer>) -> BufferId {
        let bytes = bytes.into();
        let content = match bytes.is_empty() {
            true => Content::Zeros,
            false => Content::Anything,
        };
        let to = self.add(name, bytes.len() as u64, content);
        self.upload_to(to, bytes);
        to
    }

    /// Uploads bytes into a buffer. The rest of the buffer is zeros.
    pub(crate) fn upload_to(&mut self, to: BufferId, bytes: impl Into<Buffer>) {
        let bytes = bytes.into();
        debug_assert!(bytes.len() as u64 <= self.buffers[to.0].bytes);
        let runs = |it: &Command| matches!(it, Command::Run { .. });
        debug_assert!(
            !self.commands.iter().any(runs),
            "an upload after a run would execute before it"
        );
        if !bytes.is_empty() {
            self.commands.push(Command::Upload { to, bytes });
        }
    }

    /// Runs an entry point of a stage's shader.
    pub(crate) fn run(
        &mut self,
        stage: Stage,
        entry: &'static str,
        buffers: &[BufferId],
        groups: u32,
    ) {
        debug_assert_eq!(buffers.len(), stage.bindings().len());
        self.commands.push(Command::Run {
            stage,
            entry,
            buffers: buffers.to_vec(),
            groups,
        });
    }

    pub(crate) fn download(&mut self, from: BufferId, extent: Extent) -> DownloadId {
        self.commands.push(Command::Download { from, extent });
        self.downloads += 1;
        DownloadId(self.downloads - 1)
    }

    pub(crate) fn buffers(&self) -> &[BufferSpec] {
        &self.buffers
    }

    /// Returns the ids of the persistent buffers.
    pub(crate) fn persistent_ids(&self) -> impl Iterator<Item = PersistentId> {
        self.buffers
            .iter()
            .filter_map(|buffer| match buffer.content {
                Content::Persistent(id) => Some(id),
                _ => None,
            })
    }

    /// Returns the number of runs.
    pub(crate) fn runs(&self) -> usize {
        let runs = |it: &&Command| matches!(it, Command::Run { .. });
        self.commands.iter().filter(runs).count()
    }

    pub(crate) fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Tells whether a buffer is bound as a uniform.
    pub(crate) fn is_uniform(&self, buffer: BufferId) -> bool {
        self.commands.iter().any(|command| {
            let Command::Run { stage, buffers, .. } = command else {
                return false;
            };
            let mut bound = buffers.iter().zip(stage.bindings());
            bound.any(|(id, how)| *id == buffer && *how == Binding::Uniform)
        })
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &BufferId| self.buffers[id.0].name;
        for command in &self.commands {
            match command {
                Command::Upload { to, bytes } => {
                    writeln!(f, "upload {} bytes to {}", bytes.len(), name(to))?;
                }
                Command::Run {
                    stage,
                    entry,
                    buffers,
                    groups,
                } => {
                    let names: Vec<&str> = buffers.iter().map(name).collect();
                    let stage = stage.name();
                    writeln!(
                        f,
                        "run {stage}.{entry} on {groups} workgroups ({})",
                        names.join(", ")
                    )?;
                }
                Command::Download { from, extent } => match extent {
                    Extent::Bytes(bytes) => {
                        writeln!(f, "download {bytes} bytes of {}", name(from))?
                    }
                    Extent::Counted {
                        by,
                        word,
                        item_bytes,
                    } => writeln!(
                        f,
                        "download {item_bytes} bytes of {} times word {word} of download {}",
                        name(from),
                        by.0
                    )?,
                },
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_prints_its_commands() {
        let mut recording = Recording::default();
        let params = recording.upload("params", vec![0u8; 16]);
        let answers = recording.buffer("answers", 20);
        let word = recording.upload("word", Vec::<u8>::new());
        recording.run(Stage::SelfTest, "long_loop", &[params, answers, word], 1);
        let summary = recording.download(answers, Extent::Bytes(4));
        let counted = Extent::Counted {
            by: summary,
            word: 0,
            item_bytes: 8,
        };
        recording.download(answers, counted);
        let expected = "upload 16 bytes to params\n\
                        run self_test.long_loop on 1 workgroups (params, answers, word)\n\
                        download 4 bytes of answers\n\
                        download 8 bytes of answers times word 0 of download 0\n";
        assert_eq!(recording.to_string(), expected);
        assert!(recording.is_uniform(params) && !recording.is_uniform(answers));
        assert_eq!(recording.buffers()[1].bytes, 32);
        assert_eq!(recording.buffers()[2].bytes, 16);
        assert_eq!(recording.runs(), 1);
    }

    #[test]
    fn the_content_of_a_buffer_depends_on_how_it_was_added() {
        let mut recording = Recording::default();
        let id = PersistentId::new();
        assert_ne!(id, PersistentId::new());
        let ids = [
            recording.buffer("zeros", 4),
            recording.upload("nothing", Vec::<u8>::new()),
            recording.scratch("scratch", 4),
            recording.upload("bytes", vec![1u8]),
            recording.persistent(id, "table", 4),
        ];
        let contents = ids.map(|id| recording.buffers()[id.0].content);
        let (zeros, anything) = (Content::Zeros, Content::Anything);
        assert_eq!(
            contents,
            [zeros, zeros, anything, anything, Content::Persistent(id)]
        );
    }
}
