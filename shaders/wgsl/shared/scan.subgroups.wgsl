// Prefix sums over the lanes of a workgroup, two sums at once, with subgroup operations.
//
// WGSL does not define how many lanes a subgroup has, or which. So each subgroup takes the next
// free stretch of the values, with as many values as it has lanes. Its lanes sum the values of the
// stretch in their order, not their own values. After a barrier, the sums of all earlier stretches
// are added.
// @use tile

var<workgroup> scan_sums: array<vec2<u32>, 256>;
// Sum of each stretch, in order.
var<workgroup> scan_stretches: array<vec2<u32>, 256>;
// Number of taken stretches in the upper half, number of taken values in the lower half.
var<workgroup> scan_taken: atomic<u32>;

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
    // `taken` is 0 in all other lanes.
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
    // All lanes of a subgroup run the same number of rounds.
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
