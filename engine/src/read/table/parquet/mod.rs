//! Parquet files: a piece is a row group, of which only the columns and the pages that are used are read.

mod bounds;
mod pages;
#[cfg(all(test, feature = "sql"))]
mod tests;

use std::cell::OnceCell;
use std::collections::{HashSet, VecDeque};
use std::io::{BufReader, Read};
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use super::input::{Cursor, Input};
use super::same_columns;
use crate::expr::Expr;
use crate::read::pieces::{Estimate, Piece, Pieces, Push};
use crate::read::{LeftOut, ReadAt, Split};
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
    left_out: LeftOut,
    memory: MemoryBudget,
}

/// The file whose row groups are taken now.
struct Current {
    name: Arc<str>,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    /// The same with the index of pages, if the file has one.
    indexed: OnceCell<Option<ArrowReaderMetadata>>,
    /// The row groups that are not taken yet; `None` before the first one is taken.
    groups: Option<VecDeque<Wanted>>,
}

/// A row group that is read.
struct Wanted {
    group: usize,
    /// The rows that are read; `None` is all.
    rows: Option<Vec<Range<usize>>>,
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
            left_out: LeftOut::default(),
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
            indexed: OnceCell::new(),
            groups: None,
        });
        Ok(true)
    }
}

impl Current {
    /// Returns the row groups that are read.
    fn wanted(&self, condition: Option<&Expr>) -> VecDeque<Wanted> {
        let all = |group| Wanted { group, rows: None };
        let Some(condition) = condition else {
            let groups = 0..self.metadata.metadata().num_row_groups();
            return groups.map(all).collect();
        };
        let groups = bounds::row_groups(&self.metadata, condition);
        let may_tell = bounds::may_tell(condition, self.metadata.schema()) && !groups.is_empty();
        let Some(indexed) = may_tell.then(|| self.indexed()).flatten() else {
            return groups.into_iter().map(all).collect();
        };
        let wanted = groups.into_iter().map(|group| {
            let rows = pages::rows_that_may_match(indexed, group, condition);
            Wanted { group, rows }
        });
        let has_rows = |it: &Wanted| it.rows.as_ref().is_none_or(|rows| !rows.is_empty());
        wanted.filter(has_rows).collect()
    }

    /// Reads the index of pages. Without one, and with a damaged one, all pages are read.
    fn indexed(&self) -> Option<&ArrowReaderMetadata> {
        let read = || {
            let metadata = self.metadata.metadata().as_ref().clone();
            let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
                .with_page_index_policy(PageIndexPolicy::Optional);
            reader.read_page_indexes(&self.bytes).ok()?;
            let metadata = reader.finish().ok()?;
            metadata.offset_index()?;
            ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).ok()
        };
        self.indexed.get_or_init(read).as_ref()
    }

    /// Returns the number of rows that are read of a row group.
    fn rows(&self, wanted: &Wanted) -> u64 {
        let all = self.metadata.metadata().row_group(wanted.group).num_rows();
        match &wanted.rows {
            Some(rows) => rows.iter().map(|rows| rows.len() as u64).sum(),
            None => all.unsigned_abs(),
        }
    }

    /// Returns the next row group.
    fn next(
        &mut self,
        kept: Option<&HashSet<String>>,
        condition: Option<&Expr>,
        left_out: &mut LeftOut,
    ) -> Option<RowGroup> {
        let mut groups = match self.groups.take() {
            Some(groups) => groups,
            None => {
                let (groups, all) = (
                    self.wanted(condition),
                    self.metadata.metadata().num_row_groups(),
                );
                left_out.row_groups += (all - groups.len()) as u64;
                left_out.of_row_groups += all as u64;
                groups
            }
        };
        let wanted = groups.pop_front();
        self.groups = Some(groups);
        let Wanted { group, rows } = wanted?;
        let file = self.metadata.metadata();
        let schema = file.file_metadata().schema_descr();
        let columns = self.metadata.schema().fields().iter().enumerate();
        let is_kept = |name| kept.is_none_or(|kept| kept.contains(name));
        let columns = columns.filter(|(_, field)| is_kept(field.name()));
        let columns: Vec<usize> = columns.map(|(number, _)| number).collect();
        let projection = ProjectionMask::roots(schema, columns);
        // Without rows to leave out the index of pages is not used, so that it may be wrong.
        let all = 0..file.row_group(group).num_rows() as usize;
        let is_part = |rows: &Vec<Range<usize>>| *rows != slice::from_ref(&all);
        let rows = rows.filter(is_part);
        let metadata = match (&rows, self.indexed.get()) {
            (Some(rows), Some(Some(indexed))) => {
                let (pages, of) =
                    pages::pages_left_out(indexed.metadata(), group, &projection, rows);
                left_out.pages += pages;
                left_out.of_pages += of;
                indexed
            }
            _ => &self.metadata,
        };
        Some(RowGroup {
            name: self.name.clone(),
            bytes: self.bytes.clone(),
            metadata: metadata.clone(),
            group,
            rows,
            projection,
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
        let read = current.wanted(self.condition.as_ref());
        let rows: u64 = read.iter().map(|wanted| current.rows(wanted)).sum();
        let all = read
            .iter()
            .map(|it| groups[it.group].num_rows().unsigned_abs());
        let by_page = all.sum::<u64>() - rows;
        // Other files have as many rows a byte as the first one.
        let (first, total) = (current.bytes.len().max(1), self.total().unwrap_or(0));
        let rows = u128::from(rows);
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
            by_page,
        })
    }

    fn next(&mut self, _: &Resources) -> Result<Option<Box<dyn Piece>>> {
        loop {
            let (kept, condition) = (self.kept.as_ref(), self.condition.as_ref());
            let current = self.current.as_mut();
            let group = current.and_then(|it| it.next(kept, condition, &mut self.left_out));
            if let Some(group) = group {
                return Ok(Some(Box::new(group)));
            }
            if !self.open_next()? {
                return Ok(None);
            }
        }
    }

    fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

/// One row group.
struct RowGroup {
    name: Arc<str>,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    group: usize,
    /// The rows that are read; `None` is all.
    rows: Option<Vec<Range<usize>>>,
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
            rows,
            projection,
        } = *self;
        let all = metadata.metadata().row_group(group).num_rows();
        let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata)
            .with_row_groups(vec![group])
            .with_projection(projection)
            .with_batch_size(ROWS);
        if let Some(rows) = rows {
            let rows = RowSelection::from_consecutive_ranges(rows.into_iter(), all as usize);
            reader = reader.with_row_selection(rows);
        }
        for batch in reader.build().map_err(|cause| damaged(&name, cause))? {
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
