// Counts the words of a text by key in one pass, without writing spans. Tokens are separated by
// white space, and the text has no records.
//
//   count_text -> keep_keys -> pick_hot -> close
//
//   count_text    finds the tokens of each tile and adds each token to a count:
//                   hot keys     counted in the workgroup's memory, without a look-up in the table
//                   other keys   counted in a slot, which is claimed with the token's start
//   keep_keys     copies the keys of new slots, because the text is replaced by the next one
//   pick_hot      marks short frequent keys of the table as hot, for the texts that follow
//   close         writes the report for the host
//
// A token belongs to the tile of its first byte. The tokens of a tile are listed in the workgroup's
// memory, and each lane counts some of them: lanes with few tokens help lanes with many.
// @use count_table
// @use hot_keys
// @use joined
// @use white_space

struct Summary {
    starts: atomic<u32>,
    ends: atomic<u32>,
    token_bytes: atomic<u32>,
    other_bytes: atomic<u32>,
    // Used by other token rules only.
    rows: u32,
    rejected: u32,
    run: u32,
}

// The same summary as the tokenizer writes.
@group(0) @binding(7) var<storage, read_write> summary: Summary;

const TILE_BYTES: u32 = 4096u;
// Maximum number of listed tokens per tile. A lane counts its further tokens itself.
const LISTED_TOKENS: u32 = 1024u;
const NO_PIECE: u32 = 0xffffffffu;

// Offsets of token starts within the tile, in no order.
var<workgroup> listed: array<u32, 1024>;
// Number of tokens in the tile. Two tiles alternate, because some lanes are ahead of others.
var<workgroup> tile_tokens: array<atomic<u32>, 2>;
// A bit for each byte of the tile, 16 per word: whether the byte belongs to a token.
var<workgroup> tile_inside: array<u32, 256>;
// This workgroup's part of the first four words of the summary.
var<workgroup> sums_here: array<atomic<u32>, 4>;

struct Edges {
    // Bit 0 is the first of the lane's 16 bytes.
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

// Returns whether a token that contains the previous byte ends here.
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

// Returns the length of the token that starts here, or a number above `longest`. For the tile that
// begins with `tile_piece` (a piece has 16 bytes), the masks are read from `tile_inside`.
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

// Returns whether the token that starts here is this key: it has the key's bytes and ends after
// them. It cannot end earlier, because then the key would end there as well, or the key would end
// inside a white-space character, and no token ends after that.
fn is_claimed_key(key: Span, start: u32) -> bool {
    // Bytes after the text read as zeros, and a key may end with zeros.
    if start + key.length > params.text_bytes || !ends_at(start + key.length) {
        return false;
    }
    return is_same_key(key, Span(start, key.length));
}

// Counts one token. Returns the number of counted tokens, 0 or 1.
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

// Adds token starts to the list of the tile. Returns the starts that did not fit.
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

// Counts the tokens of a tile: each lane counts a share of the list, and its own unlisted tokens.
// Returns the number of counted tokens.
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
    // The summary is a struct, so its words have no index.
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
    load_hot(lane);
    for (var round = 0u; round < params.rounds; round++) {
        let tile = tile_of(here) + round * here.grid.x * here.grid.y;
        let turn = round % 2u;
        let edges = edges_at((tile * LANES + lane) * LANE_BYTES);
        sums += countOneBits(vec4<u32>(edges.starts, edges.lasts, edges.inside, edges.spaces));
        // All lanes have finished the previous tile.
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
