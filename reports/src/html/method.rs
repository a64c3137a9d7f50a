//! How it was measured, in plain words, and what was left out.

use super::markup::{Markup, escaped};
use crate::model::Report;

const METHOD: [&str; 7] = [
    "All ways of a case run in turn, round after round, so that a slow moment of the machine hits all of \
     them. The first run of each way is not measured.",
    "Every figure is the median of its runs. Beside it stand the fastest and the slowest run, and how \
     many runs there were.",
    "A time is from bytes in memory to the answer in memory. Reading files is not in it. A time of an \
     adapter includes its copies, its launches and the work of the host.",
    "The kernel of an adapter is timed by its own clock, or is the rest of the whole where it has none.",
    "Every way must give the same answer. The smallest size is also compared with a plain \
     implementation that shares no code with them. Figures of wrong answers are not published.",
    "The crossover is where the two times would be equal, between two measured sizes, on logarithmic \
     scales. An adapter must win at all larger sizes.",
    "A software adapter runs on the processor. It shows that the code works, is never counted as a GPU, \
     and is never recommended.",
];

/// Known bias, so that a reader can correct for it.
const BIAS: [&str; 4] = [
    "The caches are warm: small data is in them before the measured runs begin.",
    "The same data is counted again and again, so the branch predictor knows it.",
    "An adapter is used alone and without pauses. One that sleeps or is shared will be slower.",
    "The code was written by people who know the processor better than any one GPU.",
];

pub(super) fn add(page: &mut Markup, report: &Report) {
    page.section("method", "How it was measured", "In short:");
    page.list(&METHOD);
    page.element("h3", "What favours one side");
    page.list(&BIAS);
    page.element("h3", "Run it again");
    page.raw(&format!(
        "<p>All figures of this page come from one command: <code>{}</code></p>",
        escaped(&report.command)
    ));
    if !report.gpu_lost.is_empty() {
        page.element("h3", "Where the GPU lost");
        page.list(&report.gpu_lost);
    }
    if !report.notes.is_empty() {
        page.element("h3", "Left out, and other remarks");
        page.list(&report.notes);
    }
}
