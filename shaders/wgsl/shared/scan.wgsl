// Prefix sums over the lanes of a workgroup, two sums at once.
// @use tile

var<workgroup> scan_sums: array<vec2<u32>, 256>;

struct Scanned {
    // Sum of the lanes before this one.
    before: vec2<u32>,
    // Sum of all lanes.
    total: vec2<u32>,
}

// All lanes of the workgroup must call this.
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
