//! Rows of a source that gives lines.

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;

use super::{EpochInput, EpochLimits, OffsetRange, Replay, SourceContext, StreamSource};
use crate::Result;
use crate::read::{LineFormat, RecordBatches, RowLines};

/// Reads the lines of another source as rows. Lines that are not valid rows are counted, and left out.
pub struct RowSource {
    source: Box<dyn StreamSource>,
    lines: RowLines,
}

impl RowSource {
    /// Reads the lines of `source` as `lines` says.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn StreamSource>>, lines: RowLines) -> Self {
        Self {
            source: source.into(),
            lines,
        }
    }

    /// Reads lines of comma-separated values, without a header, with these columns.
    #[cfg(feature = "csv")]
    pub fn csv(
        source: impl Into<Box<dyn StreamSource>>,
        columns: impl IntoIterator<Item = (&'static str, DataType)>,
    ) -> Result<Self> {
        let format = LineFormat::Csv {
            delimiter: b',',
            has_header: false,
        };
        Ok(Self::new(
            source,
            RowLines::new(format, schema_of(columns))?,
        ))
    }

    /// Reads lines that are JSON objects with these members. Others are ignored.
    #[cfg(feature = "json")]
    pub fn json(
        source: impl Into<Box<dyn StreamSource>>,
        columns: impl IntoIterator<Item = (&'static str, DataType)>,
    ) -> Result<Self> {
        let lines = RowLines::new(LineFormat::Json, schema_of(columns))?;
        Ok(Self::new(source, lines))
    }
}

fn schema_of(columns: impl IntoIterator<Item = (&'static str, DataType)>) -> SchemaRef {
    let fields = columns.into_iter();
    let fields: Vec<Field> = fields
        .map(|(name, of)| Field::new(name, of, true))
        .collect();
    Schema::new(fields).into()
}

impl StreamSource for RowSource {
    fn describe(&self) -> String {
        self.source.describe()
    }

    fn kind(&self) -> &'static str {
        self.source.kind()
    }

    fn replay(&self) -> Replay {
        self.source.replay()
    }

    fn schema(&self) -> Result<Option<SchemaRef>> {
        Ok(Some(self.lines.schema()))
    }

    fn start(&mut self, context: SourceContext) -> Result<()> {
        self.source.start(context)
    }

    fn next_range(&mut self, limits: &EpochLimits) -> Result<Option<OffsetRange>> {
        self.source.next_range(limits)
    }

    fn read(&mut self, range: &OffsetRange) -> Result<EpochInput> {
        match self.source.read(range)? {
            EpochInput::Text(source) => {
                let rows = self.lines.rows_of(source)?;
                Ok(EpochInput::Batches(RecordBatches::new(rows)))
            }
            rows => Ok(rows),
        }
    }

    fn commit(&mut self, range: &OffsetRange) -> Result<()> {
        self.source.commit(range)
    }

    fn position(&self) -> Value {
        self.source.position()
    }

    fn is_finished(&self) -> bool {
        self.source.is_finished()
    }

    fn waiting_bytes(&self) -> Option<u64> {
        self.source.waiting_bytes()
    }

    fn rejected_rows(&self) -> u64 {
        self.source.rejected_rows() + self.lines.rejected()
    }

    fn is_shared(&self) -> bool {
        self.source.is_shared()
    }
}
