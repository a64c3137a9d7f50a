// Finds lines. A lane reads its own 16 bytes and the 16 bytes after them. In a mask of these 32
// bytes, bit 0 is the lane's first byte.
// @use spans
// @use swar
// @use window

const FEED: u32 = 10u;
const RETURN: u32 = 13u;
const WORDS_AHEAD: u32 = 8u;
// Mask of the lane's own bytes.
const OWN_AHEAD: u32 = 0xffffu;

struct Ahead {
    words: array<u32, 8>,
    // Bytes within the text.
    within: u32,
    // Bytes at which a record begins.
    starts: u32,
    // Bytes that are LF.
    feeds: u32,
    // Bytes that are the CR of a CRLF. The last bit is never set, because its LF is not read.
    returns: u32,
}

fn bytes_ahead(ahead: ptr<function, Ahead>, byte: u32) -> u32 {
    var mask = 0u;
    for (var i = 0u; i < WORDS_AHEAD; i++) {
        mask |= gather(bytes_equal((*ahead).words[i], byte)) << (i * 4u);
    }
    return mask & (*ahead).within;
}

fn within_ahead(at: u32) -> u32 {
    let rest = params.text_bytes - min(at, params.text_bytes);
    if rest >= 32u {
        return 0xffffffffu;
    }
    return (1u << rest) - 1u;
}

fn records_ahead(at: u32) -> u32 {
    if params.records == 0u {
        return 0u;
    }
    let next = at + LANE_BYTES;
    let low = (records[at / 32u] >> (at % 32u)) & 0xffffu;
    let high = (records[next / 32u] >> (next % 32u)) & 0xffffu;
    return low | (high << 16u);
}

fn ahead_of(at: u32) -> Ahead {
    var ahead: Ahead;
    for (var i = 0u; i < WORDS_AHEAD; i++) {
        ahead.words[i] = text_word(at / 4u + i);
    }
    ahead.within = within_ahead(at);
    ahead.starts = records_ahead(at);
    ahead.feeds = bytes_ahead(&ahead, FEED);
    // If a record begins with the LF, the CR before it is part of the previous record's line.
    ahead.returns = bytes_ahead(&ahead, RETURN) & ((ahead.feeds & ~ahead.starts) >> 1u);
    return ahead;
}

// Returns the byte before the lane, or 0 at the start of the text.
fn byte_before(at: u32) -> u32 {
    if at == 0u {
        return 0u;
    }
    return text_word(at / 4u - 1u) >> 24u;
}

// Returns the edges of lines. A line is a token from its first byte to its LF, or to the last byte
// of its record.
fn edges_of_lines(ahead: ptr<function, Ahead>, at: u32) -> Edges {
    let starts = (*ahead).starts;
    let within = (*ahead).within;
    let own = within & OWN_AHEAD;
    let before = byte_before(at);
    let begins = select(0u, 1u, at == 0u || before == FEED);
    let returned = select(0u, 1u, before == RETURN) & ~starts;
    let lasts = (starts >> 1u) | (within & ~(within >> 1u));
    var edges = no_edges();
    edges.opens = own & (((*ahead).feeds << 1u) | starts | begins);
    edges.closes = own & ((*ahead).feeds | lasts);
    edges.feeds = own & (*ahead).feeds;
    edges.feeds_after_returns = edges.feeds & (((*ahead).returns << 1u) | returned);
    edges.bytes = countOneBits(own);
    edges.others = countOneBits(edges.feeds) + countOneBits(own & (*ahead).returns);
    return edges;
}
