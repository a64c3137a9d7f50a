//! What is known about every named data set at one small size, as it stands in `manifest.tsv`.

/// The size that was asked of every data set of the manifest.
pub const CANONICAL_BYTES: u64 = 1 << 20;

static MANIFEST: &str = include_str!("../manifest.tsv");

/// One line of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The data set's name.
    pub name: &'static str,
    /// How many bytes it has when [`CANONICAL_BYTES`] are asked for.
    pub bytes: u64,
    /// Their SHA-256, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// How many tokens stand between Unicode white space.
    pub tokens: u64,
    /// How many of them differ.
    pub distinct: u64,
    /// The most frequent token, the first in byte order of several, written by
    /// [`u8::escape_ascii`]; of a token of more than 64 bytes the first 64 and `...`.
    pub top_key: &'static str,
    /// How often the most frequent token comes.
    pub top_count: u64,
}

/// What the manifest says about the data set of that name, at [`CANONICAL_BYTES`].
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

/// All lines of the manifest.
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
    fn lines_that_lack_or_exceed_are_no_lines() {
        assert_eq!(parse("a\t1\tff\t2\t3\tkey"), None);
        assert_eq!(parse("a\t1\tff\t2\t3\tkey\t4\tmore"), None);
        assert_eq!(parse("a\tone\tff\t2\t3\tkey\t4"), None);
        assert_eq!(
            parse("a\t1\tff\t2\t3\tkey\t4").map(|line| line.top_count),
            Some(4)
        );
    }
}
