//! Arrow IPC files and streams. Their batches are used as they are.

use std::collections::HashSet;
use std::io::BufReader;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use super::input::{Cursor, Input};
use super::same_columns;
use crate::read::Split;
use crate::read::pieces::{Piece, Pieces, Push};
use crate::{Cancel, Error, ErrorKind, MemoryBudget, Resources, Result};

/// The first bytes of an IPC file. A stream has none.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// The batches of all files.
pub(super) struct IpcPieces {
    input: Input,
    splits: Vec<Split>,
    next_split: usize,
    first: Option<(String, SchemaRef)>,
    current: Option<(String, Box<dyn RecordBatchReader + Send>)>,
    memory: MemoryBudget,
}

impl IpcPieces {
    pub(super) fn new(input: Input, memory: &MemoryBudget) -> Result<Self> {
        Ok(Self {
            splits: input.splits()?,
            input,
            next_split: 0,
            first: None,
            current: None,
            memory: memory.clone(),
        })
    }

    fn open_next(&mut self) -> Result<bool> {
        let Some(split) = self.splits.get(self.next_split) else {
            return Ok(false);
        };
        self.next_split += 1;
        let name = split.name().to_owned();
        let mut reader = self.input.open(split)?;
        let first = reader.peek(FILE_MAGIC.len(), &Cancel::default())?;
        let reader: Box<dyn RecordBatchReader + Send> = match first == FILE_MAGIC {
            true => {
                let cursor = Cursor::new(reader.into_at(&self.memory)?, 0);
                let reader = FileReader::try_new(BufReader::new(cursor), None);
                Box::new(reader.map_err(|cause| damaged(&name, cause))?)
            }
            false => {
                let reader = StreamReader::try_new(BufReader::new(reader), None);
                Box::new(reader.map_err(|cause| damaged(&name, cause))?)
            }
        };
        same_columns(&mut self.first, &name, &reader.schema())?;
        self.current = Some((name, reader));
        Ok(true)
    }
}

impl Pieces for IpcPieces {
    fn describe(&self) -> String {
        self.input.describe()
    }

    fn schema(&mut self) -> Result<SchemaRef> {
        if self.first.is_none() {
            self.open_next()?;
        }
        match &self.first {
            Some((_, schema)) => Ok(schema.clone()),
            None => Err(Error::new(ErrorKind::Source, "there is no file to read")),
        }
    }

    fn total(&self) -> Option<u64> {
        self.splits.iter().map(Split::size).sum()
    }

    fn keep_columns(&mut self, _: &HashSet<String>) {}

    fn next(&mut self, resources: &Resources) -> Result<Option<Box<dyn Piece>>> {
        loop {
            resources.cancel.check()?;
            if let Some((name, reader)) = &mut self.current
                && let Some(batch) = reader.next()
            {
                let batch = batch.map_err(|cause| damaged(name, cause))?;
                return Ok(Some(Box::new(Whole(batch))));
            }
            if !self.open_next()? {
                return Ok(None);
            }
        }
    }
}

/// A batch that was read.
struct Whole(RecordBatch);

impl Piece for Whole {
    fn bytes(&self) -> u64 {
        self.0.get_array_memory_size() as u64
    }

    fn decode(self: Box<Self>, push: &mut dyn Push) -> Result<()> {
        push.batch(self.0)
    }
}

fn damaged(name: &str, cause: ArrowError) -> Error {
    let message = format!("`{name}` cannot be read as Arrow IPC; check that it is whole");
    Error::new(ErrorKind::Format, message).with_source(cause)
}
