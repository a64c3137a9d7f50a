//! Arrow IPC files.
#![forbid(unsafe_code)]

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Schema};

use super::column::compact;
use super::{BatchWriter, sink_error};
use crate::{Error, ErrorKind, Result};

/// Writes each batch as one of the file's.
pub(super) struct IpcWriter<W: Write>(FileWriter<W>);

impl<W: Write> IpcWriter<W> {
    pub(super) fn new(schema: &Schema, out: W) -> Result<Self> {
        FileWriter::try_new(out, schema).map(Self).map_err(failed)
    }
}

impl<W: Write> BatchWriter for IpcWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = compact(batch).map_err(failed)?;
        self.0.write(&batch).map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.finish().map_err(failed)?;
        self.0.get_mut().flush().map_err(sink_error)
    }
}

fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, cause) => sink_error(cause),
        other => Error::new(ErrorKind::Internal, "cannot make an Arrow file").with_source(other),
    }
}
