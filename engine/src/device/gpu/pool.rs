//! Buffers that wait for the next recording, by what they are for and how large they are.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use wgpu::{Buffer, BufferDescriptor, BufferUsages, Device};

/// Bytes that may wait; past that the device gets them back.
const MOST_WAITING: u64 = 1 << 30;

/// Buffers that nobody uses.
#[derive(Default)]
pub(super) struct Pool {
    waiting: HashMap<(BufferUsages, u64), Vec<Buffer>>,
    bytes: u64,
}

impl Pool {
    /// A buffer with room for so many bytes, and whether it is fresh, which means zeros.
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
        if let Some(buffer) = self.waiting.get_mut(&(usage, size)).and_then(Vec::pop) {
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

    /// Lets a buffer wait for its next use.
    pub(super) fn give_back(&mut self, buffer: Buffer) {
        if self.bytes + buffer.size() > MOST_WAITING {
            self.waiting.clear();
            self.bytes = 0;
        }
        self.bytes += buffer.size();
        let key = (buffer.usage(), buffer.size());
        self.waiting.entry(key).or_default().push(buffer);
    }
}

/// Sizes of which there are few, so that buffers find another use: eight from each power of two to
/// the next.
fn rounded(bytes: u64) -> u64 {
    let step = (bytes.max(256).next_power_of_two() / 16).max(256);
    bytes.max(1).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_few_and_little_is_wasted() {
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
