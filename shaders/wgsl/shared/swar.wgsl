// Operations on the four bytes of a word at once. The result is the high bit of each byte.

const LOW_BITS: u32 = 0x7f7f7f7fu;
const HIGH_BITS: u32 = 0x80808080u;

// Finds the bytes that are equal to `byte`.
fn bytes_equal(word: u32, byte: u32) -> u32 {
    let apart = word ^ (byte * 0x01010101u);
    return ~(((apart & LOW_BITS) + LOW_BITS) | apart | LOW_BITS);
}

// Finds the bytes from `first` to `last`, both below 0x80.
fn bytes_between(word: u32, first: u32, last: u32) -> u32 {
    let low = word & LOW_BITS;
    let reach = low + (0x80u - first) * 0x01010101u;
    let beyond = low + (0x7fu - last) * 0x01010101u;
    return reach & ~beyond & ~word & HIGH_BITS;
}

// Moves the high bits of the four bytes to the four lowest bits. No two products share a bit.
fn gather(high_bits: u32) -> u32 {
    return ((((high_bits & HIGH_BITS) >> 7u) * 0x01020408u) >> 24u) & 0xfu;
}
