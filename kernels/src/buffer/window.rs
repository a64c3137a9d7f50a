//! A view of text in which a word can be read at any 16-bit position.

/// Minimum bytes of a [`Window`]: every `u16` position, and 16 bytes from the last one.
pub(crate) const REACH: usize = (1 << 16) + 16;

/// At least [`REACH`] bytes of text, so that reads at 16-bit positions need no check.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    bytes: &'a [u8],
}

impl<'a> Window<'a> {
    /// Makes a window of the text, if it is long enough.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() >= REACH).then_some(Self { bytes })
    }

    /// Reads eight bytes at a position, the first one lowest.
    #[inline(always)]
    pub(crate) fn word(self, at: u16) -> u64 {
        let place = usize::from(at);
        debug_assert!(place + 8 <= self.bytes.len());
        // SAFETY: a `u16` plus 8 is below `REACH`, and the window holds at least `REACH` bytes.
        let word = unsafe {
            self.bytes
                .as_ptr()
                .add(place)
                .cast::<u64>()
                .read_unaligned()
        };
        u64::from_le(word)
    }

    /// Reads sixteen bytes at a position, as two words.
    #[inline(always)]
    pub(crate) fn two_words(self, at: u16) -> [u64; 2] {
        let place = usize::from(at);
        debug_assert!(place + 16 <= self.bytes.len());
        // SAFETY: a `u16` plus 16 is at most `REACH`, and the window holds at least `REACH` bytes.
        let words = unsafe {
            self.bytes
                .as_ptr()
                .add(place)
                .cast::<[u64; 2]>()
                .read_unaligned()
        };
        words.map(u64::from_le)
    }

    /// Returns the bytes of a span.
    #[inline(always)]
    pub(crate) fn slice(self, span: u32) -> &'a [u8] {
        &self.bytes[(span & 0xffff) as usize..(span >> 16) as usize]
    }
}

/// Memory to which text that is too short for a [`Window`] is copied.
pub(crate) struct WindowScratch {
    bytes: Box<[u8]>,
}

impl WindowScratch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; REACH].into_boxed_slice(),
        }
    }

    /// Returns a window whose first `used` bytes are those of `text`; the others are unspecified.
    #[inline(always)]
    pub(crate) fn window<'a>(&'a mut self, text: &'a [u8], used: usize) -> Window<'a> {
        if let Some(window) = Window::new(text) {
            return window;
        }
        self.bytes[..used].copy_from_slice(&text[..used]);
        Window { bytes: &self.bytes }
    }
}
