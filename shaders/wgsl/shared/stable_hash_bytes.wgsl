// The stable hash of bytes that begin and end anywhere in words of a buffer.
// Whoever uses this says where they are: `word_of_keys(at)` is the word with bytes 4 x at and on.
// @use stable_hash

// Up to four bytes from a place on, the first one lowest; zeros behind them.
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
