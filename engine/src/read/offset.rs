//! A place in a split.
#![forbid(unsafe_code)]

/// A place in a split: ordered, serialisable, and understood by its source alone.
///
/// # Examples
///
/// ```
/// use keymill::read::Offset;
///
/// let place = Offset::at(300);
/// assert!(Offset::START < place && place < Offset::at(70_000));
/// assert_eq!(Offset::from_bytes(place.as_bytes()), place);
/// assert_eq!(place.position(), Some(300));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(Vec<u8>);

impl Offset {
    /// Before the first byte of any split.
    pub const START: Self = Self(Vec::new());

    /// The offset of sources that count: bytes, records, rows.
    #[must_use]
    pub fn at(position: u64) -> Self {
        Self(position.to_be_bytes().to_vec())
    }

    /// An offset that was written down.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The bytes to write down; their order is that of the offsets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The count, if this is one.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        match self.0.as_slice() {
            [] => Some(0),
            bytes => Some(u64::from_be_bytes(bytes.try_into().ok()?)),
        }
    }
}
