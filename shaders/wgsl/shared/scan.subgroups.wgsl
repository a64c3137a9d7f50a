// Sums of all lanes before this one, within a workgroup; two sums at once. Subgroups add up.
//
// Nothing says which lanes a subgroup has, in which order, or how many. So each takes a stretch of
// the values, as many as it has lanes and wherever it comes to; its lanes add up those in the order
// they stand in, and not their own. What all stretches before one have is added behind a barrier.
// @use tile

var<workgroup> scan_sums: array<vec2<u32>, 256>;
// What each stretch has together, in the order in which they stand.
var<workgroup> scan_stretches: array<vec2<u32>, 256>;
// Stretches that were taken in the upper half, and values in the lower one.
var<workgroup> scan_taken: atomic<u32>;

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
    if lane == 0u {
        atomicStore(&scan_taken, 0u);
    }
    workgroupBarrier();
    let rank = subgroupExclusiveAdd(1u);
    let lanes = subgroupAdd(1u);
    var taken = 0u;
    if rank == 0u {
        taken = atomicAdd(&scan_taken, (1u << 16u) | lanes);
    }
    // All the others have nothing.
    taken = subgroupAdd(taken);
    let stretch = taken >> 16u;
    let at = ((taken & 0xffffu) + rank) % LANES;
    let value = scan_sums[at];
    let before = subgroupExclusiveAdd(value);
    if rank + 1u == lanes {
        scan_stretches[stretch % LANES] = before + value;
    }
    workgroupBarrier();
    let stretches = min(atomicLoad(&scan_taken) >> 16u, LANES);
    var earlier = vec2<u32>(0u);
    var all = vec2<u32>(0u);
    // As many rounds for every lane of a subgroup.
    for (var first = 0u; first < stretches; first += lanes) {
        let other = first + rank;
        if other < stretches {
            all += scan_stretches[other];
            earlier += select(vec2<u32>(0u), scan_stretches[other], other < stretch);
        }
    }
    scan_sums[at] = before + subgroupAdd(earlier);
    let total = subgroupAdd(all);
    workgroupBarrier();
    return Scanned(scan_sums[lane], total);
}
