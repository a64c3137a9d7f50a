//! Writes groups to disk, as a segment of state columns.

use arrow_array::RecordBatch;

use super::{BatchTarget, Batcher, count_schema};
use crate::Result;
use crate::spill::{BATCH_BYTES, BATCH_ROWS, Segment, SegmentWriter, SpillSpace};

/// Writes the groups of a segment.
pub(crate) type GroupWriter<'a> = Batcher<&'a mut SegmentWriter>;

impl BatchTarget for &mut SegmentWriter {
    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        self.write(&batch)
    }
}

/// Writes one segment with the groups that `fill` passes to the writer.
///
/// # Errors
///
/// Those of [`SpillSpace::store`].
pub(crate) fn store_groups(
    space: &SpillSpace,
    fill: impl FnOnce(&mut GroupWriter<'_>) -> Result<()>,
) -> Result<Segment> {
    space.store(&count_schema(), |segment| {
        let mut writer = Batcher::new(BATCH_ROWS, BATCH_BYTES, segment);
        fill(&mut writer)?;
        writer.finish()?;
        Ok(())
    })
}
