// Finds where records begin, within a window.
// @use window

// Returns the mask of the bytes of a window at which a record begins.
fn record_starts(at: u32) -> u32 {
    if params.records == 0u {
        return 0u;
    }
    let half = (records[at / 32u] >> (at % 32u)) & 0xffffu;
    var before = 0u;
    if at > 0u {
        let first = at - 4u;
        before = (records[first / 32u] >> (first % 32u)) & 0xfu;
    }
    let next = at + LANE_BYTES;
    let after = (records[next / 32u] >> (next % 32u)) & 0xfu;
    return before | (half << 4u) | (after << 20u);
}
