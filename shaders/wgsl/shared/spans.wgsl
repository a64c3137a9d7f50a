// From the edges of tokens to their spans, in order: what all ways to cut a text have in common.
//
//   count_edges   tile by tile, how many tokens start and how many end
//   scan_tiles    one workgroup: how many start and end before each tile
//   write_spans   tile by tile, every start and every end into its place
//
// Every start is counted with one byte, and so is every end, in the order of the tokens: the k-th
// end belongs to the k-th start, whatever tiles the token crosses, and though it may be empty.
//
//   text      a , , b \n        split at ","
//   opens     1 0 0 0 0         starts: with the byte
//   behinds   0 1 1 0 0         starts: behind the separator that begins with the byte
//   befores   0 1 1 0 0         ends: before the separator that begins with the byte
//   closes    0 0 0 0 1         ends: with the byte, or before the line end that it is
//
// Who uses this has `edges_of`, and the entries `count_edges` and `write_spans` around `count` and
// `write`.
// @use scan

struct Params {
    text_bytes: u32,
    // Not 0 if the text has records.
    records: u32,
    tiles: u32,
    // Spans that there is room for.
    capacity: u32,
    // Which run this is; the last dispatch writes it down.
    run: u32,
    // 16 at most; 0 for a separator that no line has.
    separator_bytes: u32,
    // Which field of a line is taken, from 1.
    field: u32,
    pad_0: u32,
    separator: vec4<u32>,
}

struct Summary {
    starts: u32,
    ends: u32,
    token_bytes: atomic<u32>,
    // Bytes of no token.
    other_bytes: atomic<u32>,
    // Lines, and those without the field; of `field` alone.
    rows: atomic<u32>,
    rejected: atomic<u32>,
    run: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> text: array<u32>;
// A bit for each byte: whether a record begins there.
@group(0) @binding(2) var<storage, read> records: array<u32>;
// Starts and ends of each tile, and after `scan_tiles` of all tiles before it.
@group(0) @binding(3) var<storage, read_write> tiles: array<vec2<u32>>;
// Start and end of each token.
@group(0) @binding(4) var<storage, read_write> spans: array<u32>;
@group(0) @binding(5) var<storage, read_write> summary: Summary;

// What a lane has of them; bit 0 stands for its first byte.
struct Edges {
    opens: u32,
    behinds: u32,
    befores: u32,
    closes: u32,
    // The bytes that are LF, and those of them behind the CR of a line end.
    feeds: u32,
    feeds_behind_returns: u32,
    // How many bytes there are, and how many of them are of no token. All bytes of a separator
    // count where it begins.
    bytes: u32,
    others: u32,
}

fn no_edges() -> Edges {
    return Edges(0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u);
}

// Where the lane begins in the text.
fn place_of(here: Here) -> u32 {
    return (tile_of(here) * LANES + here.lane) * LANE_BYTES;
}

// A grid may have more groups than there are tiles, and a tile more lanes than there is text.
fn has_text(here: Here) -> bool {
    return tile_of(here) < params.tiles && place_of(here) < params.text_bytes;
}

// Where the token ends that this bit of `closes` stands for, counted from the lane's first byte.
fn end_of(edges: Edges, bit: u32) -> u32 {
    let line_end = (edges.feeds >> bit) & 1u;
    return bit + 1u - line_end - ((edges.feeds_behind_returns >> bit) & 1u);
}

fn counts_of(edges: Edges) -> vec2<u32> {
    let parts = vec2<u32>(countOneBits(edges.behinds), countOneBits(edges.befores));
    return parts + vec2<u32>(countOneBits(edges.opens), countOneBits(edges.closes));
}

// Every lane of the workgroup has to come here, and to `write`.
fn count(here: Here, edges: Edges) {
    let tile = tile_of(here);
    // A byte has two starts at most, so that no sum of a tile passes 16 bits and two share a word.
    let bytes = vec2<u32>(edges.bytes, edges.others);
    let total = scan(here.lane, counts_of(edges) + (bytes << vec2<u32>(16u))).total;
    if here.lane == 0u && tile < params.tiles {
        tiles[tile] = total & vec2<u32>(0xffffu);
        // A separator may reach into the next tile: what this one adds can be below zero.
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

fn below(mask: u32, bit: u32) -> u32 {
    return countOneBits(mask & ((1u << bit) - 1u));
}

fn write_starts(edges: Edges, at: u32, first: u32) {
    for (var left = edges.opens; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        let place = first + below(edges.opens, bit) + below(edges.behinds, bit);
        if place < params.capacity {
            spans[place * 2u] = at + bit;
        }
    }
    for (var left = edges.behinds; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        // A token that opens with the separator's first byte is the empty one before it.
        let place = first + below(edges.opens, bit + 1u) + below(edges.behinds, bit);
        if place < params.capacity {
            spans[place * 2u] = at + bit + params.separator_bytes;
        }
    }
}

fn write_ends(edges: Edges, at: u32, first: u32) {
    for (var left = edges.befores; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        let place = first + below(edges.befores, bit) + below(edges.closes, bit);
        if place < params.capacity {
            spans[place * 2u + 1u] = at + bit;
        }
    }
    for (var left = edges.closes; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        // A token that closes with a separator of one byte is the empty one behind it.
        let place = first + below(edges.befores, bit + 1u) + below(edges.closes, bit);
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
