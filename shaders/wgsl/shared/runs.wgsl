// Finds tokens that are runs of bytes of one kind.
// @use spans
// @use window

fn own(window: u32) -> u32 {
    return (window & OWN) >> 4u;
}

// Returns the edges of the runs of `inside`, the mask of the bytes of that kind in a window. A run
// also ends where its record ends.
fn edges_of_runs(at: u32, inside: u32, starts: u32) -> Edges {
    var edges = no_edges();
    edges.opens = own(inside & (~(inside << 1u) | starts));
    edges.closes = own(inside & (~(inside >> 1u) | (starts >> 1u)));
    let within = within_text(at);
    edges.bytes = countOneBits(own(within));
    edges.others = countOneBits(own(within & ~inside));
    return edges;
}
