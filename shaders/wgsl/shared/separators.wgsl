// Finds the separators that split lines into parts. Each part is a token.
//
// A separator has at most 16 bytes, so a lane reads all bytes of a separator that begins in its own
// bytes. Separators must not be able to overlap: no suffix of a separator is a prefix of it. The
// host refuses other separators before a run, and the CPU does the work.
// @use lines

fn separator_byte(at: u32) -> u32 {
    return (params.separator[at / 4u] >> (at % 4u * 8u)) & 0xffu;
}

// Returns the mask of the lane's own bytes at which a separator begins.
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
    // The CR of a CRLF does not belong to the line. A separator never contains LF.
    return found & ~((*ahead).returns >> (length - 1u));
}

fn edges_of_parts(at: u32) -> Edges {
    var ahead = ahead_of(at);
    var edges = edges_of_lines(&ahead, at);
    let found = separators(&ahead);
    edges.opens_after = found;
    edges.closes_before = found;
    edges.others += countOneBits(found) * params.separator_bytes;
    return edges;
}
