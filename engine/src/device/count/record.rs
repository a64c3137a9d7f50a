//! Records the commands for a text and for a drain.
//!
//! ```text
//! white space   text ───────────▶ count_text ──┐
//! other rules   text ─▶ tokenize ─▶ count_tokens ─┴─▶ keep_keys ─▶ close     drain: list_groups
//! ```
#![forbid(unsafe_code)]

use bytemuck::bytes_of;
use keymill_shaders::{COUNT_TOKENS, CountGroup, CountParams, CountReport, Stage, TILE_BYTES};

use super::table::Buffers;
use super::{DeviceCounter, Method};
use crate::device::recording::{BufferId, Extent, Recording};
use crate::device::tokenize::{self, Input, SPAN_BYTES, SUMMARY_BYTES};

/// The maximum number of workgroups that process the slots of a table.
const MAX_TABLE_WORKGROUPS: u32 = 1024;

/// Lanes of a workgroup.
const LANES: u32 = 256;

/// The maximum number of workgroups that count a text in one pass, except in tests. It is large
/// enough to keep a large device busy, and small enough that each workgroup counts several tiles
/// with one hot-key cache.
pub(super) const MAX_TEXT_WORKGROUPS: u32 = 1024;

const REPORT_BYTES: u64 = size_of::<CountReport>() as u64;
const GROUP_BYTES: u64 = size_of::<CountGroup>() as u64;

/// The buffers of the report and of the tokens that are left to the host.
struct Answer {
    left: BufferId,
    report: BufferId,
}

impl Answer {
    /// Adds the buffers. `left_bytes` is enough for all tokens, because any of them may be left.
    fn new(recording: &mut Recording, left_bytes: u64) -> Self {
        Self {
            left: recording.scratch("left", left_bytes),
            report: recording.buffer("report", REPORT_BYTES),
        }
    }

    fn download(&self, recording: &mut Recording, summary: BufferId) {
        recording.download(summary, Extent::Bytes(SUMMARY_BYTES));
        let by = recording.download(self.report, Extent::Bytes(REPORT_BYTES));
        let counted = Extent::Counted {
            by,
            word: 1,
            item_bytes: SPAN_BYTES,
        };
        recording.download(self.left, counted);
    }
}

impl DeviceCounter {
    /// Returns the number of workgroups that process the slots of the table.
    fn table_workgroups(&self) -> u32 {
        (self.table.slots() / LANES).clamp(1, MAX_TABLE_WORKGROUPS)
    }

    pub(super) fn record_text(&self, input: &Input<'_>) -> Recording {
        match self.method {
            Method::Fused => self.record_fused(input),
            Method::Tokens => self.record_tokens(input),
        }
    }

    fn record_fused(&self, input: &Input<'_>) -> Recording {
        let mut recording = Recording::default();
        let bytes = input.text.len();
        let tiles = bytes.div_ceil(TILE_BYTES) as u32;
        let rounds = tiles.div_ceil(self.max_workgroups);
        let params = CountParams {
            text_bytes: bytes as u32,
            rounds,
            ..self.params(input.run)
        };
        let params = recording.upload("params", bytes_of(&params).to_vec());
        let text = recording.upload("text", input.text.clone());
        // Two tokens start at least two bytes apart.
        let answer = Answer::new(&mut recording, bytes.div_ceil(2) as u64 * SPAN_BYTES);
        let summary = recording.buffer("summary", SUMMARY_BYTES);
        let mut buffers = self.buffers(&mut recording, params, text, &answer);
        buffers.push(summary);
        let mut run = |entry, groups| recording.run(Stage::FusedCount, entry, &buffers, groups);
        run("count_text", tiles.div_ceil(rounds));
        run("keep_keys", self.table_workgroups());
        // Few keys become hot late, and the search for hot keys takes time: it runs after 1, 2, 4,
        // 8 texts and so on.
        if self.table.texts().is_power_of_two() {
            run("pick_hot", self.table_workgroups());
        }
        run("close", 1);
        answer.download(&mut recording, summary);
        recording
    }

    fn record_tokens(&self, input: &Input<'_>) -> Recording {
        let mut recording = Recording::default();
        let staged = tokenize::record_uploads(&mut recording, input);
        let params = recording.upload("params", bytes_of(&self.params(input.run)).to_vec());
        let tokens = tokenize::record_runs(&mut recording, &staged);
        let span_bytes = recording.buffers()[tokens.spans.0].bytes;
        let answer = Answer::new(&mut recording, span_bytes);
        let mut buffers = self.buffers(&mut recording, params, tokens.text, &answer);
        buffers.extend([tokens.spans, tokens.summary]);
        let limit = u32::try_from(span_bytes / SPAN_BYTES).unwrap_or(u32::MAX);
        let mut run = |entry, groups| recording.run(Stage::Count, entry, &buffers, groups);
        run("count_tokens", limit.div_ceil(COUNT_TOKENS));
        run("keep_keys", self.table_workgroups());
        run("close", 1);
        answer.download(&mut recording, tokens.summary);
        recording
    }

    pub(super) fn record_drain(&self, run: u32) -> Recording {
        let mut recording = Recording::default();
        let params = recording.upload("params", bytes_of(&self.params(run)).to_vec());
        let nothing = recording.upload("nothing", Vec::<u8>::new());
        let groups = u64::from(self.table.groups()) * GROUP_BYTES;
        let groups = recording.scratch("groups", groups);
        let answer = Answer {
            left: groups,
            report: recording.buffer("report", REPORT_BYTES),
        };
        let mut buffers = self.buffers(&mut recording, params, nothing, &answer);
        let arena = buffers[4];
        buffers.extend([nothing, nothing]);
        recording.run(
            Stage::Count,
            "list_groups",
            &buffers,
            self.table_workgroups(),
        );
        recording.run(Stage::Count, "close", &buffers, 1);
        let by = recording.download(answer.report, Extent::Bytes(REPORT_BYTES));
        let counted = |word, item_bytes| Extent::Counted {
            by,
            word,
            item_bytes,
        };
        recording.download(groups, counted(2, GROUP_BYTES));
        recording.download(arena, counted(3, 4));
        recording
    }

    fn params(&self, run: u32) -> CountParams {
        CountParams {
            slots: self.table.slots(),
            probes: self.table.probes(),
            longest: u32::try_from(self.tuning.device_key_bytes).unwrap_or(u32::MAX),
            secret_0: self.hash_key as u32,
            secret_1: (self.hash_key >> 32) as u32,
            hash_mask: self.tuning.hash_mask as u32,
            run,
            ..CountParams::default()
        }
    }

    /// Returns the buffers that both methods bind first, in the order of [`Stage::bindings`].
    fn buffers(
        &self,
        recording: &mut Recording,
        params: BufferId,
        text: BufferId,
        answer: &Answer,
    ) -> Vec<BufferId> {
        let Buffers { slots, keys, arena } = self.table.buffers(recording);
        let Answer { left, report } = *answer;
        vec![params, text, slots, keys, arena, left, report]
    }
}
