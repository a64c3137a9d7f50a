// Sorts row numbers by the partition of their keys. The rows of a partition keep their order.
//
//   count_digits -> scan_tiles -> place_rows      for each digit of the partition number
//
//   count_digits   per tile: counts the rows that have each digit
//   scan_tiles     one workgroup per digit: counts the rows with this digit before each tile
//   place_rows     per tile: writes each row number to its place
//
// This is a radix sort with digits of 8 bits. Up to 256 partitions are one digit and need one pass.
// More partitions are two digits and need two passes: the first pass sorts by the low digit, the
// second one sorts that order by the high digit.
//
// A row's place among the rows of its digit in a stripe: each digit has a mask with a bit for each
// lane, and the bits before the row's own lane are counted.
// @use stable_hash_bytes
// @use scan

struct Params {
    rows: u32,
    // Words per key; 0 if keys are bytes between two offsets.
    key_words: u32,
    partitions: u32,
    tiles: u32,
    // First bit of this pass's digit in the partition number: 0 in the first pass, 8 in the second.
    shift: u32,
    seed_low: u32,
    seed_high: u32,
    // Number of this run. The last dispatch copies it to the summary.
    run: u32,
}

struct Summary {
    run: u32,
    // Number of rows in each partition.
    histogram: array<atomic<u32>>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
// Start of each key of bytes, and the end of the last key.
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
// Row numbers in the order of the previous pass. The first pass does not read this.
@group(0) @binding(3) var<storage, read> before: array<u32>;
// Number of rows of each digit. After these, for each digit, the number of its rows in each tile;
// `scan_tiles` replaces that by the number of rows in all tiles before it.
@group(0) @binding(4) var<storage, read_write> counts: array<u32>;
// Row numbers in the new order. `hash_rows` writes hashes instead.
@group(0) @binding(5) var<storage, read_write> rows: array<u32>;
@group(0) @binding(6) var<storage, read_write> summary: Summary;

const DIGITS: u32 = 256u;
const STRIPES: u32 = 8u;
const TILE_ROWS: u32 = 2048u;
// The digit of a lane without a row.
const NO_DIGIT: u32 = 0xffffffffu;
// Words of a mask with a bit for each lane.
const LANE_WORDS: u32 = 8u;

var<workgroup> tile_counts: array<atomic<u32>, 256>;
// For each digit, a mask of the lanes of a stripe whose row has it.
var<workgroup> lanes_with: array<atomic<u32>, 2048>;
// Place of the next row of each digit.
var<workgroup> next_place: array<u32, 256>;

fn word_of_keys(at: u32) -> u32 {
    return keys[at];
}

fn hash_of(row: u32) -> vec2<u32> {
    let seed = vec2<u32>(params.seed_low, params.seed_high);
    switch params.key_words {
        case 1u: {
            return hash_of_u32(seed, keys[row]);
        }
        case 2u: {
            return hash_of_u64(seed, vec2<u32>(keys[row * 2u], keys[row * 2u + 1u]));
        }
        default: {
            return hash_of_bytes(seed, offsets[row], offsets[row + 1u]);
        }
    }
}

// Returns the row at a place in the order before this pass.
fn row_at(place: u32) -> u32 {
    if params.shift == 0u {
        return place;
    }
    return before[place];
}

fn digit_of(part: u32) -> u32 {
    return (part >> params.shift) & (DIGITS - 1u);
}

fn place_of(tile: u32, stripe: u32, lane: u32) -> u32 {
    return tile * TILE_ROWS + stripe * LANES + lane;
}

// Returns the index in `counts` of a tile's rows with this digit.
fn count_at(digit: u32, tile: u32) -> u32 {
    return DIGITS + digit * params.tiles + tile;
}

fn digits() -> u32 {
    return min(((params.partitions - 1u) >> params.shift) + 1u, DIGITS);
}

// Counts a row in the histogram, if the counts of digits cannot give it (more than 256 partitions).
fn count_partition(part: u32) {
    if params.partitions > DIGITS && params.shift == 0u {
        atomicAdd(&summary.histogram[part], 1u);
    }
}

@compute @workgroup_size(256)
fn count_digits(here: Here) {
    let tile = tile_of(here);
    let lane = here.lane;
    atomicStore(&tile_counts[lane], 0u);
    workgroupBarrier();
    for (var stripe = 0u; stripe < STRIPES && tile < params.tiles; stripe++) {
        let place = place_of(tile, stripe, lane);
        if place < params.rows {
            let part = partition_of(hash_of(row_at(place)), params.partitions);
            count_partition(part);
            atomicAdd(&tile_counts[digit_of(part)], 1u);
        }
    }
    workgroupBarrier();
    if lane < digits() && tile < params.tiles {
        counts[count_at(lane, tile)] = atomicLoad(&tile_counts[lane]);
    }
}

@compute @workgroup_size(256)
fn scan_tiles(here: Here) {
    let digit = tile_of(here);
    let lane = here.lane;
    var before_tile = 0u;
    for (var first = 0u; first < params.tiles; first += LANES) {
        let tile = first + lane;
        let is_valid = tile < params.tiles && digit < digits();
        var mine = 0u;
        if is_valid {
            mine = counts[count_at(digit, tile)];
        }
        let scanned = scan(lane, vec2<u32>(mine, 0u));
        if is_valid {
            counts[count_at(digit, tile)] = before_tile + scanned.before.x;
        }
        before_tile += scanned.total.x;
    }
    if lane == 0u && digit < digits() {
        counts[digit] = before_tile;
        if params.partitions <= DIGITS {
            atomicStore(&summary.histogram[digit], before_tile);
        }
    }
}

struct Rank {
    // Number of lanes before this one with the same digit.
    before: u32,
    // Whether no lane after this one has the same digit.
    is_last: bool,
}

fn rank_of(digit: u32, lane: u32) -> Rank {
    let own = lane / 32u;
    let bit = lane % 32u;
    var rank = Rank(0u, true);
    for (var word = 0u; word < LANE_WORDS; word++) {
        let lanes = atomicLoad(&lanes_with[digit * LANE_WORDS + word]);
        var earlier = 0u;
        var later = lanes;
        if word < own {
            earlier = lanes;
            later = 0u;
        } else if word == own {
            earlier = lanes & ((1u << bit) - 1u);
            // WGSL takes shift distances modulo 32, so shift by `bit` and then by 1.
            later = (lanes >> bit) >> 1u;
        }
        rank.before += countOneBits(earlier);
        rank.is_last = rank.is_last && later == 0u;
    }
    return rank;
}

@compute @workgroup_size(256)
fn place_rows(here: Here) {
    let tile = tile_of(here);
    let lane = here.lane;
    var of_digit = 0u;
    var before_tile = 0u;
    if lane < digits() && tile < params.tiles {
        of_digit = counts[lane];
        before_tile = counts[count_at(lane, tile)];
    }
    next_place[lane] = scan(lane, vec2<u32>(of_digit, 0u)).before.x + before_tile;
    for (var word = 0u; word < LANE_WORDS; word++) {
        atomicStore(&lanes_with[word * LANES + lane], 0u);
    }
    workgroupBarrier();
    for (var stripe = 0u; stripe < STRIPES; stripe++) {
        let place = place_of(tile, stripe, lane);
        var row = 0u;
        var digit = NO_DIGIT;
        if tile < params.tiles && place < params.rows {
            row = row_at(place);
            digit = digit_of(partition_of(hash_of(row), params.partitions));
            atomicOr(&lanes_with[digit * LANE_WORDS + lane / 32u], 1u << (lane % 32u));
        }
        workgroupBarrier();
        var rank = Rank(0u, false);
        var to = 0u;
        if digit != NO_DIGIT {
            rank = rank_of(digit, lane);
            to = next_place[digit] + rank.before;
            if to < params.rows {
                rows[to] = row;
            }
        }
        workgroupBarrier();
        if digit != NO_DIGIT {
            atomicStore(&lanes_with[digit * LANE_WORDS + lane / 32u], 0u);
        }
        if rank.is_last {
            next_place[digit] = to + 1u;
        }
        workgroupBarrier();
    }
    if tile == 0u && lane == 0u {
        summary.run = params.run;
    }
}

// Writes the hash of each row's key: low word, then high word. The self-test compares these with
// the CPU's hashes.
@compute @workgroup_size(256)
fn hash_rows(here: Here) {
    let tile = tile_of(here);
    for (var stripe = 0u; stripe < STRIPES && tile < params.tiles; stripe++) {
        let row = place_of(tile, stripe, here.lane);
        if row < params.rows {
            let hash = hash_of(row);
            rows[row * 2u] = hash.x;
            rows[row * 2u + 1u] = hash.y;
        }
    }
    if tile == 0u && here.lane == 0u {
        summary.run = params.run;
    }
}
