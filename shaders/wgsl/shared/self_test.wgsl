// Checks that a device computes correctly before it is used for data. The answers are known, and
// the test takes a few milliseconds.

struct Answers {
    // Rounds of a loop with `loops` rounds: some software drivers end long loops early, without an
    // error.
    rounds: u32,
    // Lanes that added 1 to a shared word.
    added: atomic<u32>,
    // Greatest lane number read after a barrier, and number of lanes that read a wrong value.
    greatest: atomic<u32>,
    disagreed: atomic<u32>,
    // Lanes that won a word by compare-and-swap: must be 1.
    won: atomic<u32>,
    // Length of the buffer as the device sees it: the shaders use it in their bounds checks.
    words: u32,
    run: u32,
}

struct Asked {
    run: u32,
    loops: u32,
    pad_0: u32,
    pad_1: u32,
}

@group(0) @binding(0) var<uniform> asked: Asked;
@group(0) @binding(1) var<storage, read_write> answers: Answers;
@group(0) @binding(2) var<storage, read_write> word: array<atomic<u32>>;

var<workgroup> seen: array<u32, 256>;

@compute @workgroup_size(256)
fn self_test(@builtin(local_invocation_index) lane: u32) {
    seen[lane] = lane;
    atomicAdd(&answers.added, 1u);
    workgroupBarrier();
    let other = seen[255u - lane];
    atomicMax(&answers.greatest, other);
    if other != 255u - lane {
        atomicAdd(&answers.disagreed, 1u);
    }
    // A compare-and-swap may fail spuriously. Then it is tried again, with a limit.
    for (var attempt = 0u; attempt < 100u; attempt++) {
        let swapped = atomicCompareExchangeWeak(&word[0], 0u, lane + 1u);
        if swapped.exchanged {
            atomicAdd(&answers.won, 1u);
        }
        if swapped.exchanged || swapped.old_value != 0u {
            break;
        }
    }
    if lane == 0u {
        answers.words = arrayLength(&word);
    }
}

@compute @workgroup_size(1)
fn long_loop() {
    var sum = 0u;
    for (var i = 0u; i < asked.loops; i++) {
        sum += 1u + (sum & asked.pad_0);
    }
    answers.rounds = sum;
    answers.run = asked.run;
}
