//! What a device is asked to do, as a list that can be printed and checked without a device.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;
use keymill_shaders::{Binding, Stage};

/// One of a recording's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferId(pub(crate) usize);

/// One of a recording's downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DownloadId(pub(crate) usize);

/// A buffer on the device.
#[derive(Clone, Debug)]
pub(crate) struct BufferSpec {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) content: Content,
}

/// What a buffer holds when the recording begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Zeros.
    Zeros,
    /// Whatever an earlier recording left there: it is written before it is read.
    Anything,
    /// What the last recording with it left there; zeros the first time.
    Kept(Kept),
}

/// Names a buffer that stays on a device from one recording to the next, until the device is told
/// to forget it. It has the same size in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kept(u64);

impl Kept {
    /// A name that no other buffer has.
    pub(crate) fn new() -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        Self(NAMES.fetch_add(1, Ordering::Relaxed))
    }
}

/// How much of a buffer is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many bytes.
    Bytes(u64),
    /// So many items of `item_bytes` as word `word` of an earlier download says: only results that
    /// are there are read back.
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

/// Uploads, stage runs and downloads: all uploads come first, the others in order, and what follows
/// the last download is not run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    buffers: Vec<BufferSpec>,
    commands: Vec<Command>,
    downloads: usize,
    is_timed: bool,
}

impl Recording {
    /// Asks for a buffer of zeros.
    pub(crate) fn buffer(&mut self, name: &'static str, bytes: u64) -> BufferId {
        self.add(name, bytes, Content::Zeros)
    }

    /// Asks for a buffer that is written before it is read.
    pub(crate) fn scratch(&mut self, name: &'static str, bytes: u64) -> BufferId {
        self.add(name, bytes, Content::Anything)
    }

    /// Asks for a buffer that stays on the device.
    pub(crate) fn kept(&mut self, kept: Kept, name: &'static str, bytes: u64) -> BufferId {
        self.add(name, bytes, Content::Kept(kept))
    }

    /// No buffer is empty: a device binds no empty ones.
    fn add(&mut self, name: &'static str, bytes: u64, content: Content) -> BufferId {
        let bytes = bytes.max(16).next_multiple_of(16);
        self.buffers.push(BufferSpec {
            name,
            bytes,
            content,
        });
        BufferId(self.buffers.len() - 1)
    }

    /// Asks how long each run takes, where the device can tell.
    pub(crate) fn time(&mut self) {
        self.is_timed = true;
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Asks for a buffer of these bytes; zeros follow up to its end.
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

    /// Uploads bytes into a buffer; zeros follow up to its end.
    pub(crate) fn upload_to(&mut self, to: BufferId, bytes: impl Into<Buffer>) {
        let bytes = bytes.into();
        debug_assert!(bytes.len() as u64 <= self.buffers[to.0].bytes);
        let runs = |it: &Command| matches!(it, Command::Run { .. });
        debug_assert!(
            !self.commands.iter().any(runs),
            "an upload would overtake what runs before it"
        );
        if !bytes.is_empty() {
            self.commands.push(Command::Upload { to, bytes });
        }
    }

    /// Runs an entry of a stage's shader.
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

    /// The buffers that stay on the device.
    pub(crate) fn kept_ones(&self) -> impl Iterator<Item = Kept> {
        self.buffers
            .iter()
            .filter_map(|buffer| match buffer.content {
                Content::Kept(kept) => Some(kept),
                _ => None,
            })
    }

    /// How many runs there are.
    pub(crate) fn runs(&self) -> usize {
        let runs = |it: &&Command| matches!(it, Command::Run { .. });
        self.commands.iter().filter(runs).count()
    }

    pub(crate) fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Whether a buffer is bound as parameters.
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
                        "run {stage}.{entry} on {groups} groups ({})",
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
                        "download {item_bytes} bytes of {} for each that word {word} of download {} counts",
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
    fn a_recording_reads_as_what_it_does() {
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
                        run self_test.long_loop on 1 groups (params, answers, word)\n\
                        download 4 bytes of answers\n\
                        download 8 bytes of answers for each that word 0 of download 0 counts\n";
        assert_eq!(recording.to_string(), expected);
        assert!(recording.is_uniform(params) && !recording.is_uniform(answers));
        assert_eq!(recording.buffers()[1].bytes, 32);
        assert_eq!(recording.buffers()[2].bytes, 16);
        assert_eq!(recording.runs(), 1);
    }

    #[test]
    fn a_buffer_knows_what_it_holds() {
        let mut recording = Recording::default();
        let kept = Kept::new();
        assert_ne!(kept, Kept::new());
        let ids = [
            recording.buffer("zeros", 4),
            recording.upload("nothing", Vec::<u8>::new()),
            recording.scratch("scratch", 4),
            recording.upload("bytes", vec![1u8]),
            recording.kept(kept, "table", 4),
        ];
        let contents = ids.map(|id| recording.buffers()[id.0].content);
        let (zeros, anything) = (Content::Zeros, Content::Anything);
        assert_eq!(
            contents,
            [zeros, zeros, anything, anything, Content::Kept(kept)]
        );
    }
}
