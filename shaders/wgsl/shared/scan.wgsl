// Sums of all lanes before this one, within a workgroup; two sums at once.
// @use tile

var<workgroup> scan_sums: array<vec2<u32>, 256>;

struct Scanned {
    // What the lanes before this one have together.
    before: vec2<u32>,
    // What all lanes have together.
    total: vec2<u32>,
}

// Every lane of the workgroup has to come here.
fn scan(lane: u32, mine: vec2<u32>) -> Scanned {
    workgroupBarrier();
    scan_sums[lane] = mine;
    workgroupBarrier();
    for (var reach = 1u; reach < LANES; reach <<= 1u) {
        var further = vec2<u32>(0u);
        if lane >= reach {
            further = scan_sums[lane - reach];
        }
        workgroupBarrier();
        scan_sums[lane] += further;
        workgroupBarrier();
    }
    return Scanned(scan_sums[lane] - mine, scan_sums[LANES - 1u]);
}
