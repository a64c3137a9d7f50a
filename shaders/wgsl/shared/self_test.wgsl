// What a device must get right before it is trusted with data; known answers, a few milliseconds.

struct Answers {
    // Rounds that a loop of `LOOPS` made: some software drivers end it in silence.
    rounds: u32,
    // Lanes that added one to a shared word.
    added: atomic<u32>,
    // The greatest lane that was seen behind a barrier, and how many disagreed.
    greatest: atomic<u32>,
    disagreed: atomic<u32>,
    // Lanes that won a word by compare-and-swap: one.
    won: atomic<u32>,
    // Words that are there, as the device sees it: every guard against a place behind the end asks.
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
    // A swap may fail though the word is as expected; then it is tried again, but not for ever.
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
