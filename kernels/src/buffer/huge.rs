//! A zeroed slice that can grow, on huge pages where the system supports them.

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use bytemuck::Zeroable;

/// A multiple of every ordinary page size of Linux.
#[cfg(all(target_os = "linux", not(miri)))]
const LARGEST_PAGE: usize = 64 << 10;

/// Alignment of every slice, so that elements of this size do not cross cache lines.
const CACHE_LINE: usize = 64;

/// Bytes of a huge page, and the size from which a slice requests huge pages.
const HUGE_PAGE: usize = 2 << 20;

/// A slice of zeroed elements of fixed length, which can be [enlarged](HugeVec::grow_to).
///
/// From 2 MiB on it is aligned to 2 MiB and requests huge pages from Linux, so that a table far
/// larger than the caches costs one cache miss per probe and no page walk. Pages are allocated when
/// they are first touched, so an untouched slice uses no memory. On other systems, under Miri, and
/// below that size it is a zeroed allocation, aligned to a cache line.
///
/// # Examples
///
/// ```
/// use keymill_kernels::HugeVec;
///
/// let mut slots = HugeVec::<u64>::new(1000);
/// slots[7] = 7;
/// assert_eq!(slots.iter().sum::<u64>(), 7);
/// ```
pub struct HugeVec<T> {
    first: NonNull<T>,
    len: usize,
    home: Home,
}

/// Where the memory came from, which decides how it is freed.
#[derive(Clone, Copy)]
enum Home {
    /// Nothing was allocated.
    Nowhere,
    /// The global allocator, from `start` on and with this layout.
    Heap { start: NonNull<u8>, layout: Layout },
    /// A mapping of this many bytes.
    #[cfg(all(target_os = "linux", not(miri)))]
    Mapping(usize),
}

// SAFETY: a `HugeVec` is the only owner of its elements, like a `Box<[T]>`.
unsafe impl<T: Send> Send for HugeVec<T> {}
// SAFETY: a shared `HugeVec` gives out shared elements only, like a `Box<[T]>`.
unsafe impl<T: Sync> Sync for HugeVec<T> {}

impl<T: Zeroable + Copy> HugeVec<T> {
    /// Makes `len` zeroed elements.
    ///
    /// # Panics
    ///
    /// When the elements exceed `isize::MAX` bytes. It aborts when memory is exhausted, like `Vec`.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let layout = layout_of::<T>(len).expect("a slice fits in the address space");
        Self::with_layout(len, layout).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// Makes `len` zeroed elements, or returns `None` when memory is exhausted.
    #[must_use]
    pub fn try_new(len: usize) -> Option<Self> {
        Self::with_layout(len, layout_of::<T>(len)?)
    }

    fn with_layout(len: usize, layout: Layout) -> Option<Self> {
        let (first, home) = match layout.size() {
            0 => (NonNull::<T>::dangling().cast(), Home::Nowhere),
            _ => allocate(layout)?,
        };
        let first = first.cast();
        Some(Self { first, len, home })
    }

    /// Makes the slice longer; the elements are kept, and the new ones are zero.
    ///
    /// A large slice keeps its pages: nothing is copied, and only the new part is untouched memory.
    /// On many machines the first touch of a page costs more than the work on it.
    ///
    /// # Panics
    ///
    /// As for [`HugeVec::new`].
    pub fn grow_to(&mut self, len: usize) {
        if !self.try_grow_to(len) {
            handle_alloc_error(layout_of::<T>(len).expect("a slice fits in the address space"));
        }
    }

    /// Does [`HugeVec::grow_to`], or returns `false` and leaves the slice unchanged when memory is
    /// exhausted.
    #[must_use]
    pub fn try_grow_to(&mut self, len: usize) -> bool {
        if len <= self.len {
            return true;
        }
        let Some(mut longer) = Self::try_new(len) else {
            return false;
        };
        #[cfg(all(target_os = "linux", not(miri)))]
        if let (Home::Mapping(to), Home::Mapping(from)) = (longer.home, self.home) {
            // If `move_pages` fails, the owner of the addresses is unknown: they are not freed.
            longer.home = Home::Nowhere;
            // SAFETY: both mappings belong to the slices, which are not borrowed; the pages of the
            // longer one were not touched, and neither slice uses its mapping after this.
            if unsafe { move_pages(self.first.cast(), from, longer.first.cast(), to) } {
                longer.home = Home::Mapping(to);
                self.home = Home::Nowhere;
                *self = longer;
                return true;
            }
            match Self::try_new(len) {
                Some(another) => longer = another,
                None => return false,
            }
        }
        longer[..self.len].copy_from_slice(self);
        *self = longer;
        true
    }

    /// Makes every element zero again.
    pub fn clear(&mut self) {
        // SAFETY: the slice owns `len` elements, and `T: Zeroable` allows zero bytes.
        unsafe { self.first.as_ptr().write_bytes(0, self.len) }
    }
}

/// Returns `None` when the elements exceed `isize::MAX` bytes.
fn layout_of<T>(len: usize) -> Option<Layout> {
    let layout = Layout::array::<T>(len).ok()?;
    layout.align_to(CACHE_LINE).ok()
}

/// Returns zeroed memory for `layout`, whose size is not zero, or `None` when memory is exhausted.
fn allocate(layout: Layout) -> Option<(NonNull<u8>, Home)> {
    #[cfg(all(target_os = "linux", not(miri)))]
    if layout.size() >= HUGE_PAGE && layout.align() <= HUGE_PAGE {
        return map_huge(layout);
    }
    // A longer allocation is made and aligned here. glibc before 2.38 hardly reuses the memory of
    // aligned allocations, so that short-lived tables would use more and more memory.
    let longer = layout.size().checked_add(layout.align())?;
    let longer = Layout::from_size_align(longer, size_of::<usize>()).ok()?;
    // SAFETY: the size is above zero.
    let start = NonNull::new(unsafe { alloc_zeroed(longer) })?;
    let before = start.align_offset(layout.align());
    // SAFETY: `before` is less than the alignment, and the allocation is longer by the alignment.
    let first = unsafe { start.byte_add(before) };
    let layout = longer;
    Some((first, Home::Heap { start, layout }))
}

/// Maps one huge page more than is needed, and unmaps the parts before and after the aligned range.
#[cfg(all(target_os = "linux", not(miri)))]
fn map_huge(layout: Layout) -> Option<(NonNull<u8>, Home)> {
    let kept = layout.size().checked_next_multiple_of(LARGEST_PAGE)?;
    let whole = kept.checked_add(HUGE_PAGE)?;
    // SAFETY: a private anonymous mapping at an address chosen by the kernel changes no other
    // memory.
    let start = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            whole,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    let before = start.align_offset(HUGE_PAGE);
    // SAFETY: `before < HUGE_PAGE`, so all three parts are inside the mapping made above, and
    // nothing points into the first and the last. `madvise` may fail: then the pages are small.
    let first = unsafe {
        let first = start.byte_add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        if HUGE_PAGE > before {
            libc::munmap(first.byte_add(kept), HUGE_PAGE - before);
        }
        libc::madvise(first, kept, libc::MADV_HUGEPAGE);
        first
    };
    let first = NonNull::new(first.cast()).expect("a mapping does not start at address zero");
    Some((first, Home::Mapping(kept)))
}

/// Moves a mapping of `from` bytes to an address where `to` bytes are mapped, and enlarges it to
/// `to` bytes, which keeps it one mapping. Returns `false` when the system refuses.
///
/// # Safety
///
/// The caller must own both mappings, and must not use references into them again: the one at
/// `first` is unmapped on success, and the one at `place` on failure.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn move_pages(first: NonNull<u8>, from: usize, place: NonNull<u8>, to: usize) -> bool {
    let (first, place) = (first.as_ptr().cast(), place.as_ptr());
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller promises the conditions of this function.
    let moved = unsafe { libc::mremap(first, from, to, flags, place) };
    moved != libc::MAP_FAILED
}

impl<T> Drop for HugeVec<T> {
    fn drop(&mut self) {
        match self.home {
            Home::Nowhere => {}
            // SAFETY: `start` came from the global allocator with exactly this layout.
            Home::Heap { start, layout } => unsafe { dealloc(start.as_ptr(), layout) },
            #[cfg(all(target_os = "linux", not(miri)))]
            // SAFETY: the mapping has exactly these bytes, and they are not borrowed any more.
            Home::Mapping(bytes) => unsafe {
                libc::munmap(self.first.as_ptr().cast(), bytes);
            },
        }
    }
}

impl<T> Deref for HugeVec<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `first` points to `len` elements, zeroed when they were made.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for HugeVec<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes the borrow the only one.
        unsafe { core::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

/// Appends bytes. If the vector is empty and the bytes are many, their memory is on huge pages.
///
/// Only if it is empty: memory with advice can no longer grow in place.
pub fn extend_hugely(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() >= HUGE_PAGE && to.capacity() < bytes.len() && to.is_empty() {
        to.reserve_exact(bytes.len());
        request_huge_pages(to.spare_capacity_mut());
    }
    to.extend_from_slice(bytes);
}

/// Requests huge pages for the whole huge pages within a range of memory.
#[cfg(all(target_os = "linux", not(miri)))]
fn request_huge_pages(room: &mut [core::mem::MaybeUninit<u8>]) {
    let begin = room.as_ptr().align_offset(HUGE_PAGE);
    let bytes = room.len().saturating_sub(begin) / HUGE_PAGE * HUGE_PAGE;
    if bytes > 0 {
        let first = room[begin..].as_mut_ptr();
        // SAFETY: these are whole pages of memory that only the caller may write to, and advice
        // does not change their content. It may fail: then the pages are small.
        unsafe { libc::madvise(first.cast(), bytes, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn request_huge_pages(_: &mut [core::mem::MaybeUninit<u8>]) {}

impl<T: Zeroable + Copy> Default for HugeVec<T> {
    fn default() -> Self {
        Self::new(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_zero_and_keep_written_values() {
        let around = HUGE_PAGE / 8;
        let sizes = [0, 1, 511, around - 1, around, around + 1, 3 * around + 77];
        for len in sizes.into_iter().take(if cfg!(miri) { 3 } else { 7 }) {
            let mut slice = HugeVec::<u64>::new(len);
            assert!(slice.iter().all(|&element| element == 0) && slice.len() == len);
            (0..len).for_each(|i| slice[i] = i as u64 + 1);
            assert!((0..len).all(|i| slice[i] == i as u64 + 1));
            slice.clear();
            assert!(slice.iter().all(|&element| element == 0));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri ends where memory does")]
    fn a_slice_without_memory_is_none() {
        assert!(HugeVec::<u64>::try_new(usize::MAX).is_none());
        assert!(HugeVec::<u8>::try_new(isize::MAX as usize - (64 << 10)).is_none());
        assert_eq!(HugeVec::<u64>::try_new(7).map(|slice| slice.len()), Some(7));
    }

    #[test]
    fn elements_are_kept_when_it_grows() {
        let page = HUGE_PAGE / 8;
        let lengths = [0, 1, 500, page - 1, page, page + 1, 3 * page + 77, 8 * page];
        let lengths = &lengths[..if cfg!(miri) { 3 } else { 8 }];
        let mut slice = HugeVec::<u64>::new(0);
        for &len in lengths {
            let before = slice.len();
            slice.grow_to(len);
            assert_eq!(slice.len(), len);
            assert!((0..before).all(|i| slice[i] == i as u64 + 1));
            assert!(slice[before..].iter().all(|&element| element == 0));
            (before..len).for_each(|i| slice[i] = i as u64 + 1);
        }
        slice.grow_to(5);
        assert_eq!(
            Some(&slice.len()),
            lengths.last(),
            "it never becomes shorter"
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri ends where memory does")]
    fn exhausted_memory_does_not_abort() {
        let most = isize::MAX as usize / 2;
        assert!(HugeVec::<u8>::try_new(most).is_none());
        let mut slice = HugeVec::<u8>::new(3);
        slice[2] = 7;
        assert!(!slice.try_grow_to(most));
        assert_eq!(slice[..], [0, 0, 7]);
        assert!(slice.try_grow_to(5) && slice.try_grow_to(2));
        assert_eq!(slice[..], [0, 0, 7, 0, 0]);
    }

    #[test]
    fn bytes_of_every_length_are_appended() {
        let most = if cfg!(miri) { 100 } else { 3 * HUGE_PAGE + 5 };
        let bytes: Vec<u8> = (0..most).map(|i| (i % 251) as u8).collect();
        let mut all = Vec::new();
        for length in [0, 1, most / 3, most] {
            let before = all.len();
            extend_hugely(&mut all, &bytes[..length]);
            assert!(all[before..] == bytes[..length]);
        }
        assert_eq!(all.len(), 1 + most / 3 + most);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_large_slice_is_aligned_to_a_huge_page() {
        let slice = HugeVec::<u8>::new(HUGE_PAGE + 5);
        assert_eq!(slice.as_ptr().align_offset(HUGE_PAGE), 0);
        assert!(HugeVec::<[u64; 0]>::new(7).len() == 7);
    }
}
