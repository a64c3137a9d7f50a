//! A position in a split.
#![forbid(unsafe_code)]

/// A position in a split. Offsets are ordered and serializable. Only their source interprets them.
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

    /// Creates an offset from a number of bytes, records or rows.
    #[must_use]
    pub fn at(position: u64) -> Self {
        Self(position.to_be_bytes().to_vec())
    }

    /// Creates an offset from its serialized bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Returns the serialized bytes. They have the order of the offsets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the number that the offset was made from, if it was made from one.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        match self.0.as_slice() {
            [] => Some(0),
            bytes => Some(u64::from_be_bytes(bytes.try_into().ok()?)),
        }
    }
}
