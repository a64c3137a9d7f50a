// The stable hash of bytes at any offset of a buffer of words. The shader that uses this part
// defines `word_of_keys(at)`, which returns the word that begins at byte 4 x `at`.
// @use stable_hash

// Returns up to four bytes from an offset. The first byte is the lowest, and missing bytes are
// zeros.
fn bytes_at(at: u32, bytes: u32) -> u32 {
    let bits = at % 4u * 8u;
    var found = word_of_keys(at / 4u) >> bits;
    if at % 4u + bytes > 4u {
        found |= word_of_keys(at / 4u + 1u) << (32u - bits);
    }
    if bytes >= 4u {
        return found;
    }
    return found & ((1u << (bytes * 8u)) - 1u);
}

fn hash_of_bytes(seed: vec2<u32>, start: u32, end: u32) -> vec2<u32> {
    var state = sip_begin(seed);
    var at = start;
    for (; at + 4u <= end; at += 4u) {
        state = sip_absorb(state, bytes_at(at, 4u));
    }
    var last = (end - start) << 24u;
    if at < end {
        last |= bytes_at(at, end - at);
    }
    return sip_finish(state, last);
}
