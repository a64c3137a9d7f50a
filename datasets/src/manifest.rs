//! The checksums and correct counts of all named data sets at one small size, from `manifest.tsv`.

/// The size of all data sets in the manifest.
pub const CANONICAL_BYTES: u64 = 1 << 20;

static MANIFEST: &str = include_str!("../manifest.tsv");

/// A line of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The data set's name.
    pub name: &'static str,
    /// Number of bytes when [`CANONICAL_BYTES`] are requested.
    pub bytes: u64,
    /// SHA-256 of the bytes, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// Number of tokens between Unicode white space.
    pub tokens: u64,
    /// Number of distinct tokens.
    pub distinct: u64,
    /// The most frequent token, formatted by [`u8::escape_ascii`]. If several are equally frequent,
    /// the first one in byte order. If the token has more than 64 bytes, the first 64 and `...`.
    pub top_key: &'static str,
    /// Number of occurrences of the most frequent token.
    pub top_count: u64,
}

/// Returns the manifest's line for the data set with this name, at [`CANONICAL_BYTES`].
///
/// # Examples
///
/// ```
/// use keymill_datasets::{CANONICAL_BYTES, expected, find};
///
/// let known = expected("book").ok_or("not in the manifest")?;
/// let bytes = find("book").ok_or("no such set")?.to_vec(CANONICAL_BYTES as usize);
/// assert_eq!(bytes.len() as u64, known.bytes);
/// assert_eq!(String::from_utf8_lossy(&bytes).split_whitespace().count() as u64, known.tokens);
/// assert_eq!(known.top_key, "the");
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn expected(name: &str) -> Option<Expected> {
    manifest().find(|line| line.name == name)
}

/// Returns all lines of the manifest.
///
/// # Examples
///
/// ```
/// assert_eq!(keymill_datasets::manifest().count(), keymill_datasets::all().len());
/// ```
pub fn manifest() -> impl Iterator<Item = Expected> {
    MANIFEST.lines().skip(1).filter_map(parse)
}

fn parse(line: &'static str) -> Option<Expected> {
    let mut fields = line.split('\t');
    let parsed = Expected {
        name: fields.next()?,
        bytes: fields.next()?.parse().ok()?,
        sha256: fields.next()?,
        tokens: fields.next()?.parse().ok()?,
        distinct: fields.next()?.parse().ok()?,
        top_key: fields.next()?,
        top_count: fields.next()?.parse().ok()?,
    };
    fields.next().is_none().then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_missing_or_extra_fields_are_rejected() {
        assert_eq!(parse("a\t1\tff\t2\t3\tkey"), None);
        assert_eq!(parse("a\t1\tff\t2\t3\tkey\t4\tmore"), None);
        assert_eq!(parse("a\tone\tff\t2\t3\tkey\t4"), None);
        assert_eq!(
            parse("a\t1\tff\t2\t3\tkey\t4").map(|line| line.top_count),
            Some(4)
        );
    }
}
