// Text to spans of tokens, in order: runs of anything but white space.
//
//   count_edges   tile by tile, how many tokens start and how many end
//   scan_tiles    one workgroup: how many start and end before each tile
//   write_spans   tile by tile, every start and every end into its place
//
// An end is counted with the last byte of its token, so that the k-th end belongs to the k-th
// start, whatever tiles the token crosses.
// @use scan
// @use records
// @use white_space

struct Params {
    text_bytes: u32,
    // Not 0 if the text has records.
    records: u32,
    tiles: u32,
    // Spans that there is room for.
    capacity: u32,
    // Which run this is; the last dispatch writes it down.
    run: u32,
    pad_0: u32,
    pad_1: u32,
    pad_2: u32,
}

struct Summary {
    starts: u32,
    ends: u32,
    token_bytes: atomic<u32>,
    space_bytes: atomic<u32>,
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

struct Edges {
    // Bit 0 stands for the lane's first byte.
    starts: u32,
    lasts: u32,
    inside: u32,
    spaces: u32,
}

fn own(window: u32) -> u32 {
    return (window & OWN) >> 4u;
}

fn edges_at(at: u32) -> Edges {
    if at >= params.text_bytes {
        return Edges(0u, 0u, 0u, 0u);
    }
    var words = window_at(at);
    let starts = record_starts(at);
    var spaces = ascii_spaces(&words);
    if has_non_ascii(&words) {
        spaces |= unicode_spaces(&words, starts);
    }
    spaces &= within_text(at);
    let inside = within_text(at) & ~spaces;
    let first = inside & (~(inside << 1u) | starts);
    let last = inside & (~(inside >> 1u) | (starts >> 1u));
    return Edges(own(first), own(last), own(inside), own(spaces));
}

// A grid may have more groups than there are tiles.
fn edges_of(tile: u32, lane: u32) -> Edges {
    if tile >= params.tiles {
        return Edges(0u, 0u, 0u, 0u);
    }
    return edges_at((tile * LANES + lane) * LANE_BYTES);
}

fn counts_of(edges: Edges) -> vec2<u32> {
    return vec2<u32>(countOneBits(edges.starts), countOneBits(edges.lasts));
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    let tile = tile_of(here);
    let lane = here.lane;
    let edges = edges_of(tile, lane);
    // No sum of a tile passes 4096, so that two share a word.
    let bytes = vec2<u32>(countOneBits(edges.inside), countOneBits(edges.spaces));
    let total = scan(lane, counts_of(edges) | (bytes << vec2<u32>(16u))).total;
    if lane == 0u && tile < params.tiles {
        tiles[tile] = total & vec2<u32>(0xffffu);
        atomicAdd(&summary.token_bytes, total.x >> 16u);
        atomicAdd(&summary.space_bytes, total.y >> 16u);
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

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    let tile = tile_of(here);
    let lane = here.lane;
    let at = (tile * LANES + lane) * LANE_BYTES;
    var edges = edges_of(tile, lane);
    var before = vec2<u32>(0u);
    if tile < params.tiles {
        before = tiles[tile];
    }
    var place = before + scan(lane, counts_of(edges)).before;
    for (; edges.starts != 0u; edges.starts &= edges.starts - 1u) {
        if place.x < params.capacity {
            spans[place.x * 2u] = at + countTrailingZeros(edges.starts);
        }
        place.x++;
    }
    for (; edges.lasts != 0u; edges.lasts &= edges.lasts - 1u) {
        if place.y < params.capacity {
            spans[place.y * 2u + 1u] = at + countTrailingZeros(edges.lasts) + 1u;
        }
        place.y++;
    }
    if tile == 0u && lane == 0u {
        summary.run = params.run;
    }
}
