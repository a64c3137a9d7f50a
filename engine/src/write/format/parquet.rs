//! Parquet files.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::regroup::Regroup;
use super::{BatchWriter, sink_error};
use crate::{Error, ErrorKind, Result};

/// Maximum bytes of a row group. The writer buffers one row group.
const GROUP_BYTES: usize = 8 << 20;

/// Maximum rows of a row group.
const GROUP_ROWS: usize = 512 << 10;

/// Writes row groups with a maximum number of rows and bytes.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: ArrowWriter<W>,
    regroup: Regroup,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_compression(Compression::SNAPPY)
            .build();
        let file = ArrowWriter::try_new(out, schema.clone(), Some(properties));
        Ok(Self {
            file: file.map_err(failed)?,
            regroup: Regroup::new(schema),
        })
    }
}

fn write<W: Write + Send>(file: &mut ArrowWriter<W>, batch: &RecordBatch) -> Result<()> {
    file.write(batch).map_err(failed)?;
    if file.in_progress_size() >= GROUP_BYTES {
        file.flush().map_err(failed)?;
    }
    Ok(())
}

impl<W: Write + Send> BatchWriter for ParquetWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Self { file, regroup } = self;
        regroup.push(batch, |batch| write(file, &batch))
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(batch) = self.regroup.finish()? {
            write(&mut self.file, &batch)?;
        }
        self.file.finish().map_err(failed)?;
        self.file.inner_mut().flush().map_err(sink_error)
    }
}

/// Extracts the output's error from a Parquet error.
fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => sink_error(*cause),
            Err(other) => internal(other),
        },
        other => internal(other),
    }
}

fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "cannot write the Parquet file").with_source(cause)
}
