//! Counts by key on a device, over many texts.
//!
//! ```text
//! push(text) ─▶ tokenize, count ─▶ table, which stays ─┐
//!             left to the host: tokens without a slot ─┴─▶ drain: groups, tokens ─▶ operator
//! ```
//!
//! White space is counted in one pass over the text; for other rules the tokenizer runs first.
//!
//! The table is never the only copy: every text since the last drain is held, so that the CPU can
//! count it should the device fail.
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

/// Texts that are on their way at once: one is uploaded while another one is counted.
const ON_THEIR_WAY: usize = 2;

/// How the tokens of a text come to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In one pass over the text.
    Fused,
    /// By the spans that the tokenizer writes.
    Tokens,
}

/// Counts of texts on a device, since the last drain.
pub(crate) struct DeviceCounter {
    device: Arc<dyn Device>,
    rule: TokenRule,
    way: Way,
    tuning: Tuning,
    hash_key: u64,
    cancel: Cancel,
    table: Table,
    /// The most workgroups that count a text in one pass.
    text_groups: u32,
    flying: VecDeque<Flying>,
    held: Vec<Held>,
    /// Tokens in the table, and their bytes.
    counted: u64,
    counted_bytes: u64,
    rejected: u64,
    /// Tokens that workgroups knew by heart, of all that were ever counted.
    hot: u64,
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
        tuning: &Tuning,
        hash_key: u64,
    ) -> Self {
        let text_bytes = most_bytes(&*device, rule, tuning);
        Self {
            table: Table::new(tuning.device_slots, text_bytes, device.binding_bytes()),
            device,
            rule: rule.clone(),
            way: match rule {
                TokenRule::Whitespace => Way::Fused,
                _ => Way::Tokens,
            },
            tuning: *tuning,
            hash_key,
            cancel: Cancel::default(),
            text_groups: record::TEXT_GROUPS,
            flying: VecDeque::new(),
            held: Vec::new(),
            counted: 0,
            counted_bytes: 0,
            rejected: 0,
            hot: 0,
        }
    }

    /// Lets each workgroup take several tiles of a text, however short it is.
    pub(crate) fn with_text_groups(mut self, groups: u32) -> Self {
        self.text_groups = groups.max(1);
        self
    }

    /// Lets a flag end every wait for the device.
    pub(crate) fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Bytes that a drain brings to the host.
    pub(crate) fn drain_bytes(&self) -> usize {
        self.table.drain_bytes()
    }

    /// Has the tokenizer run first, though it need not.
    #[cfg(test)]
    pub(crate) fn in_two_steps(mut self) -> Self {
        self.way = Way::Tokens;
        self
    }

    /// Tokens that workgroups knew by heart, of all that were ever counted.
    #[cfg(test)]
    pub(crate) fn hot(&self) -> u64 {
        self.hot
    }

    /// The most bytes of a text.
    pub(crate) fn most_bytes(&self) -> usize {
        most_bytes(&*self.device, &self.rule, &self.tuning)
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
        (self.counted, self.counted_bytes, self.rejected) = (0, 0, 0);
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
        // A key that no device looks at does not mean that the table is too small.
        let is_long = |span: &Span| (span.end - span.start) as usize > longest;
        let short = left.iter().filter(|span| !is_long(span)).count();
        let left_bytes: u64 = left.iter().map(|it| u64::from(it.end - it.start)).sum();
        let counted_bytes = u64::from(cut.token_bytes).checked_sub(left_bytes);
        self.counted_bytes += counted_bytes.ok_or_else(read::too_many_left)?;
        self.table.note(held.text.len(), &report, short);
        held.left = left;
        self.counted += u64::from(report.counted);
        self.hot += u64::from(report.hot);
        self.rejected += u64::from(cut.rejected);
        Ok(())
    }
}

impl Drop for DeviceCounter {
    fn drop(&mut self) {
        self.device.forget(&self.table.kept());
    }
}

/// The most bytes of a text, so that all that is made of it fits.
fn most_bytes(device: &dyn Device, rule: &TokenRule, tuning: &Tuning) -> usize {
    let binding_bytes = device.binding_bytes();
    // Twice its part of the arena has to fit too.
    let arena = usize::try_from(binding_bytes / 4).unwrap_or(usize::MAX);
    let cut = tokenize::most_bytes(rule, binding_bytes, false);
    tuning.device_chunk_bytes.clamp(1, arena.min(cut))
}
