//! Free buffers for later recordings, by usage and size.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use wgpu::{Buffer, BufferDescriptor, BufferUsages, Device};

/// The maximum size of all free buffers. Above it all free buffers are released.
const MAX_FREE_BYTES: u64 = 1 << 30;

/// Free buffers.
#[derive(Default)]
pub(super) struct Pool {
    free: HashMap<(BufferUsages, u64), Vec<Buffer>>,
    bytes: u64,
}

impl Pool {
    /// Returns a buffer of at least `bytes` bytes, and whether it is new and therefore zeros.
    pub(super) fn take(
        &mut self,
        device: &Device,
        name: &'static str,
        bytes: u64,
        usage: BufferUsages,
    ) -> (Buffer, bool) {
        let size = rounded(bytes)
            .min(device.limits().max_buffer_size)
            .max(bytes);
        if let Some(buffer) = self.free.get_mut(&(usage, size)).and_then(Vec::pop) {
            self.bytes -= size;
            return (buffer, false);
        }
        let buffer = device.create_buffer(&BufferDescriptor {
            label: Some(name),
            size,
            usage,
            mapped_at_creation: false,
        });
        (buffer, true)
    }

    /// Adds a buffer for reuse.
    pub(super) fn put(&mut self, buffer: Buffer) {
        if self.bytes + buffer.size() > MAX_FREE_BYTES {
            self.free.clear();
            self.bytes = 0;
        }
        self.bytes += buffer.size();
        let key = (buffer.usage(), buffer.size());
        self.free.entry(key).or_default().push(buffer);
    }
}

/// Rounds a size up, so that buffers can be reused. There are eight sizes between two powers of
/// two.
fn rounded(bytes: u64) -> u64 {
    let step = (bytes.max(256).next_power_of_two() / 16).max(256);
    bytes.max(1).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_few_sizes_and_little_waste() {
        assert_eq!(rounded(0), 256);
        assert_eq!(rounded(4096), 4096);
        assert_eq!(rounded(4097), 4608);
        let mib = 1 << 20;
        let sizes: std::collections::BTreeSet<u64> = (mib..2 * mib).map(rounded).collect();
        assert_eq!(sizes.len(), 9);
        assert!(
            (1..3 * mib).all(|bytes| (bytes..bytes + bytes / 8 + 256).contains(&rounded(bytes)))
        );
    }
}
