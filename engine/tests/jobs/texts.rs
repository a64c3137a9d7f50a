//! Texts with edge cases.

/// Returns texts that have caused errors in similar programs.
pub(crate) fn texts() -> Vec<Vec<u8>> {
    let giant = [b"a ".as_slice(), &[b'g'; 3000], b" b"].concat();
    let mut all = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"\n".to_vec(),
        b"x".to_vec(),
        b"to be or not to be".to_vec(),
        b"a,b,,c\r\n,\r\n\r\nd\n,e,".to_vec(),
        "caf\u{e9}\u{3000}na\u{ef}ve\u{2003}\u{1f980} \u{85}caf\u{e9}\u{a0}end"
            .as_bytes()
            .to_vec(),
        b"\xff\xfe \xe2\x80 a\x00b \x00 \xc2\xa0\xe3\x80\x80x\x80\x80\x80\x80\x80y".to_vec(),
        vec![b' '; 1000],
        vec![b'x'; 1000],
        vec![b','; 300],
        vec![b'\n'; 300],
        giant.clone(),
        [giant.as_slice(), giant.as_slice()].concat(),
    ];
    all.extend((0..6).map(random));
    all
}

/// Returns a few thousand random bytes from those that have a meaning for some rule.
fn random(seed: u64) -> Vec<u8> {
    let alphabet: [&[u8]; 16] = [
        b"a",
        b"b",
        b"ab",
        b"word",
        b"longer-than-sixteen-bytes",
        b" ",
        b" ",
        b"\n",
        b"\r\n",
        b",",
        b",",
        b"\t",
        "\u{2003}".as_bytes(),
        "\u{e9}".as_bytes(),
        b"\xe2",
        b"\0",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = Vec::new();
    while text.len() < 3000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(alphabet[(state >> 40) as usize % alphabet.len()]);
    }
    text
}
