//! Blocks of memory for many lists that grow slowly at the same time.
//!
//! ```text
//! slab: 2 MiB, a huge page │ block │ block │ … │ 64 of 32 KiB, each with one owner
//! ```
//!
//! If a thousand lists grow by copying themselves to twice their size, they touch a new page of 4
//! KiB for nearly every 4 KiB that they hold. On a virtual machine this costs more than all work on
//! them. Lists of blocks copy nothing, and their pages are huge. All threads share the free blocks,
//! so a block that one list frees is reused by the next one.

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::HugeVec;

/// Maximum number of slabs that are kept although none of their blocks is in use.
const IDLE_SLABS: usize = 1;

/// Number of free blocks of slabs that have memory.
static FREE_BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// The bits of a slab whose blocks are all free.
const ALL_FREE: u64 = u64::MAX;

/// Up to [`Block::LARGEST`] bytes of memory with unspecified content.
///
/// # Examples
///
/// ```
/// use keymill_kernels::Block;
///
/// let mut block = Block::new(Block::LARGEST);
/// block[7] = 7;
/// assert_eq!((block.len(), block[7]), (32 << 10, 7));
/// ```
pub struct Block {
    first: NonNull<u8>,
    bytes: u32,
    home: u32,
}

/// The home of a block that is not part of a slab but has its own allocation.
const HEAP: u32 = u32::MAX;

// SAFETY: a block is the only owner of its bytes, like a `Box<[u8]>`.
unsafe impl Send for Block {}
// SAFETY: a shared block gives out shared bytes only, like a `Box<[u8]>`.
unsafe impl Sync for Block {}

impl Block {
    /// The largest block, in bytes; only these come from slabs.
    pub const LARGEST: usize = 32 << 10;

    /// Returns the bytes of memory that this process holds for free blocks.
    ///
    /// A slab is returned to the system only when all of its blocks are free, and lists that are
    /// freed one by one leave free blocks in many slabs.
    #[must_use]
    pub fn unused_bytes() -> usize {
        FREE_BLOCKS.load(Ordering::Relaxed) * Self::LARGEST
    }

    /// Makes a block of `bytes` bytes.
    ///
    /// # Panics
    ///
    /// When `bytes` exceeds [`Block::LARGEST`]. It aborts when memory is exhausted, like `Vec`.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        assert!(bytes <= Self::LARGEST, "a block is not larger than 32 KiB");
        if bytes == Self::LARGEST {
            return slabs().take();
        }
        let memory: &mut [u8] = Box::leak(vec![0; bytes].into_boxed_slice());
        Self {
            first: NonNull::from(memory).cast(),
            bytes: bytes as u32,
            home: HEAP,
        }
    }
}

impl Deref for Block {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        // SAFETY: `first` points to `bytes` bytes, which are initialized and owned by this block.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), self.bytes as usize) }
    }
}

impl DerefMut for Block {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the borrow the only one.
        unsafe { core::slice::from_raw_parts_mut(self.first.as_ptr(), self.bytes as usize) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.home != HEAP {
            // The lock is released before a slab is returned to the system.
            let emptied = slabs().free_block(self);
            return drop(emptied);
        }
        let memory = NonNull::slice_from_raw_parts(self.first, self.bytes as usize);
        // SAFETY: it was leaked from a box of exactly this size, and is not borrowed any more.
        drop(unsafe { Box::from_raw(memory.as_ptr()) });
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::new(0)
    }
}

impl core::fmt::Debug for Block {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Block({} bytes)", self.bytes)
    }
}

/// Memory for 64 blocks, one for each bit of a word.
struct Slab {
    /// Owned, but never accessed: blocks are made from `first`, and the whole must not be borrowed
    /// while blocks are in use. Empty while the slab has no memory.
    _memory: HugeVec<u8>,
    first: NonNull<u8>,
    /// A set bit for each free block.
    free: u64,
}

// SAFETY: a slab gives each block to one owner, and does not access the bytes itself.
unsafe impl Send for Slab {}

/// Every slab of this process.
struct Slabs {
    slabs: Vec<Slab>,
    /// Indices of slabs with a free block; may contain slabs that have none any more.
    with_room: Vec<u32>,
    /// Indices of slabs without memory.
    vacant: Vec<u32>,
    /// Number of slabs with memory of which no block is in use.
    idle: usize,
}

fn slabs() -> MutexGuard<'static, Slabs> {
    static SLABS: Mutex<Slabs> = Mutex::new(Slabs::new());
    SLABS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slabs {
    const fn new() -> Self {
        Self {
            slabs: Vec::new(),
            with_room: Vec::new(),
            vacant: Vec::new(),
            idle: 0,
        }
    }

    fn take(&mut self) -> Block {
        let home = loop {
            match self.with_room.last() {
                Some(&home) if self.slabs[home as usize].free != 0 => break home,
                Some(_) => _ = self.with_room.pop(),
                None => self.open(),
            }
        };
        let slab = &mut self.slabs[home as usize];
        self.idle -= usize::from(slab.free == ALL_FREE);
        let place = slab.free.trailing_zeros() as usize;
        slab.free &= slab.free - 1;
        if slab.free == 0 {
            self.with_room.pop();
        }
        FREE_BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: a slab is 64 blocks long, and `place` is the index of a bit.
        let first = unsafe { slab.first.add(place * Block::LARGEST) };
        Block {
            first,
            bytes: Block::LARGEST as u32,
            home,
        }
    }

    /// Frees a block; returns a slab that is not needed any more.
    fn free_block(&mut self, block: &Block) -> Option<Slab> {
        let slab = &mut self.slabs[block.home as usize];
        if slab.free == 0 {
            self.with_room.push(block.home);
        }
        let place = (block.first.addr().get() - slab.first.addr().get()) / Block::LARGEST;
        slab.free |= 1 << place;
        FREE_BLOCKS.fetch_add(1, Ordering::Relaxed);
        if slab.free != ALL_FREE {
            return None;
        }
        if self.idle < IDLE_SLABS {
            self.idle += 1;
            return None;
        }
        self.vacant.push(block.home);
        FREE_BLOCKS.fetch_sub(u64::BITS as usize, Ordering::Relaxed);
        Some(core::mem::replace(slab, Slab::without_memory()))
    }

    /// Adds a slab with only free blocks.
    fn open(&mut self) {
        let home = self.vacant.pop().unwrap_or_else(|| {
            self.slabs.push(Slab::without_memory());
            u32::try_from(self.slabs.len() - 1).expect("fewer slabs than an address space holds")
        });
        self.slabs[home as usize] = Slab::new();
        self.with_room.push(home);
        self.idle += 1;
        FREE_BLOCKS.fetch_add(u64::BITS as usize, Ordering::Relaxed);
    }
}

impl Slab {
    fn new() -> Self {
        let mut memory = HugeVec::new(u64::BITS as usize * Block::LARGEST);
        let first = NonNull::from(&mut memory[..]).cast();
        Self {
            _memory: memory,
            first,
            free: ALL_FREE,
        }
    }

    fn without_memory() -> Self {
        Self {
            _memory: HugeVec::default(),
            first: NonNull::dangling(),
            free: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn every_block_has_one_owner() {
        for rounds in 0..2 {
            let sizes = [0, 1, 700, Block::LARGEST - 1, Block::LARGEST];
            let mut blocks: Vec<_> = (0..if cfg!(miri) { 5 } else { 1000 })
                .map(|i| Block::new(sizes[i % sizes.len()]))
                .collect();
            for (i, block) in blocks.iter_mut().enumerate() {
                block.fill((i as u8).wrapping_add(rounds));
            }
            for (i, block) in blocks.iter().enumerate() {
                assert_eq!(block.len(), sizes[i % sizes.len()]);
                assert_eq!(block[..], vec![(i as u8).wrapping_add(rounds); block.len()]);
            }
        }
    }

    #[test]
    fn slabs_are_freed_with_their_blocks() {
        let mut slabs = Slabs::new();
        let mut blocks: Vec<_> = (0..3 * 64 + 1)
            .map(|_| ManuallyDrop::new(slabs.take()))
            .collect();
        assert_eq!((slabs.slabs.len(), slabs.idle), (4, 0));
        blocks.sort_unstable_by_key(|block| block.first);
        blocks.dedup_by_key(|block| block.first);
        assert_eq!(blocks.len(), 3 * 64 + 1, "no place is used twice");
        let first = blocks.pop().expect("there are blocks");
        let place = first.first;
        assert!(slabs.free_block(&first).is_none());
        let again = ManuallyDrop::new(slabs.take());
        assert_eq!(again.first, place, "a free block is used before a new one");
        for _ in 0..100 {
            let block = ManuallyDrop::new(slabs.take());
            slabs.free_block(&block);
        }
        assert!(slabs.with_room.len() <= slabs.slabs.len());
        blocks.push(again);
        blocks
            .drain(..)
            .for_each(|block| drop(slabs.free_block(&block)));
        assert_eq!((slabs.idle, slabs.vacant.len()), (IDLE_SLABS, 3));
        let with_memory = slabs.slabs.iter().filter(|slab| !slab._memory.is_empty());
        assert_eq!(with_memory.count(), IDLE_SLABS);
        let blocks: Vec<_> = (0..65).map(|_| ManuallyDrop::new(slabs.take())).collect();
        assert_eq!(
            (slabs.slabs.len(), slabs.idle),
            (4, 0),
            "vacant slabs are used again"
        );
        blocks
            .into_iter()
            .for_each(|block| drop(slabs.free_block(&block)));
    }
}
