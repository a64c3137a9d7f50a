//! Counts the memory of a batch.

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;

/// Returns the bytes of all allocations that a batch refers to, each counted once.
///
/// `get_array_memory_size` counts an allocation once for every array. In batches from an IPC stream
/// all columns share one allocation.
pub(super) fn held_bytes(batch: &RecordBatch) -> usize {
    let mut allocations = Vec::new();
    let mut open: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| column.to_data())
        .collect();
    while let Some(data) = open.pop() {
        allocations.extend(data.buffers().iter().map(allocation));
        allocations.extend(data.nulls().map(|nulls| allocation(nulls.buffer())));
        open.extend_from_slice(data.child_data());
    }
    allocations.sort_unstable();
    allocations.dedup();
    allocations.iter().map(|(_, bytes)| bytes).sum()
}

fn allocation(buffer: &Buffer) -> (usize, usize) {
    (buffer.data_ptr().as_ptr() as usize, buffer.capacity())
}
