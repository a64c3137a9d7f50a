//! Measures data that is resident on an adapter, in chunks of maximum size.
//!
//! Jobs send chunks of a few MiB to an adapter, so that copies and kernels overlap. The full speed of a
//! GPU on resident data shows only in larger chunks.

use std::time::{Duration, Instant};

use keymill::Result;
use keymill::probe::Resident;

use crate::data::{self, Text};
use crate::figures::size;
use crate::measure::race::race;
use crate::measure::{Contender, cpu, stage};
use crate::model::{Case, Data, Subject};
use crate::plan::{self, KEYS, ON_SOFTWARE, ResidentBytes, TEXT};
use crate::session::Session;

const SUBJECTS: [Subject; 3] = [Subject::Tokenize, Subject::Count, Subject::HashPartition];

/// First 1/n of the largest size is measured, to predict the time of the largest size.
const FIRST_PART: u64 = 16;

/// The time that the first part predicts for the largest size is multiplied by this.
const SLOWER: f64 = 1.3;

/// Minimum number of runs of a case: one that is not measured, and another.
const RUNS: f64 = 2.0;

impl Session<'_> {
    /// Measures resident data on each adapter.
    pub(crate) fn resident(&mut self, weight: f64, memory: u64) -> Result<()> {
        let share = self.budget.share(weight);
        let is_open = |place: &usize| self.devices[*place].is_open();
        let open: Vec<usize> = (0..self.devices.len()).filter(is_open).collect();
        let parts = u32::try_from(open.len() * SUBJECTS.len()).unwrap_or(u32::MAX);
        for place in open {
            let sizes = self.resident_sizes(place, memory);
            for subject in SUBJECTS {
                self.resident_case(place, subject, sizes, share / parts)?;
            }
        }
        Ok(())
    }

    /// Returns the sizes of resident data on an adapter. Keys are bound at once, text in chunks.
    fn resident_sizes(&mut self, place: usize, memory: u64) -> ResidentBytes {
        let ResidentBytes { text, keys } = match self.devices[place].is_software() {
            true => ON_SOFTWARE,
            false => self.plan.resident,
        };
        let most = plan::most_bytes(memory);
        ResidentBytes {
            text: text.min(most),
            keys: self.bound(place, Subject::HashPartition, keys.min(most)),
        }
    }

    /// Returns the wanted bytes, or the maximum of the adapter for a subject with a note.
    pub(crate) fn bound(&mut self, place: usize, subject: Subject, wanted: u64) -> u64 {
        let device = &self.devices[place];
        let bytes = wanted.min(device.most_bytes(subject));
        if bytes < wanted {
            let (name, subject) = (device.titled(), subject.name());
            let (shown, wanted) = (size(bytes), size(wanted));
            self.note(format!(
                "{subject} on {name}: {shown} measured instead of {wanted}, the limit of a binding."
            ));
        }
        bytes
    }

    /// Measures one subject on one adapter: a part of the data, and all of it if there is time.
    fn resident_case(
        &mut self,
        place: usize,
        subject: Subject,
        sizes: ResidentBytes,
        share: Duration,
    ) -> Result<()> {
        let (data, most) = match subject {
            Subject::HashPartition => (KEYS, sizes.keys),
            _ => (TEXT, sizes.text),
        };
        self.name_data(data);
        let begun = Instant::now();
        let name = self.devices[place].titled();
        let what = format!("{} on data on {name}, {data}", subject.name());
        let mut round = Duration::ZERO;
        for bytes in [most / FIRST_PART, most] {
            let times = bytes as f64 / (most / FIRST_PART).max(1) as f64;
            let expected = round.mul_f64(times * SLOWER * RUNS);
            if expected
                > share
                    .saturating_sub(begun.elapsed())
                    .max(self.budget.left() / 2)
            {
                let seconds = expected.as_secs_f64();
                let note = format!(
                    "{what}: {} left out, as it takes about {seconds:.1} s.",
                    size(bytes)
                );
                self.report.notes.push(note);
                break;
            }
            self.say(format!("{what}, {}", size(bytes)));
            let resident = ResidentData::new(data, bytes);
            let left = share.saturating_sub(begun.elapsed());
            round = self.race_resident(place, subject, data, &resident, left)?;
        }
        Ok(())
    }

    /// Measures one size. Returns the time of a round.
    fn race_resident(
        &mut self,
        place: usize,
        subject: Subject,
        data: &str,
        on_adapter: &ResidentData,
        share: Duration,
    ) -> Result<Duration> {
        let tokens = &self.request.tokens;
        let Some(stage) = stage(subject, tokens) else {
            return Ok(Duration::ZERO);
        };
        let bytes = on_adapter.resident.bytes_for(&stage) as u64;
        let device = &self.devices[place];
        let best = self.runners.iter().find(|it| it.is_best_on_cpu());
        let on_cpu: Box<dyn Contender + '_> = match (subject, best, &on_adapter.text) {
            (Subject::Count, Some(runner), Some(text)) => runner.count(tokens, text),
            _ => cpu::best_stage(&stage, &on_adapter.resident),
        };
        let ways = [Some(on_cpu), device.resident(&stage, &on_adapter.resident)];
        let ways = ways.into_iter().flatten();
        let raced = race(ways, share, self.plan.most_rounds, &self.request.cancel)?;
        let round = raced.round + raced.software;
        let what = format!("{} on resident {data}, {}", subject.name(), size(bytes));
        let ways = self.keep(raced, &what);
        self.report.resident.push(Case {
            subject,
            data: data.to_owned(),
            bytes,
            expected: None,
            ways,
        });
        Ok(round)
    }

    /// Adds data to the report's list. Its measured bytes are set at the end.
    pub(crate) fn name_data(&mut self, name: &str) {
        if self.report.data.iter().any(|data| data.name == name) {
            return;
        }
        let known: Option<Data> = match name {
            KEYS => Some(data::keys(0)),
            _ => data::seeded(name, 0).map(|(data, _)| data),
        };
        self.report.data.extend(known);
    }
}

/// Data for a stage and for a job.
struct ResidentData {
    resident: Resident,
    text: Option<Text>,
}

impl ResidentData {
    fn new(data: &str, bytes: u64) -> Self {
        let Some(set) = keymill_datasets::find(data) else {
            let resident = data::draw_keys(bytes);
            return Self {
                resident,
                text: None,
            };
        };
        let text = Text::new(set.to_vec(usize::try_from(bytes).unwrap_or(usize::MAX)));
        Self {
            resident: Resident::text(text.as_ref()),
            text: Some(text),
        }
    }
}
