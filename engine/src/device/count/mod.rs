//! Counts by key on a device, over many texts.
//!
//! ```text
//! push(text) ─▶ tokenize ─▶ count ─▶ table, which stays ─┐
//!               left to the host: tokens without a slot ─┴─▶ drain: groups, tokens ─▶ operator
//! ```
//!
//! The table is never the only copy: every text since the last drain is held, so that the CPU can
//! count it should the device fail.
#![forbid(unsafe_code)]

mod read;
mod table;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow_buffer::Buffer;
use bytemuck::{bytes_of, pod_read_unaligned};
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::{COUNT_TOKENS, CountGroup, CountParams, CountReport, Stage, TokenizeSummary};

use super::recording::{BufferId, Extent, Recording};
use super::tokenize::{self, Input, SPAN_BYTES, SUMMARY_BYTES};
use super::{Device, Fault, Pending, Ran};
use crate::{Limits, TokenRule};
use table::Table;

/// Texts that are on their way at once: one is uploaded while another one is counted.
const ON_THEIR_WAY: usize = 2;

/// Workgroups that go over the groups of a table, in turns.
const TABLE_GROUPS: u32 = 64;

const REPORT_BYTES: u64 = size_of::<CountReport>() as u64;
const GROUP_BYTES: u64 = size_of::<CountGroup>() as u64;

/// Counts of texts on a device, since the last drain.
pub(crate) struct DeviceCounter {
    device: Arc<dyn Device>,
    rule: TokenRule,
    limits: Limits,
    secret: u64,
    table: Table,
    flying: VecDeque<Flying>,
    held: Vec<Held>,
    /// Tokens in the table.
    counted: u64,
    rejected: u64,
    /// What the runs took, where that was asked and the device can tell.
    clock: Option<Duration>,
}

/// A text since the last drain.
struct Held {
    text: Buffer,
    /// Its tokens that the host counts.
    left: Vec<Span>,
}

/// A text that the device is busy with.
struct Flying {
    run: u32,
    held: usize,
    pending: Pending,
}

/// What a drain brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    pub(crate) texts: u64,
    pub(crate) tokens: u64,
    pub(crate) rejected: u64,
}

impl DeviceCounter {
    pub(crate) fn new(
        device: Arc<dyn Device>,
        rule: &TokenRule,
        limits: &Limits,
        secret: u64,
    ) -> Self {
        let text_bytes = most_bytes(&*device, rule, limits);
        Self {
            table: Table::new(limits.device_slots, text_bytes, device.binding_bytes()),
            device,
            rule: rule.clone(),
            limits: *limits,
            secret,
            flying: VecDeque::new(),
            held: Vec::new(),
            counted: 0,
            rejected: 0,
            clock: None,
        }
    }

    /// Has every run timed.
    pub(crate) fn time(&mut self) {
        self.clock = Some(Duration::ZERO);
    }

    /// What the runs took that were timed; `None` where the device cannot tell.
    pub(crate) fn timed(&self) -> Option<Duration> {
        self.clock
    }

    /// The most bytes of a text.
    pub(crate) fn most_bytes(&self) -> usize {
        most_bytes(&*self.device, &self.rule, &self.limits)
    }

    /// Whether a text can be pushed before a drain.
    pub(crate) fn has_room(&self, text_bytes: usize) -> bool {
        self.table.has_room(text_bytes)
    }

    /// Counts a text; when this returns it is on its way, and earlier ones may be.
    ///
    /// After a fault nothing can be done but [`DeviceCounter::take_back`].
    pub(crate) fn push(&mut self, text: Buffer) -> Result<(), Fault> {
        debug_assert!(text.len() <= self.most_bytes() && self.has_room(text.len()));
        self.held.push(Held {
            text: text.clone(),
            left: Vec::new(),
        });
        if text.is_empty() {
            return Ok(());
        }
        while self.flying.len() >= ON_THEIR_WAY {
            self.arrive()?;
        }
        self.table.promise(text.len());
        let run = tokenize::next_run();
        let recording = self.record_text(&Input {
            run,
            rule: &self.rule,
            text,
            records: None,
        });
        let pending = self.device.begin(recording);
        self.flying.push_back(Flying {
            run,
            held: self.held.len() - 1,
            pending,
        });
        Ok(())
    }

    /// Visits all keys with their counts, and starts anew; a key may come more than once.
    ///
    /// Nothing is visited before all is checked. After a fault nothing can be done but
    /// [`DeviceCounter::take_back`].
    pub(crate) fn drain(&mut self, visit: &mut dyn FnMut(&[u8], u64)) -> Result<Drained, Fault> {
        while !self.flying.is_empty() {
            self.arrive()?;
        }
        if self.held.is_empty() {
            return Ok(Drained::default());
        }
        let run = tokenize::next_run();
        let ran = self.device.begin(self.record_drain(run))()?;
        self.note_runs(&ran);
        let downloads = ran.downloads;
        let longest = self.limits.device_key_bytes;
        let groups = read::Groups::read(run, self.counted, longest, &downloads)?;
        groups.for_each(&mut *visit);
        let mut tokens = self.counted;
        for Held { text, left } in &self.held {
            left.iter().for_each(|span| visit(span.of(text), 1));
            tokens += left.len() as u64;
        }
        let drained = Drained {
            texts: self.held.len() as u64,
            tokens,
            rejected: self.rejected,
        };
        self.held.clear();
        (self.counted, self.rejected) = (0, 0);
        let unused = self.table.restart();
        self.device.forget(&unused);
        Ok(drained)
    }

    /// Gives the texts back that were pushed since the last drain, for the CPU to count.
    pub(crate) fn take_back(mut self) -> Vec<Buffer> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|held| held.text).collect()
    }

    /// Waits for the text that was pushed first.
    fn arrive(&mut self) -> Result<(), Fault> {
        let Some(Flying { run, held, pending }) = self.flying.pop_front() else {
            return Ok(());
        };
        let ran = pending()?;
        self.note_runs(&ran);
        let downloads = ran.downloads;
        let [cut, report, left] = &downloads[..] else {
            let message = format!("count, {} downloads", downloads.len());
            return Err(Fault::NotConserved(message));
        };
        let held = &mut self.held[held];
        let input = Input {
            run,
            rule: &self.rule,
            text: held.text.clone(),
            records: None,
        };
        let cut: TokenizeSummary = pod_read_unaligned(cut);
        tokenize::check(&input, &cut)?;
        let (report, left) = read::text(run, cut.starts, &held.text, report, left)?;
        // A key that no device looks at does not mean that the table is too small.
        let is_long = |span: &Span| (span.end - span.start) as usize > self.limits.device_key_bytes;
        let short = left.iter().filter(|span| !is_long(span)).count();
        self.table.note(held.text.len(), &report, short);
        held.left = left;
        self.counted += u64::from(report.counted);
        self.rejected += u64::from(cut.rejected);
        Ok(())
    }

    fn note_runs(&mut self, ran: &Ran) {
        self.clock = match (self.clock, &ran.runs) {
            (Some(clock), Some(runs)) => Some(clock + runs.iter().sum()),
            _ => None,
        };
    }

    fn begin_recording(&self) -> Recording {
        let mut recording = Recording::default();
        if self.clock.is_some() {
            recording.time();
        }
        recording
    }

    fn record_text(&self, input: &Input<'_>) -> Recording {
        let mut recording = self.begin_recording();
        let staged = tokenize::stage(&mut recording, input);
        let params = self.upload_params(&mut recording, input.run);
        let tokens = tokenize::cut(&mut recording, &staged);
        // Any token may be left to the host.
        let span_bytes = recording.buffers()[tokens.spans.0].bytes;
        let left = recording.scratch("left", span_bytes);
        let report = recording.buffer("report", REPORT_BYTES);
        let source = [params, tokens.text, tokens.spans, tokens.summary];
        let buffers = self.buffers(&mut recording, source, left, report);
        let most = u32::try_from(span_bytes / SPAN_BYTES).unwrap_or(u32::MAX);
        recording.run(
            Stage::Count,
            "count_tokens",
            &buffers,
            most.div_ceil(COUNT_TOKENS),
        );
        recording.run(Stage::Count, "keep_keys", &buffers, TABLE_GROUPS);
        recording.run(Stage::Count, "close", &buffers, 1);
        recording.download(tokens.summary, Extent::Bytes(SUMMARY_BYTES));
        let by = recording.download(report, Extent::Bytes(REPORT_BYTES));
        let counted = Extent::Counted {
            by,
            word: 1,
            item_bytes: SPAN_BYTES,
        };
        recording.download(left, counted);
        recording
    }

    fn record_drain(&self, run: u32) -> Recording {
        let mut recording = self.begin_recording();
        let params = self.upload_params(&mut recording, run);
        let nothing = recording.upload("nothing", Vec::<u8>::new());
        let groups = u64::from(self.table.groups()) * GROUP_BYTES;
        let groups = recording.scratch("groups", groups);
        let report = recording.buffer("report", REPORT_BYTES);
        let buffers = self.buffers(
            &mut recording,
            [params, nothing, nothing, nothing],
            groups,
            report,
        );
        recording.run(Stage::Count, "list_groups", &buffers, TABLE_GROUPS);
        recording.run(Stage::Count, "close", &buffers, 1);
        let by = recording.download(report, Extent::Bytes(REPORT_BYTES));
        let counted = |word, item_bytes| Extent::Counted {
            by,
            word,
            item_bytes,
        };
        recording.download(groups, counted(2, GROUP_BYTES));
        recording.download(buffers[6], counted(3, 4));
        recording
    }

    fn upload_params(&self, recording: &mut Recording, run: u32) -> BufferId {
        let params = CountParams {
            slots: self.table.slots(),
            probes: self.table.probes(),
            longest: u32::try_from(self.limits.device_key_bytes).unwrap_or(u32::MAX),
            secret_0: self.secret as u32,
            secret_1: (self.secret >> 32) as u32,
            hash_mask: self.limits.hash_mask as u32,
            run,
            pad_0: 0,
        };
        recording.upload("params", bytes_of(&params).to_vec())
    }

    /// In the order of [`Stage::bindings`].
    fn buffers(
        &self,
        recording: &mut Recording,
        [params, text, spans, cut]: [BufferId; 4],
        out: BufferId,
        report: BufferId,
    ) -> [BufferId; 9] {
        let table::Buffers { slots, keys, arena } = self.table.buffers(recording);
        [params, text, spans, cut, slots, keys, arena, out, report]
    }
}

impl Drop for DeviceCounter {
    fn drop(&mut self) {
        self.device.forget(&self.table.kept());
    }
}

/// The most bytes of a text, so that all that is made of it fits.
fn most_bytes(device: &dyn Device, rule: &TokenRule, limits: &Limits) -> usize {
    let binding_bytes = device.binding_bytes();
    // Twice its part of the arena has to fit too.
    let arena = usize::try_from(binding_bytes / 4).unwrap_or(usize::MAX);
    let cut = tokenize::most_bytes(rule, binding_bytes, false);
    limits.device_chunk_bytes.clamp(1, arena.min(cut))
}
