// Text to counts by key in one pass, where white space separates and there are no records.
//
//   count_text    tiles of text: tokens are found, and every token finds its key's slot, or claims
//                 one with the place where it starts
//   keep_keys     keys of new slots are copied to where they outlive their text
//   pick_hot      frequent keys are noted, for the texts behind this one
//   close         the host is told what is there
//
// A token belongs to the tile of its first byte. The tokens of a tile are listed in the workgroup's
// memory, so that lanes with few of them help those with many.
// @use count_table
// @use hot_keys
// @use joined
// @use white_space

struct Summary {
    starts: atomic<u32>,
    ends: atomic<u32>,
    token_bytes: atomic<u32>,
    other_bytes: atomic<u32>,
    // Of other rules.
    rows: u32,
    rejected: u32,
    run: u32,
}

// What the tokenizer says of a text.
@group(0) @binding(7) var<storage, read_write> summary: Summary;

const TILE_BYTES: u32 = 4096u;
// Tokens of a tile that are listed; a lane counts those of its own beyond them.
const LISTED_TOKENS: u32 = 1024u;
const NO_PIECE: u32 = 0xffffffffu;

// Where tokens start within the tile, in no order.
var<workgroup> listed: array<u32, 1024>;
// How many tokens the tile has; two tiles take turns, as some lanes are ahead of others.
var<workgroup> tile_tokens: array<atomic<u32>, 2>;
// A bit for each byte of the tile, 16 a word: whether a token has it.
var<workgroup> tile_inside: array<u32, 256>;
// The summary's first four words, of this workgroup.
var<workgroup> sums_here: array<atomic<u32>, 4>;

struct Edges {
    // Bit 0 stands for the first of 16 bytes.
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
    var spaces = ascii_spaces(&words);
    if has_non_ascii(&words) {
        spaces |= unicode_spaces(&words, 0u);
    }
    spaces &= within_text(at);
    let inside = within_text(at) & ~spaces;
    let first = inside & ~(inside << 1u);
    let last = inside & ~(inside >> 1u);
    return Edges(own(first), own(last), own(inside), own(spaces));
}

fn text_byte(at: u32) -> u32 {
    return (text_word(at / 4u) >> ((at % 4u) * 8u)) & 0xffu;
}

// Whether a token that has the byte before this one ends here.
fn ends_at(at: u32) -> bool {
    if at >= params.text_bytes {
        return true;
    }
    let byte = text_byte(at);
    if byte == 32u || (byte >= 9u && byte <= 13u) {
        return true;
    }
    return length_of_space(byte, text_byte(at + 1u), text_byte(at + 2u)) != 0u;
}

// Bytes of the token that starts here, or more than `longest`. Of a tile, which begins with this
// piece of 16 bytes, the workgroup knows what is inside of tokens.
fn token_length(start: u32, tile_piece: u32) -> u32 {
    var length = 0u;
    var skipped = start % LANE_BYTES;
    for (var piece = start / LANE_BYTES; length <= params.longest; piece++) {
        var inside: u32;
        if piece >= tile_piece && piece - tile_piece < LANES {
            inside = tile_inside[piece - tile_piece];
        } else {
            inside = edges_at(piece * LANE_BYTES).inside;
        }
        let run = countTrailingZeros(~(inside >> skipped));
        length += run;
        if run + skipped < LANE_BYTES {
            break;
        }
        skipped = 0u;
    }
    return length;
}

fn claimed_key(start: u32) -> Span {
    return Span(start, token_length(start, NO_PIECE));
}

// If the key's bytes are there and an end behind them, that token is this key: it has no end further
// in, as the key would have it too, or be cut within a white space, behind which there is no end.
fn is_claimed_key(key: Span, start: u32) -> bool {
    // Behind the text there are zeros, which a key may end in.
    if start + key.length > params.text_bytes || !ends_at(start + key.length) {
        return false;
    }
    return is_same_key(key, Span(start, key.length));
}

// Tells how many tokens it counted: one or none.
fn count_token(tile: u32, within: u32) -> u32 {
    let start = tile * TILE_BYTES + within;
    let length = token_length(start, tile * LANES);
    if length > params.longest {
        leave(start, NO_END);
        return 0u;
    }
    let key = Span(start, length);
    if count_hot(key) {
        return 1u;
    }
    return count_key(start, key);
}

// Lists starts in a tile; those of the lane for which there was no room come back.
fn list_starts(lane: u32, starts: u32, turn: u32) -> u32 {
    var rest = starts;
    if rest == 0u {
        return 0u;
    }
    var place = atomicAdd(&tile_tokens[turn], countOneBits(starts));
    for (; rest != 0u && place < LISTED_TOKENS; rest &= rest - 1u) {
        listed[place] = lane * LANE_BYTES + countTrailingZeros(rest);
        place++;
    }
    return rest;
}

// Counts the tokens of a tile: every lane some of those that are listed, and its own that are not.
fn count_tile(tile: u32, lane: u32, unlisted: u32, turn: u32) -> u32 {
    let tokens = min(atomicLoad(&tile_tokens[turn]), LISTED_TOKENS);
    var rest = unlisted;
    var next = lane;
    var counted = 0u;
    while next < tokens || rest != 0u {
        var within: u32;
        if next < tokens {
            within = listed[next];
            next += LANES;
        } else {
            within = lane * LANE_BYTES + countTrailingZeros(rest);
            rest &= rest - 1u;
        }
        counted += count_token(tile, within);
    }
    return counted;
}

fn add_sums(lane: u32) {
    // The words of a summary are no array.
    switch lane {
        case 0u: {
            atomicAdd(&summary.starts, atomicLoad(&sums_here[0]));
        }
        case 1u: {
            atomicAdd(&summary.ends, atomicLoad(&sums_here[1]));
        }
        case 2u: {
            atomicAdd(&summary.token_bytes, atomicLoad(&sums_here[2]));
        }
        case 3u: {
            atomicAdd(&summary.other_bytes, atomicLoad(&sums_here[3]));
        }
        default: {}
    }
}

@compute @workgroup_size(256)
fn count_text(here: Here) {
    let lane = here.lane;
    var counted = 0u;
    var sums = vec4<u32>(0u);
    clear_counts(lane);
    if lane < 4u {
        atomicStore(&sums_here[lane], 0u);
    }
    if lane < 2u {
        atomicStore(&tile_tokens[lane], 0u);
    }
    learn_hot(lane);
    for (var round = 0u; round < params.rounds; round++) {
        let tile = tile_of(here) + round * here.grid.x * here.grid.y;
        let turn = round % 2u;
        let edges = edges_at((tile * LANES + lane) * LANE_BYTES);
        sums += countOneBits(vec4<u32>(edges.starts, edges.lasts, edges.inside, edges.spaces));
        // All are done with the tile before.
        workgroupBarrier();
        tile_inside[lane] = edges.inside;
        let unlisted = list_starts(lane, edges.starts, turn);
        if lane == 0u {
            atomicStore(&tile_tokens[1u - turn], 0u);
        }
        workgroupBarrier();
        counted += count_tile(tile, lane, unlisted, turn);
    }
    for (var i = 0u; i < 4u; i++) {
        let together = joined(sums[i]);
        if together != 0u {
            atomicAdd(&sums_here[i], together);
        }
    }
    add_counts(lane, counted);
    add_hot(lane);
    add_sums(lane);
    if tile_of(here) == 0u && lane == 0u {
        summary.run = params.run;
    }
}
