//! Arrow IPC files.
#![forbid(unsafe_code)]

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};

use super::column::compact;
use super::regroup::Regroup;
use super::{BatchWriter, sink_error};
use crate::{Error, ErrorKind, Result};

/// Writes batches of the same number of rows, except the last one and those with long keys.
pub(super) struct IpcWriter<W: Write> {
    file: FileWriter<W>,
    regroup: Regroup,
}

impl<W: Write> IpcWriter<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Result<Self> {
        Ok(Self {
            file: FileWriter::try_new(out, schema).map_err(failed)?,
            regroup: Regroup::new(schema),
        })
    }
}

fn write<W: Write>(file: &mut FileWriter<W>, batch: &RecordBatch) -> Result<()> {
    let batch = compact(batch).map_err(failed)?;
    file.write(&batch).map_err(failed)
}

impl<W: Write> BatchWriter for IpcWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Self { file, regroup } = self;
        regroup.push(batch, |batch| write(file, &batch))
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(batch) = self.regroup.finish()? {
            write(&mut self.file, &batch)?;
        }
        self.file.finish().map_err(failed)?;
        self.file.get_mut().flush().map_err(sink_error)
    }
}

fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, cause) => sink_error(cause),
        other => Error::new(ErrorKind::Internal, "cannot write the Arrow file").with_source(other),
    }
}
