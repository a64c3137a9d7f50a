// What this lane has to add to a word to which every lane of its workgroup adds something: one lane
// of each subgroup adds for all of that, so that fewer wait for the word.
//
// Every lane of the workgroup has to come here.
fn joined(mine: u32) -> u32 {
    let sum = subgroupAdd(mine);
    return select(0u, sum, subgroupExclusiveAdd(1u) == 0u);
}
