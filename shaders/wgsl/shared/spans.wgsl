// Converts the edges of tokens to spans, in order. All shaders that cut a text use this part.
//
//   16 bytes per lane -> masks of where tokens start and end (one shader file per token rule)
//   count_edges -> scan_tiles -> write_spans
//
//   count_edges   per tile: counts the tokens that start and the tokens that end
//   scan_tiles    one workgroup: counts the starts and ends before each tile
//   write_spans   per tile: writes each start and each end to its place
//
// Each start is counted at one byte, and so is each end. Starts and ends are counted separately, in
// the order of the tokens. So the k-th end belongs to the k-th start, even if the token crosses
// tiles or is empty.
//
//   text           a , , b \n        split at ","
//   opens          1 0 0 0 0         a token starts at this byte
//   opens_after    0 1 1 0 0         a token starts after the separator that begins at this byte
//   closes_before  0 1 1 0 0         a token ends before the separator that begins at this byte
//   closes         0 0 0 0 1         a token ends after this byte, or before its line end
//
// The shader that uses this part defines `edges_of`, and the entry points `count_edges` and
// `write_spans`, which call `count` and `write`.
// @use scan

struct Params {
    text_bytes: u32,
    // Not 0 if the text has records.
    records: u32,
    tiles: u32,
    // Maximum number of spans.
    capacity: u32,
    // Number of this run. The last dispatch copies it to the summary.
    run: u32,
    // Length of the separator, at most 16; 0 if no line can contain it.
    separator_bytes: u32,
    // Number of the wanted field, from 1.
    field: u32,
    pad_0: u32,
    separator: vec4<u32>,
}

struct Summary {
    starts: u32,
    ends: u32,
    token_bytes: atomic<u32>,
    // Bytes outside of tokens.
    other_bytes: atomic<u32>,
    // Lines, and lines without the field; for `field` only.
    rows: atomic<u32>,
    rejected: atomic<u32>,
    run: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> text: array<u32>;
// A bit for each byte: whether a record begins there.
@group(0) @binding(2) var<storage, read> records: array<u32>;
// Number of starts and ends in each tile; after `scan_tiles`, in all tiles before it.
@group(0) @binding(3) var<storage, read_write> tiles: array<vec2<u32>>;
// Start and end of each token.
@group(0) @binding(4) var<storage, read_write> spans: array<u32>;
@group(0) @binding(5) var<storage, read_write> summary: Summary;

// The edges in a lane's bytes. Bit 0 is its first byte.
struct Edges {
    opens: u32,
    opens_after: u32,
    closes_before: u32,
    closes: u32,
    // Bytes that are LF, and those of them that follow the CR of a CRLF.
    feeds: u32,
    feeds_after_returns: u32,
    // Number of bytes, and number of bytes outside of tokens. All bytes of a separator count at its
    // first byte.
    bytes: u32,
    others: u32,
}

fn no_edges() -> Edges {
    return Edges(0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u);
}

// Returns the offset of the lane's first byte in the text.
fn place_of(here: Here) -> u32 {
    return (tile_of(here) * LANES + here.lane) * LANE_BYTES;
}

// A grid may have more workgroups than there are tiles, and a tile more lanes than there is text.
fn has_text(here: Here) -> bool {
    return tile_of(here) < params.tiles && place_of(here) < params.text_bytes;
}

// Returns the end of the token at this bit of `closes`, counted from the lane's first byte.
fn end_of(edges: Edges, bit: u32) -> u32 {
    let line_end = (edges.feeds >> bit) & 1u;
    return bit + 1u - line_end - ((edges.feeds_after_returns >> bit) & 1u);
}

fn counts_of(edges: Edges) -> vec2<u32> {
    let parts = vec2<u32>(countOneBits(edges.opens_after), countOneBits(edges.closes_before));
    return parts + vec2<u32>(countOneBits(edges.opens), countOneBits(edges.closes));
}

// Adds up the edges of a tile. All lanes of the workgroup must call this, and `write`.
fn count(here: Here, edges: Edges) {
    let tile = tile_of(here);
    // A byte has at most two starts, so the sums of a tile fit in 16 bits, and two share a word.
    let bytes = vec2<u32>(edges.bytes, edges.others);
    let total = scan(here.lane, counts_of(edges) + (bytes << vec2<u32>(16u))).total;
    if here.lane == 0u && tile < params.tiles {
        tiles[tile] = total & vec2<u32>(0xffffu);
        // A separator may reach into the next tile, so the tile's number of token bytes can be
        // negative.
        atomicAdd(&summary.token_bytes, (total.x >> 16u) - (total.y >> 16u));
        atomicAdd(&summary.other_bytes, total.y >> 16u);
    }
}

@compute @workgroup_size(256)
fn scan_tiles(@builtin(local_invocation_index) lane: u32) {
    var before = vec2<u32>(0u);
    for (var first = 0u; first < params.tiles; first += LANES) {
        let tile = first + lane;
        var mine = vec2<u32>(0u);
        if tile < params.tiles {
            mine = tiles[tile];
        }
        let scanned = scan(lane, mine);
        if tile < params.tiles {
            tiles[tile] = before + scanned.before;
        }
        before += scanned.total;
    }
    if lane == 0u {
        summary.starts = before.x;
        summary.ends = before.y;
    }
}

// Counts the bits of the mask below this bit.
fn below(mask: u32, bit: u32) -> u32 {
    return countOneBits(mask & ((1u << bit) - 1u));
}

fn write_starts(edges: Edges, at: u32, first: u32) {
    for (var left = edges.opens; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        let place = first + below(edges.opens, bit) + below(edges.opens_after, bit);
        if place < params.capacity {
            spans[place * 2u] = at + bit;
        }
    }
    for (var left = edges.opens_after; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        // A token that opens at the separator's first byte is the empty token before it.
        let place = first + below(edges.opens, bit + 1u) + below(edges.opens_after, bit);
        if place < params.capacity {
            spans[place * 2u] = at + bit + params.separator_bytes;
        }
    }
}

fn write_ends(edges: Edges, at: u32, first: u32) {
    for (var left = edges.closes_before; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        let place = first + below(edges.closes_before, bit) + below(edges.closes, bit);
        if place < params.capacity {
            spans[place * 2u + 1u] = at + bit;
        }
    }
    for (var left = edges.closes; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        // A token that closes at a separator of one byte is the empty token after it.
        let place = first + below(edges.closes_before, bit + 1u) + below(edges.closes, bit);
        if place < params.capacity {
            spans[place * 2u + 1u] = at + end_of(edges, bit);
        }
    }
}

fn write(here: Here, edges: Edges) {
    let tile = tile_of(here);
    var before = vec2<u32>(0u);
    if tile < params.tiles {
        before = tiles[tile];
    }
    let first = before + scan(here.lane, counts_of(edges)).before;
    write_starts(edges, place_of(here), first.x);
    write_ends(edges, place_of(here), first.y);
    if tile == 0u && here.lane == 0u {
        summary.run = params.run;
    }
}
