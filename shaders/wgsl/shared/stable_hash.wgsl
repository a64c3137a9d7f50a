// The stable hash, which decides a key's partition: HalfSipHash-1-3, the same as `stable_hash` of
// the kernels. A 64-bit hash is a low word and a high word.

fn rotated(word: u32, bits: u32) -> u32 {
    return (word << bits) | (word >> (32u - bits));
}

fn sip_round(state: vec4<u32>) -> vec4<u32> {
    var v = state;
    v.x += v.y;
    v.z += v.w;
    v.y = rotated(v.y, 5u) ^ v.x;
    v.w = rotated(v.w, 8u) ^ v.z;
    v.x = rotated(v.x, 16u) + v.w;
    v.z += v.y;
    v.w = rotated(v.w, 7u) ^ v.x;
    v.y = rotated(v.y, 13u) ^ v.z;
    v.z = rotated(v.z, 16u);
    return v;
}

fn sip_rounds(state: vec4<u32>) -> vec4<u32> {
    return sip_round(sip_round(sip_round(state)));
}

// Returns the state before any input. The seed's low word comes first.
fn sip_begin(seed: vec2<u32>) -> vec4<u32> {
    return vec4<u32>(seed.x, seed.y ^ 0xeeu, 0x6c796765u ^ seed.x, 0x74656462u ^ seed.y);
}

fn sip_absorb(state: vec4<u32>, word: u32) -> vec4<u32> {
    var v = state;
    v.w ^= word;
    v = sip_round(v);
    v.x ^= word;
    return v;
}

// Absorbs the last word: the bytes that do not fill a word, and the length in the highest byte.
// Returns the hash.
fn sip_finish(state: vec4<u32>, last: u32) -> vec2<u32> {
    var v = sip_absorb(state, last);
    v.z ^= 0xeeu;
    v = sip_rounds(v);
    let low = v.y ^ v.w;
    v.y ^= 0xddu;
    v = sip_rounds(v);
    return vec2<u32>(low, v.y ^ v.w);
}

// Returns the hash of a key of 4 bytes.
fn hash_of_u32(seed: vec2<u32>, key: u32) -> vec2<u32> {
    return sip_finish(sip_absorb(sip_begin(seed), key), 4u << 24u);
}

// Returns the hash of a key of 8 bytes. The low word comes first.
fn hash_of_u64(seed: vec2<u32>, key: vec2<u32>) -> vec2<u32> {
    return sip_finish(sip_absorb(sip_absorb(sip_begin(seed), key.x), key.y), 8u << 24u);
}

// Returns high word x parts / 2^32, computed with 16-bit factors. There are at most 2^16 parts, so
// nothing overflows.
fn partition_of(hash: vec2<u32>, parts: u32) -> u32 {
    let upper = (hash.y >> 16u) * parts;
    let lower = (hash.y & 0xffffu) * parts;
    return (upper + (lower >> 16u)) >> 16u;
}
