//! Lines of text.

/// Lists the lines of a text, without their LF or CRLF.
///
/// # Examples
///
/// ```
/// use keymill_kernels::oracle;
///
/// assert_eq!(oracle::frame(b"a\r\n\nb\r"), [&b"a"[..], b"", b"b\r"]);
/// ```
#[must_use]
pub fn frame(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
        .map(|line| {
            line.strip_suffix(b"\r\n")
                .or_else(|| line.strip_suffix(b"\n"))
                .unwrap_or(line)
        })
        .collect()
}
