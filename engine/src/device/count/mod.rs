//! Counts tokens on a device, over many texts.
//!
//! ```text
//! push(text) ─▶ tokenize, count ─▶ persistent table ───┐
//!             left to the host: tokens without a slot ─┴─▶ drain: groups, tokens ─▶ operator
//! ```
//!
//! The rule `whitespace` needs one pass over the text. For other rules the tokenizer runs first.
//!
//! The table is never the only copy: the host keeps every text since the last drain, so that the
//! CPU can count it if the device fails.
#![forbid(unsafe_code)]

mod read;
mod record;
mod table;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_buffer::Buffer;
use bytemuck::pod_read_unaligned;
use keymill_kernels::stage::tokenize::Span;
use keymill_shaders::TokenizeSummary;

use super::tokenize::{self, Input};
use super::{Device, Fault, Pending};
use crate::{Cancel, TokenRule, Tuning};
use table::Table;

/// The maximum number of texts in flight: one is uploaded while another is counted.
const MAX_IN_FLIGHT: usize = 2;

/// How tokens are found and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// In one pass over the text.
    Fused,
    /// From the spans that the tokenizer writes.
    Tokens,
}

/// Counts the tokens of texts on a device.
pub(crate) struct DeviceCounter {
    device: Arc<dyn Device>,
    rule: TokenRule,
    method: Method,
    tuning: Tuning,
    hash_key: u64,
    cancel: Cancel,
    table: Table,
    /// The maximum number of workgroups that count a text in one pass.
    max_workgroups: u32,
    in_flight: VecDeque<InFlight>,
    held: Vec<HeldText>,
    /// Tokens counted in the table, and their bytes.
    counted: u64,
    counted_bytes: u64,
    rejected: u64,
    /// Tokens counted by the hot-key cache of a workgroup, since the counter was created.
    hot: u64,
}

/// A text that was pushed since the last drain.
struct HeldText {
    text: Buffer,
    /// Its tokens that the device left to the host.
    left: Vec<Span>,
}

/// A text that the device is counting.
struct InFlight {
    run: u32,
    held: usize,
    pending: Pending,
}

/// What a drain returned.
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
        tuning: &Tuning,
        hash_key: u64,
    ) -> Self {
        let text_bytes = max_bytes(&*device, rule, tuning);
        Self {
            table: Table::new(tuning.device_slots, text_bytes, device.binding_bytes()),
            device,
            rule: rule.clone(),
            method: match rule {
                TokenRule::Whitespace => Method::Fused,
                _ => Method::Tokens,
            },
            tuning: *tuning,
            hash_key,
            cancel: Cancel::default(),
            max_workgroups: record::MAX_TEXT_WORKGROUPS,
            in_flight: VecDeque::new(),
            held: Vec::new(),
            counted: 0,
            counted_bytes: 0,
            rejected: 0,
            hot: 0,
        }
    }

    /// Limits the number of workgroups, so that each one counts several tiles even of a short text.
    pub(crate) fn with_max_workgroups(mut self, groups: u32) -> Self {
        self.max_workgroups = groups.max(1);
        self
    }

    /// Sets the flag that stops every wait for the device.
    pub(crate) fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Returns the number of bytes that a drain downloads.
    pub(crate) fn drain_bytes(&self) -> usize {
        self.table.drain_bytes()
    }

    /// Runs the tokenizer first, although the rule does not need it.
    #[cfg(test)]
    pub(crate) fn with_separate_tokenizer(mut self) -> Self {
        self.method = Method::Tokens;
        self
    }

    /// Tokens counted by the hot-key cache of a workgroup, since the counter was created.
    #[cfg(test)]
    pub(crate) fn hot(&self) -> u64 {
        self.hot
    }

    /// Returns the maximum size of a text in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        max_bytes(&*self.device, &self.rule, &self.tuning)
    }

    /// Tells whether a text can be pushed without a drain before it.
    pub(crate) fn has_room(&self, text_bytes: usize) -> bool {
        self.table.has_room(text_bytes)
    }

    /// Starts to count a text, and may return before it is counted.
    ///
    /// After a fault only [`DeviceCounter::into_texts`] may be called.
    pub(crate) fn push(&mut self, text: Buffer) -> Result<(), Fault> {
        debug_assert!(text.len() <= self.max_bytes() && self.has_room(text.len()));
        self.held.push(HeldText {
            text: text.clone(),
            left: Vec::new(),
        });
        if text.is_empty() {
            return Ok(());
        }
        while self.in_flight.len() >= MAX_IN_FLIGHT {
            self.finish_oldest()?;
        }
        self.table.reserve(text.len());
        let run = tokenize::next_run();
        let recording = self.record_text(&Input {
            run,
            rule: &self.rule,
            text,
            records: None,
        });
        let pending = self.device.begin(recording);
        self.in_flight.push_back(InFlight {
            run,
            held: self.held.len() - 1,
            pending,
        });
        Ok(())
    }

    /// Passes all keys and their counts to `visit`, and resets the counts. A key may be passed more
    /// than once.
    ///
    /// All results are checked before the first call of `visit`. After a fault only
    /// [`DeviceCounter::into_texts`] may be called.
    pub(crate) fn drain(&mut self, visit: &mut dyn FnMut(&[u8], u64)) -> Result<Drained, Fault> {
        while !self.in_flight.is_empty() {
            self.finish_oldest()?;
        }
        if self.held.is_empty() {
            return Ok(Drained::default());
        }
        let run = tokenize::next_run();
        let pending = self.device.begin(self.record_drain(run));
        let downloads = pending(&self.cancel)?.downloads;
        let longest = self.tuning.device_key_bytes;
        let counted = read::Counted {
            tokens: self.counted,
            bytes: self.counted_bytes,
        };
        let groups = read::Groups::read(run, counted, longest, downloads)?;
        groups.for_each(&mut *visit);
        let mut tokens = self.counted;
        for HeldText { text, left } in &self.held {
            left.iter().for_each(|span| visit(span.of(text), 1));
            tokens += left.len() as u64;
        }
        let drained = Drained {
            texts: self.held.len() as u64,
            tokens,
            rejected: self.rejected,
        };
        self.held.clear();
        (self.counted, self.counted_bytes, self.rejected) = (0, 0, 0);
        let unused = self.table.reset();
        self.device.free(&unused);
        Ok(drained)
    }

    /// Returns the texts that were pushed since the last drain, for the CPU to count.
    pub(crate) fn into_texts(mut self) -> Vec<Buffer> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|held| held.text).collect()
    }

    /// Waits for the oldest text in flight, and checks its result.
    fn finish_oldest(&mut self) -> Result<(), Fault> {
        let Some(InFlight { run, held, pending }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        let downloads = pending(&self.cancel)?.downloads;
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
        let longest = self.tuning.device_key_bytes;
        let cut: TokenizeSummary = pod_read_unaligned(cut);
        tokenize::check(&input, &cut)?;
        let (report, left) = read::text(run, cut.starts, longest, &held.text, report, left)?;
        // Keys that are too long for the device do not mean that the table is too small.
        let is_long = |span: &Span| (span.end - span.start) as usize > longest;
        let short = left.iter().filter(|span| !is_long(span)).count();
        let left_bytes: u64 = left.iter().map(|it| u64::from(it.end - it.start)).sum();
        let counted_bytes = u64::from(cut.token_bytes).checked_sub(left_bytes);
        self.counted_bytes += counted_bytes.ok_or_else(read::too_many_left)?;
        self.table.record_result(held.text.len(), &report, short);
        held.left = left;
        self.counted += u64::from(report.counted);
        self.hot += u64::from(report.hot);
        self.rejected += u64::from(cut.rejected);
        Ok(())
    }
}

impl Drop for DeviceCounter {
    fn drop(&mut self) {
        self.device.free(&self.table.persistent_ids());
    }
}

/// Returns the maximum size of a text, so that all its buffers can be bound.
fn max_bytes(device: &dyn Device, rule: &TokenRule, tuning: &Tuning) -> usize {
    let binding_bytes = device.binding_bytes();
    // The arena must hold the keys of two texts.
    let arena = usize::try_from(binding_bytes / 4).unwrap_or(usize::MAX);
    let cut = tokenize::max_bytes(rule, binding_bytes, false);
    tuning.device_chunk_bytes.clamp(1, arena.min(cut))
}
