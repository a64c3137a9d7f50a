//! A zeroed slice that can grow, on huge pages where the system gives them.

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use bytemuck::Zeroable;

/// A multiple of every ordinary page size of Linux.
#[cfg(all(target_os = "linux", not(miri)))]
const LARGEST_PAGE: usize = 64 << 10;

/// Every slice begins on one, so that elements of a line's size never straddle two.
const CACHE_LINE: usize = 64;

/// Bytes of a huge page, and the size from which a slice asks for them.
const HUGE_PAGE: usize = 2 << 20;

/// A slice of zeroed elements, as long as it was made, or [grown](HugeVec::grow_to), to be.
///
/// From 2 MiB on it lies on a 2 MiB boundary and asks Linux for huge pages, so that a table far
/// beyond the caches costs one cache miss a probe and not a page walk too. Pages are zero until
/// they are first touched, so an untouched slice costs no memory. Elsewhere, under Miri, and below
/// that size it is a plain zeroed allocation, aligned to a cache line.
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

/// Where the memory came from, and so how it goes back.
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

// SAFETY: a `HugeVec` owns its elements alone, as a `Box<[T]>` does.
unsafe impl<T: Send> Send for HugeVec<T> {}
// SAFETY: a shared `HugeVec` gives out shared elements only, as a `Box<[T]>` does.
unsafe impl<T: Sync> Sync for HugeVec<T> {}

impl<T: Zeroable + Copy> HugeVec<T> {
    /// Makes `len` zeroed elements.
    ///
    /// # Panics
    ///
    /// When the elements would fill more than `isize::MAX` bytes. Without memory it aborts, as
    /// `Vec` does.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let layout = layout_of::<T>(len).expect("a slice fits in the address space");
        Self::with_layout(len, layout).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// Makes `len` zeroed elements, or returns `None` when there is no memory for them.
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

    /// Makes the slice longer; the elements stay, and the new ones are zero.
    ///
    /// A large slice keeps its pages: nothing is copied, and only the new part is memory that was
    /// not touched before, which on many machines costs more than what is then done with it.
    ///
    /// # Panics
    ///
    /// As for [`HugeVec::new`].
    pub fn grow_to(&mut self, len: usize) {
        if !self.try_grow_to(len) {
            handle_alloc_error(layout_of::<T>(len).expect("a slice fits in the address space"));
        }
    }

    /// As [`HugeVec::grow_to`]; `false` where there is not the memory, and the slice is as it was.
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
            // When `move_pages` fails, nobody can tell whose the place is by now: it is left alone.
            longer.home = Home::Nowhere;
            // SAFETY: both mappings are those of the slices, which nobody borrows; the longer one's
            // pages were not touched, and neither slice uses its mapping after this.
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
        // SAFETY: the slice holds `len` elements of its own, and `T: Zeroable` allows zero bytes.
        unsafe { self.first.as_ptr().write_bytes(0, self.len) }
    }
}

/// `None` when the elements would fill more than `isize::MAX` bytes.
fn layout_of<T>(len: usize) -> Option<Layout> {
    let layout = Layout::array::<T>(len).ok()?;
    layout.align_to(CACHE_LINE).ok()
}

/// Zeroed memory for `layout`, whose size is not zero; `None` when there is none.
fn allocate(layout: Layout) -> Option<(NonNull<u8>, Home)> {
    #[cfg(all(target_os = "linux", not(miri)))]
    if layout.size() >= HUGE_PAGE && layout.align() <= HUGE_PAGE {
        return map_huge(layout);
    }
    // The line is found in a longer piece. Aligned pieces come from the allocator by another way: glibc
    // before 2.38 hardly uses these again, so that tables that come and go would fill the memory.
    let longer = layout.size().checked_add(layout.align())?;
    let longer = Layout::from_size_align(longer, size_of::<usize>()).ok()?;
    // SAFETY: the size is above zero.
    let start = NonNull::new(unsafe { alloc_zeroed(longer) })?;
    let before = start.align_offset(layout.align());
    // SAFETY: less than the alignment lies before the first aligned byte, and the piece is that much
    // longer than what was asked for.
    let first = unsafe { start.byte_add(before) };
    let layout = longer;
    Some((first, Home::Heap { start, layout }))
}

/// Maps one huge page more than is asked for and gives back what lies outside the boundary.
#[cfg(all(target_os = "linux", not(miri)))]
fn map_huge(layout: Layout) -> Option<(NonNull<u8>, Home)> {
    let kept = layout.size().checked_next_multiple_of(LARGEST_PAGE)?;
    let whole = kept.checked_add(HUGE_PAGE)?;
    // SAFETY: a private anonymous mapping at a place that the kernel picks touches nothing of ours.
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
    // SAFETY: `before < HUGE_PAGE`, so all three pieces lie inside the mapping made above, and
    // nothing points into the first and the last. Advice may fail: then the pages are small.
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

/// Moves a mapping of `from` bytes to a place that `to` bytes are mapped at, and makes it as long
/// as that, which keeps it one mapping; `false` when the system will not.
///
/// # Safety
///
/// Both must be mappings of the caller's alone, and no reference into either may be used again:
/// the one at `first` is gone when this succeeds, and the one at `place` when it does not.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn move_pages(first: NonNull<u8>, from: usize, place: NonNull<u8>, to: usize) -> bool {
    let (first, place) = (first.as_ptr().cast(), place.as_ptr());
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller promises what this needs.
    let moved = unsafe { libc::mremap(first, from, to, flags, place) };
    moved != libc::MAP_FAILED
}

impl<T> Drop for HugeVec<T> {
    fn drop(&mut self) {
        match self.home {
            Home::Nowhere => {}
            // SAFETY: `start` came from the global allocator with this very layout.
            Home::Heap { start, layout } => unsafe { dealloc(start.as_ptr(), layout) },
            #[cfg(all(target_os = "linux", not(miri)))]
            // SAFETY: exactly these bytes are left of the mapping, and nobody borrows them now.
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

/// Appends bytes; where they are many and the first, their memory comes in huge pages.
///
/// Only the first: memory that was asked about can no longer grow in place.
pub fn extend_hugely(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() >= HUGE_PAGE && to.capacity() < bytes.len() && to.is_empty() {
        to.reserve_exact(bytes.len());
        ask_for_huge_pages(to.spare_capacity_mut());
    }
    to.extend_from_slice(bytes);
}

/// Asks for huge pages where whole ones lie within a piece of memory.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask_for_huge_pages(room: &mut [core::mem::MaybeUninit<u8>]) {
    let begin = room.as_ptr().align_offset(HUGE_PAGE);
    let bytes = room.len().saturating_sub(begin) / HUGE_PAGE * HUGE_PAGE;
    if bytes > 0 {
        let first = room[begin..].as_mut_ptr();
        // SAFETY: these are whole pages of memory that we alone may write to, and advice changes
        // nothing of what is in them. It may fail: then the pages are small.
        unsafe { libc::madvise(first.cast(), bytes, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask_for_huge_pages(_: &mut [core::mem::MaybeUninit<u8>]) {}

impl<T: Zeroable + Copy> Default for HugeVec<T> {
    fn default() -> Self {
        Self::new(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_zero_and_keeps_what_is_written() {
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
    fn a_slice_without_memory_is_none() {
        assert!(HugeVec::<u64>::try_new(usize::MAX).is_none());
        assert!(HugeVec::<u8>::try_new(isize::MAX as usize - (64 << 10)).is_none());
        assert_eq!(HugeVec::<u64>::try_new(7).map(|slice| slice.len()), Some(7));
    }

    #[test]
    fn it_keeps_its_elements_when_it_grows() {
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
        assert_eq!(Some(&slice.len()), lengths.last(), "it never gets shorter");
    }

    #[test]
    fn memory_that_is_not_there_is_no_abort() {
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
    fn many_bytes_are_appended_like_few() {
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
    fn a_large_slice_lies_on_a_huge_page_boundary() {
        let slice = HugeVec::<u8>::new(HUGE_PAGE + 5);
        assert_eq!(slice.as_ptr().align_offset(HUGE_PAGE), 0);
        assert!(HugeVec::<[u64; 0]>::new(7).len() == 7);
    }
}
