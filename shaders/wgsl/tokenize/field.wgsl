// Writes the spans of one field of each line, in order. A line without that field is rejected and
// counted.
//
//   count_parts -> scan_parts -> count_edges -> scan_tiles -> write_spans
//
//   count_parts   per tile: counts the separators since the last line began
//   scan_parts    one workgroup: counts the separators since the line began, before each tile
//   count_edges, scan_tiles, write_spans: see `spans`; here with the edges of the field only
// @use separators

// Separators since the line began: within each tile; after `scan_parts`, before each tile.
@group(0) @binding(6) var<storage, read_write> parts: array<u32>;

// If this bit is set, the count starts at the beginning of a line. If not, it starts at the
// beginning of the counted range.
const LINE_BEGINS: u32 = 0x80000000u;

var<workgroup> since_line: array<u32, 256>;

struct Since {
    // Count of the lanes before this one.
    before: u32,
    // Count of all lanes.
    total: u32,
}

// Joins the counts of two ranges, the second one directly after the first.
fn followed_by(before: u32, after: u32) -> u32 {
    return select(before + after, after, (after & LINE_BEGINS) != 0u);
}

fn since_line_of(edges: Edges) -> u32 {
    if edges.opens == 0u {
        return countOneBits(edges.opens_after);
    }
    return LINE_BEGINS | countOneBits(edges.opens_after >> firstLeadingBit(edges.opens));
}

// All lanes of the workgroup must call this.
fn scan_since_line(lane: u32, mine: u32) -> Since {
    workgroupBarrier();
    since_line[lane] = mine;
    workgroupBarrier();
    for (var reach = 1u; reach < LANES; reach <<= 1u) {
        var further = 0u;
        if lane >= reach {
            further = since_line[lane - reach];
        }
        workgroupBarrier();
        since_line[lane] = followed_by(further, since_line[lane]);
        workgroupBarrier();
    }
    var before = 0u;
    if lane > 0u {
        before = since_line[lane - 1u];
    }
    return Since(before, since_line[LANES - 1u]);
}

fn edges_of(here: Here) -> Edges {
    if !has_text(here) {
        return no_edges();
    }
    return edges_of_parts(place_of(here));
}

@compute @workgroup_size(256)
fn count_parts(here: Here) {
    let tile = tile_of(here);
    let total = scan_since_line(here.lane, since_line_of(edges_of(here))).total;
    if here.lane == 0u && tile < params.tiles {
        parts[tile] = total;
    }
}

@compute @workgroup_size(256)
fn scan_parts(@builtin(local_invocation_index) lane: u32) {
    var before = 0u;
    for (var first = 0u; first < params.tiles; first += LANES) {
        let tile = first + lane;
        var mine = 0u;
        if tile < params.tiles {
            mine = parts[tile];
        }
        let scanned = scan_since_line(lane, mine);
        if tile < params.tiles {
            parts[tile] = followed_by(before, scanned.before);
        }
        before = followed_by(before, scanned.total);
    }
}

struct Fields {
    edges: Edges,
    rejected: u32,
}

// Selects the edges of the field from the edges of all parts. `before` is the number of separators
// in the line before the lane.
fn choose(all: Edges, before: u32) -> Fields {
    let wanted = params.field - 1u;
    var fields = Fields(all, 0u);
    fields.edges.opens = 0u;
    fields.edges.opens_after = 0u;
    fields.edges.closes_before = 0u;
    fields.edges.closes = 0u;
    var part = before;
    var is_open = all.bytes != 0u;
    // Bytes of the field: ends minus starts. If the end is in a later lane, it counts as this
    // lane's end.
    var taken = 0u;
    for (var left = all.opens | all.opens_after | all.closes; left != 0u; left &= left - 1u) {
        let bit = countTrailingZeros(left);
        let mark = 1u << bit;
        if (all.opens & mark) != 0u {
            part = 0u;
            is_open = true;
            if part == wanted {
                fields.edges.opens |= mark;
                taken -= bit;
            }
        }
        if (all.opens_after & mark) != 0u {
            if part == wanted {
                fields.edges.closes_before |= mark;
                taken += bit;
            }
            part++;
            if part == wanted {
                fields.edges.opens_after |= mark;
                taken -= bit + params.separator_bytes;
            }
        }
        if (all.closes & mark) != 0u {
            is_open = false;
            if part == wanted {
                fields.edges.closes |= mark;
                taken += end_of(all, bit);
            }
            fields.rejected += select(0u, 1u, part < wanted);
        }
    }
    if is_open && part == wanted {
        taken += LANE_BYTES;
    }
    fields.edges.others = all.bytes - taken;
    return fields;
}

// All lanes of the workgroup must call this.
fn fields_of(here: Here, all: Edges) -> Fields {
    let tile = tile_of(here);
    let scanned = scan_since_line(here.lane, since_line_of(all));
    var before = 0u;
    if tile < params.tiles {
        before = parts[tile];
    }
    return choose(all, followed_by(before, scanned.before) & ~LINE_BEGINS);
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    let all = edges_of(here);
    let fields = fields_of(here, all);
    count(here, fields.edges);
    let rows = scan(here.lane, vec2<u32>(countOneBits(all.opens), fields.rejected)).total;
    if here.lane == 0u {
        atomicAdd(&summary.rows, rows.x);
        atomicAdd(&summary.rejected, rows.y);
    }
}

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    write(here, fields_of(here, edges_of(here)).edges);
}
