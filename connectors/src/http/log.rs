//! Bodies that were accepted, in order, until their epochs are committed: in memory, and in files if they
//! must be durable.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use keymill::read::MemorySource;
use keymill::stream::{EpochLimits, OffsetRange, Wake};
use keymill::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::budget::{Budget, Held, Shared};
use super::segment::{self, Place, Segment};

/// The size at which a new file begins.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The most bytes that are made durable together.
const TOGETHER: usize = 16 << 20;

/// Texts that are smaller are put together for an epoch.
const PIECE: usize = 512 << 10;

/// What the sender of a body is told: that it is accepted, or why it is not.
pub(super) type Answer = std::result::Result<(), String>;

/// The log. Clones are the same log.
#[derive(Clone)]
pub(super) struct Log(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    wake: Wake,
    budget: Budget,
    folder: Option<PathBuf>,
    /// The most bytes of an epoch.
    most: u64,
}

#[derive(Default)]
struct State {
    bodies: VecDeque<Body>,
    /// Bodies that the thread of the log has not written yet.
    unwritten: VecDeque<Unwritten>,
    /// After all that was accepted.
    end: u64,
    /// After what epochs have chosen.
    chosen: u64,
    committed: u64,
    /// Files, with the offsets of their ends.
    files: VecDeque<(PathBuf, u64)>,
    error: Option<Error>,
    is_closed: bool,
}

impl State {
    fn push(&mut self, bytes: u64, text: Text) {
        let start = self.end;
        self.end += bytes;
        let end = self.end;
        self.bodies.push_back(Body { start, end, text });
    }

    fn note_file(&mut self, path: &Path) {
        match self.files.back_mut() {
            Some((last, end)) if last == path => *end = self.end,
            _ => self.files.push_back((path.to_owned(), self.end)),
        }
    }
}

struct Body {
    start: u64,
    end: u64,
    text: Text,
}

#[derive(Clone)]
enum Text {
    Memory(Shared),
    Disk(Place),
}

/// A piece of an epoch's text.
enum Piece {
    Kept(Shared),
    Own(Vec<u8>),
}

impl Piece {
    fn own(self) -> Self {
        match self {
            Self::Kept(shared) => Self::Own(shared.as_ref().to_vec()),
            own => own,
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Kept(shared) => shared.as_ref(),
            Self::Own(text) => text,
        }
    }
}

struct Unwritten {
    held: Held,
    answer: oneshot::Sender<Answer>,
}

impl AsRef<[u8]> for Unwritten {
    fn as_ref(&self) -> &[u8] {
        &self.held.text
    }
}

impl Log {
    /// Opens a log after `committed` bytes. Without a folder it is in memory only.
    pub(super) fn open(
        folder: Option<&Path>,
        committed: u64,
        wake: Wake,
        budget: Budget,
        most: usize,
    ) -> Result<Self> {
        let mut state = State {
            end: committed,
            chosen: committed,
            committed,
            ..State::default()
        };
        if let Some(folder) = folder {
            load(folder, &mut state)?;
        }
        let log = Self(Arc::new(Inner {
            state: Mutex::new(state),
            changed: Condvar::new(),
            wake,
            budget,
            folder: folder.map(Path::to_owned),
            most: most as u64,
        }));
        if let Some(folder) = folder {
            let (writer, folder) = (log.clone(), folder.to_owned());
            let thread = std::thread::Builder::new().name("keymill-http-log".to_owned());
            let started = thread.spawn(move || writer.write(&folder));
            started.map_err(|cause| {
                let message = "cannot start the thread of the log";
                Error::new(ErrorKind::Source, message).with_source(cause)
            })?;
        }
        Ok(log)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Takes a body, and answers when it is as safe as was promised.
    pub(super) fn accept(&self, held: Held, answer: oneshot::Sender<Answer>) {
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            let _ = answer.send(Err("the query ends".to_owned()));
        } else if self.0.folder.is_some() {
            state.unwritten.push_back(Unwritten { held, answer });
            drop(state);
            self.0.changed.notify_all();
        } else {
            let bytes = held.text.len() as u64;
            state.push(bytes, Text::Memory(Shared(Arc::new(held))));
            drop(state);
            let _ = answer.send(Ok(()));
            self.0.wake.wake();
        }
    }

    /// Writes bodies to files, those that wait together, until the log is closed.
    fn write(&self, folder: &Path) {
        let mut segment: Option<Segment> = None;
        while let Some(together) = self.next_unwritten() {
            match self.append(folder, &mut segment, &together) {
                Ok(path) => self.publish(&path, together),
                Err(cause) => {
                    let undone = segment.as_mut().map_or(Ok(()), Segment::undo);
                    if let Err(cause) = undone {
                        // What the file holds is not known any more.
                        let message = format!("the log `{}` cannot be written", folder.display());
                        let error = Error::new(ErrorKind::Source, message).with_source(cause);
                        self.lock().error = Some(error);
                        self.close();
                    }
                    for it in together {
                        let why = format!("the log cannot be written: {cause}");
                        let _ = it.answer.send(Err(why));
                    }
                }
            }
            segment = segment.filter(|it| it.bytes() < SEGMENT_BYTES);
        }
    }

    fn append(
        &self,
        folder: &Path,
        segment: &mut Option<Segment>,
        together: &[Unwritten],
    ) -> io::Result<PathBuf> {
        let segment = match segment {
            Some(segment) => segment,
            none => none.insert(Segment::create(folder, self.lock().end)?),
        };
        segment.append(together)?;
        Ok(segment.path().to_owned())
    }

    /// Gives durable bodies to epochs, and answers their senders.
    fn publish(&self, path: &Path, together: Vec<Unwritten>) {
        let mut answers = Vec::with_capacity(together.len());
        let mut state = self.lock();
        for it in together {
            let bytes = it.held.text.len() as u64;
            state.push(bytes, Text::Memory(Shared(Arc::new(it.held))));
            answers.push(it.answer);
        }
        state.note_file(path);
        drop(state);
        for answer in answers {
            let _ = answer.send(Ok(()));
        }
        self.0.wake.wake();
    }

    /// The bodies that are written together. `None` when the log is closed.
    fn next_unwritten(&self) -> Option<Vec<Unwritten>> {
        let mut state = self.lock();
        while state.unwritten.is_empty() && !state.is_closed {
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let (mut together, mut bytes) = (Vec::new(), 0);
        while bytes < TOGETHER
            && let Some(it) = state.unwritten.pop_front()
        {
            bytes += it.held.text.len();
            together.push(it);
        }
        (!together.is_empty()).then_some(together)
    }

    /// Chooses whole bodies for the next epoch.
    pub(super) fn next_range(&self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        let most = [limits.bytes, limits.pace].into_iter().flatten();
        let most = most.fold(self.0.most, u64::min);
        let mut state = self.lock();
        if let Some(error) = &state.error {
            return Err(error.clone());
        }
        let start = state.chosen;
        let fresh = state.bodies.iter().filter(|body| body.start >= start);
        let mut end = start;
        for body in fresh {
            if end > start && body.end - start > most {
                break;
            }
            end = body.end;
        }
        state.chosen = end;
        Ok((end > start).then(|| OffsetRange::numbers(start, end)))
    }

    /// The text of a range. A range that was lost has none.
    pub(super) fn read(&self, range: &OffsetRange) -> Result<MemorySource> {
        let (start, end) = range.as_numbers().unwrap_or_default();
        let mut state = self.lock();
        state.chosen = state.chosen.max(end);
        state.end = state.end.max(end);
        let bodies = state.bodies.iter();
        let bodies = bodies.filter(|body| body.start >= start && body.end <= end);
        let texts: Vec<Text> = bodies.map(|body| body.text.clone()).collect();
        drop(state);
        let mut pieces: Vec<Piece> = Vec::new();
        for text in texts {
            let piece = match text {
                Text::Memory(text) => Piece::Kept(text),
                Text::Disk(place) => Piece::Own(self.read_file(&place)?),
            };
            match pieces.last_mut() {
                Some(Piece::Own(last)) if last.len() + piece.as_ref().len() <= PIECE => {
                    last.extend_from_slice(piece.as_ref());
                }
                _ if piece.as_ref().len() < PIECE => pieces.push(piece.own()),
                _ => pieces.push(piece),
            }
        }
        let mut pieces = pieces.into_iter();
        let first = pieces.next().unwrap_or(Piece::Own(Vec::new()));
        Ok(pieces.fold(MemorySource::new(first), MemorySource::and))
    }

    fn read_file(&self, place: &Place) -> Result<Vec<u8>> {
        segment::read(place).map_err(|cause| {
            let message = format!("cannot read the log `{}`", place.path.display());
            Error::new(ErrorKind::Source, message).with_source(cause)
        })
    }

    /// Forgets what no restart needs.
    pub(super) fn commit(&self, range: &OffsetRange) -> Result<()> {
        let end = range.end.as_u64().unwrap_or(0);
        let (mut gone, mut files) = (Vec::new(), Vec::new());
        let mut state = self.lock();
        state.committed = state.committed.max(end);
        while state.bodies.front().is_some_and(|body| body.end <= end) {
            gone.extend(state.bodies.pop_front());
        }
        // The last file may still be written to.
        while state.files.len() > 1 && state.files[0].1 <= end {
            files.extend(state.files.pop_front());
        }
        drop(state);
        files.iter().try_for_each(|(path, _)| remove(path))
    }

    pub(super) fn committed(&self) -> u64 {
        self.lock().committed
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        let state = self.lock();
        state.end - state.chosen
    }

    /// Takes no more bodies. Those that wait are still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

/// The bodies of a run before that are not committed. Files without any are removed.
fn load(folder: &Path, state: &mut State) -> Result<()> {
    let committed = state.committed;
    let found = segment::scan(folder).map_err(|cause| {
        let message = format!("cannot use the log `{}`", folder.display());
        Error::new(ErrorKind::Source, message).with_source(cause)
    })?;
    for (start, place) in found {
        let end = start + place.bytes;
        let path = place.path.clone();
        if end > committed {
            if start != state.end {
                let message = format!(
                    "the log `{}` goes on at byte {start}, and the checkpoint at byte {}: they do not \
                     belong together; name an empty folder, or the log of this checkpoint",
                    folder.display(),
                    state.end
                );
                return Err(Error::new(ErrorKind::Checkpoint, message));
            }
            state.push(place.bytes, Text::Disk(place));
            state.note_file(&path);
        } else if !state.files.iter().any(|(known, _)| *known == path) {
            state.files.push_back((path, end));
        }
    }
    while state
        .files
        .front()
        .is_some_and(|(_, end)| *end <= committed)
    {
        if let Some((path, _)) = state.files.pop_front() {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            let message = format!("cannot remove `{}`", path.display());
            Err(Error::new(ErrorKind::Source, message).with_source(cause))
        }
        _ => Ok(()),
    }
}
