//! Batches that are kept in memory as long as they are few.

use std::path::PathBuf;

use arrow_array::RecordBatch;

use super::{Segment, SpillSpace};
use crate::Result;

/// Batches of one schema in the order in which they were added. From a number of bytes on they are on disk.
#[derive(Debug)]
pub(crate) struct BatchBuffer {
    most: usize,
    bytes: usize,
    batches: Vec<RecordBatch>,
    segments: Vec<Segment>,
    space: SpillSpace,
}

impl BatchBuffer {
    /// An empty buffer that has at most this number of bytes in memory, and the last batch.
    pub(crate) fn new(most: usize, spill_dir: Option<PathBuf>) -> Self {
        Self::in_space(most, SpillSpace::new(spill_dir))
    }

    /// The same, with the file of a space that others use, too.
    pub(crate) fn in_space(most: usize, space: SpillSpace) -> Self {
        Self {
            most,
            bytes: 0,
            batches: Vec::new(),
            segments: Vec::new(),
            space,
        }
    }

    /// Whether there are no batches.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.segments.is_empty()
    }

    /// Adds a batch.
    ///
    /// # Errors
    ///
    /// Those of [`SpillSpace::store`].
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes > self.most
            && let Some(first) = self.batches.first()
        {
            let segment = self.space.store(&first.schema(), |writer| {
                self.batches
                    .iter()
                    .try_for_each(|batch| writer.write(batch))
            })?;
            self.segments.push(segment);
            self.batches.clear();
            self.bytes = 0;
        }
        Ok(())
    }

    /// Removes all batches.
    pub(crate) fn clear(&mut self) {
        self.batches.clear();
        self.segments.clear();
        self.bytes = 0;
    }

    /// All batches, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<RecordBatch>> + Send + '_ {
        let spilled = self.segments.iter().flat_map(|segment| {
            let (batches, error) = match segment.batches() {
                Ok(batches) => (Some(batches), None),
                Err(error) => (None, Some(Err(error))),
            };
            error.into_iter().chain(batches.into_iter().flatten())
        });
        spilled.chain(self.batches.iter().cloned().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, UInt64Array};

    use super::*;

    #[test]
    fn batches_come_back_in_order_from_memory_and_from_disk() {
        let batch = |number: u64| {
            let column: ArrayRef = Arc::new(UInt64Array::from(vec![number; 10]));
            RecordBatch::try_from_iter([("n", column)]).unwrap()
        };
        for most in [0, 300, usize::MAX] {
            let mut buffer = BatchBuffer::new(most, None);
            (0..20).for_each(|number| buffer.push(batch(number)).unwrap());
            for _ in 0..2 {
                let read: Vec<RecordBatch> = buffer.iter().collect::<Result<_>>().unwrap();
                assert_eq!(read, (0..20).map(batch).collect::<Vec<_>>(), "{most}");
            }
            assert_eq!(buffer.segments.is_empty(), most == usize::MAX);
            buffer.clear();
            assert_eq!(buffer.iter().count(), 0);
        }
    }
}
