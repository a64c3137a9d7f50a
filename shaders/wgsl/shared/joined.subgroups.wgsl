// Returns what this lane must add to a word to which all lanes of the workgroup add a value: the
// sum of its subgroup in one lane of each subgroup, and 0 in the other lanes. So fewer lanes wait
// for the word.
//
// All lanes of the workgroup must call this.
fn joined(mine: u32) -> u32 {
    let sum = subgroupAdd(mine);
    return select(0u, sum, subgroupExclusiveAdd(1u) == 0u);
}
