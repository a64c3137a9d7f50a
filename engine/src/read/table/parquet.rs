//! Parquet files: a piece is a row group, of which only the columns that are used are read.

use std::collections::{HashSet, VecDeque};
use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::input::{Cursor, Input};
use super::row_groups::that_may_match;
use super::same_columns;
use crate::expr::Expr;
use crate::read::pieces::{Estimate, Piece, Pieces, Push};
use crate::read::{ReadAt, Split};
use crate::{Error, ErrorKind, MemoryBudget, Resources, Result};

/// Rows of a batch.
const ROWS: usize = 8192;

/// The row groups of all files.
pub(super) struct ParquetPieces {
    input: Input,
    splits: Vec<Split>,
    next_split: usize,
    first: Option<(String, SchemaRef)>,
    current: Option<Current>,
    kept: Option<HashSet<String>>,
    condition: Option<Expr>,
    memory: MemoryBudget,
}

/// The file whose row groups are taken now.
struct Current {
    name: Arc<str>,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    /// The row groups that are not taken yet; `None` before the first one is taken.
    groups: Option<VecDeque<usize>>,
}

impl ParquetPieces {
    pub(super) fn new(input: Input, memory: &MemoryBudget) -> Result<Self> {
        Ok(Self {
            splits: input.splits()?,
            input,
            next_split: 0,
            first: None,
            current: None,
            kept: None,
            condition: None,
            memory: memory.clone(),
        })
    }

    fn open_next(&mut self) -> Result<bool> {
        let Some(split) = self.splits.get(self.next_split) else {
            return Ok(false);
        };
        self.next_split += 1;
        let name: Arc<str> = split.name().into();
        let bytes = Bytes(self.input.open_at(split, &self.memory)?);
        let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|cause| damaged(&name, cause))?;
        same_columns(&mut self.first, &name, metadata.schema())?;
        self.current = Some(Current {
            name,
            bytes,
            metadata,
            groups: None,
        });
        Ok(true)
    }
}

impl Current {
    /// Returns the row groups that are read.
    fn read_groups(&self, condition: Option<&Expr>) -> Vec<usize> {
        match condition {
            Some(condition) => that_may_match(&self.metadata, condition),
            None => (0..self.metadata.metadata().num_row_groups()).collect(),
        }
    }

    /// Returns the next row group.
    fn next(
        &mut self,
        kept: Option<&HashSet<String>>,
        condition: Option<&Expr>,
    ) -> Option<RowGroup> {
        let mut groups = match self.groups.take() {
            Some(groups) => groups,
            None => self.read_groups(condition).into(),
        };
        let group = groups.pop_front();
        self.groups = Some(groups);
        let (group, file) = (group?, self.metadata.metadata());
        let schema = file.file_metadata().schema_descr();
        let columns = self.metadata.schema().fields().iter().enumerate();
        let is_kept = |name| kept.is_none_or(|kept| kept.contains(name));
        let columns = columns.filter(|(_, field)| is_kept(field.name()));
        let columns: Vec<usize> = columns.map(|(number, _)| number).collect();
        Some(RowGroup {
            name: self.name.clone(),
            bytes: self.bytes.clone(),
            metadata: self.metadata.clone(),
            group,
            projection: ProjectionMask::roots(schema, columns),
        })
    }
}

impl Pieces for ParquetPieces {
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

    fn keep_columns(&mut self, names: &HashSet<String>) {
        self.kept = Some(names.clone());
    }

    fn keep_rows(&mut self, condition: &Expr) {
        self.condition = Some(condition.clone());
    }

    fn estimate(&mut self) -> Option<Estimate> {
        self.schema().ok()?;
        let current = self.current.as_ref()?;
        let groups = current.metadata.metadata().row_groups();
        let read = current.read_groups(self.condition.as_ref());
        let rows: i64 = read.iter().map(|&group| groups[group].num_rows()).sum();
        // Other files have as many rows a byte as the first one.
        let (first, total) = (current.bytes.len().max(1), self.total().unwrap_or(0));
        let rows = u128::from(rows.unsigned_abs());
        let (rows, is_exact) = match self.splits.len() {
            1 => (rows, true),
            _ => (
                rows * u128::from(total.max(first)) / u128::from(first),
                false,
            ),
        };
        Some(Estimate {
            rows: u64::try_from(rows).ok()?,
            is_exact,
            row_groups: Some((read.len(), groups.len())),
        })
    }

    fn next(&mut self, _: &Resources) -> Result<Option<Box<dyn Piece>>> {
        loop {
            let current = self.current.as_mut();
            if let Some(group) =
                current.and_then(|it| it.next(self.kept.as_ref(), self.condition.as_ref()))
            {
                return Ok(Some(Box::new(group)));
            }
            if !self.open_next()? {
                return Ok(None);
            }
        }
    }
}

/// One row group.
struct RowGroup {
    name: Arc<str>,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    group: usize,
    projection: ProjectionMask,
}

impl Piece for RowGroup {
    fn bytes(&self) -> u64 {
        let group = self.metadata.metadata().row_group(self.group);
        u64::try_from(group.compressed_size()).unwrap_or_default()
    }

    fn decode(self: Box<Self>, push: &mut dyn Push) -> Result<()> {
        let Self {
            name,
            bytes,
            metadata,
            group,
            projection,
        } = *self;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata)
            .with_row_groups(vec![group])
            .with_projection(projection)
            .with_batch_size(ROWS)
            .build();
        for batch in reader.map_err(|cause| damaged(&name, cause))? {
            push.batch(batch.map_err(|cause| damaged(&name, cause))?)?;
        }
        Ok(())
    }
}

fn damaged(name: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = format!("`{name}` cannot be read as Parquet; check that it is whole");
    Error::new(ErrorKind::Format, message).with_source(cause)
}

/// The bytes of a file, for the Parquet reader.
#[derive(Clone)]
struct Bytes(Arc<dyn ReadAt>);

impl Length for Bytes {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for Bytes {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(Cursor::new(self.0.clone(), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<bytes::Bytes> {
        let mut bytes = vec![0; length];
        let read = Cursor::new(self.0.clone(), start).read_exact(&mut bytes);
        read.map_err(|cause| ParquetError::External(Box::new(cause)))?;
        Ok(bytes.into())
    }
}
