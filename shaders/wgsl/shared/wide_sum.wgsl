// Sums of up to 96 bits in three words that many invocations add to.
//
// A value of 64 bits and a sign is added as its distance from the smallest one there is: then
// nothing is negative, and fewer than 2^31 of them stay below 2^95. Whoever reads the sum takes the
// count times 2^63 away again.

// The high word of a value such that the order is that of unsigned words.
fn biased(high: u32) -> u32 {
    return high ^ 0x80000000u;
}

// 1 if adding `word` to what was `old` went past the end of a word.
fn carry_of(old: u32, word: u32) -> u32 {
    return select(0u, 1u, old + word < old);
}

struct Upper {
    // What is added to the middle word.
    middle: u32,
    // What goes on to the third word at once: the carry may itself wrap the middle word's addend.
    third: u32,
}

fn upper_with(middle: u32, carry: u32) -> Upper {
    return Upper(middle + carry, carry_of(middle, carry));
}
