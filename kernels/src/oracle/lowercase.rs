//! Lower case.

/// Returns the simple lower case of a character, which is always one character.
#[must_use]
pub fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        // U+0130: its full mapping has a dot above, its simple one has not.
        (Some(first), Some(_)) => first,
        (None, _) => c,
    }
}

/// Makes every valid character lower case, and copies the other bytes.
///
/// # Examples
///
/// ```
/// use keymill_kernels::oracle;
///
/// assert_eq!(oracle::lowercase("ÄÖ\u{130}".as_bytes()), "äöi".as_bytes());
/// ```
#[must_use]
pub fn lowercase(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in text.utf8_chunks() {
        let lower: String = chunk.valid().chars().map(lower).collect();
        out.extend(lower.bytes());
        out.extend(chunk.invalid());
    }
    out
}
