// Finds tokens separated by white space and writes their spans, in order.
//
//   16 bytes per lane -> a window with their neighbours -> masks of where tokens start and end
//   count_edges -> scan_tiles -> write_spans (see `shared/spans.wgsl`)
//
// The other token rules are in `tokenize/`; `frame.wgsl` finds lines.
// @use records
// @use runs
// @use white_space

fn edges_of(here: Here) -> Edges {
    if !has_text(here) {
        return no_edges();
    }
    let at = place_of(here);
    var words = window_at(at);
    let starts = record_starts(at);
    var spaces = ascii_spaces(&words);
    if has_non_ascii(&words) {
        spaces |= unicode_spaces(&words, starts);
    }
    return edges_of_runs(at, within_text(at) & ~spaces, starts);
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    count(here, edges_of(here));
}

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    write(here, edges_of(here));
}
