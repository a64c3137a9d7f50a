// Separators that split lines into parts, each a token.
//
// A separator has 16 bytes at most, so that a lane sees all of one that begins with a byte of its
// own; and no end of it is a beginning of it, so that no two of them overlap.
// @use lines

fn separator_byte(at: u32) -> u32 {
    return (params.separator[at / 4u] >> (at % 4u * 8u)) & 0xffu;
}

// The own bytes with which a separator begins.
fn separators(ahead: ptr<function, Ahead>) -> u32 {
    let length = min(params.separator_bytes, LANE_BYTES);
    if length == 0u {
        return 0u;
    }
    var found = OWN_AHEAD;
    for (var i = 0u; i < length; i++) {
        found &= bytes_ahead(ahead, separator_byte(i)) >> i;
    }
    for (var i = 1u; i < length; i++) {
        found &= ~((*ahead).starts >> i);
    }
    // The CR of a line end is none of the line's bytes. An LF is in no separator.
    return found & ~((*ahead).returns >> (length - 1u));
}

fn edges_of_parts(at: u32) -> Edges {
    var ahead = ahead_of(at);
    var edges = edges_of_lines(&ahead, at);
    let found = separators(&ahead);
    edges.behinds = found;
    edges.befores = found;
    edges.others += countOneBits(found) * params.separator_bytes;
    return edges;
}
