// Text to spans of its lines, in order; they end with LF or CRLF, or with their record.
// @use lines

fn edges_of(here: Here) -> Edges {
    if !has_text(here) {
        return no_edges();
    }
    let at = place_of(here);
    var ahead = ahead_of(at);
    return edges_of_lines(&ahead, at);
}

@compute @workgroup_size(256)
fn count_edges(here: Here) {
    count(here, edges_of(here));
}

@compute @workgroup_size(256)
fn write_spans(here: Here) {
    write(here, edges_of(here));
}
