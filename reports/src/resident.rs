//! Data that lies on an adapter: its kernels on as much as it takes at once.
//!
//! Jobs bring an adapter chunks of some mebibytes, so that one is on its way while another is worked
//! on. What a GPU can do with data that it has shows in larger ones alone.

use std::time::{Duration, Instant};

use keymill::Result;
use keymill::probe::Resident;

use crate::data::{self, Text};
use crate::figures::size;
use crate::measure::race::race;
use crate::measure::{Contender, cpu, stage};
use crate::model::{Case, Data, Subject};
use crate::plan::{self, KEYS, Lying, ON_SOFTWARE, TEXT};
use crate::session::Session;

const SUBJECTS: [Subject; 3] = [Subject::Tokenize, Subject::Count, Subject::HashPartition];

/// Before the largest size a part of it is measured, by which it is known whether there is the time.
const FIRST_PART: u64 = 16;

/// The largest size must not take longer than this much of what its first part lets expect.
const SLOWER: f64 = 1.3;

/// Runs of a case at least: one that is not measured, and another.
const RUNS: f64 = 2.0;

impl Session<'_> {
    /// Measures what each adapter does with data that lies on it.
    pub(crate) fn resident(&mut self, weight: f64, memory: u64) -> Result<()> {
        let share = self.budget.share(weight);
        let is_open = |place: &usize| self.devices[*place].is_open();
        let open: Vec<usize> = (0..self.devices.len()).filter(is_open).collect();
        let parts = u32::try_from(open.len() * SUBJECTS.len()).unwrap_or(u32::MAX);
        for place in open {
            let lying = self.lying(place, memory);
            for subject in SUBJECTS {
                self.lie(place, subject, lying, share / parts)?;
            }
        }
        Ok(())
    }

    /// How much there may be on an adapter; keys are bound at once, and text in chunks.
    fn lying(&mut self, place: usize, memory: u64) -> Lying {
        let Lying { text, keys } = match self.devices[place].is_software() {
            true => ON_SOFTWARE,
            false => self.plan.resident,
        };
        let most = plan::most_bytes(memory);
        Lying {
            text: text.min(most),
            keys: self.bound(place, Subject::HashPartition, keys.min(most)),
        }
    }

    /// So many bytes of what a subject works on, or as many as the adapter takes, which is noted.
    pub(crate) fn bound(&mut self, place: usize, subject: Subject, wanted: u64) -> u64 {
        let device = &self.devices[place];
        let bytes = wanted.min(device.most_bytes(subject));
        if bytes < wanted {
            let (name, subject) = (device.titled(), subject.name());
            let (shown, wanted) = (size(bytes), size(wanted));
            self.note(format!(
                "{subject} on {name}: {shown} measured instead of {wanted}, as it binds no more at once."
            ));
        }
        bytes
    }

    /// One subject on one adapter: a part of the data, and all of it if there is the time.
    fn lie(&mut self, place: usize, subject: Subject, lying: Lying, share: Duration) -> Result<()> {
        let (data, most) = match subject {
            Subject::HashPartition => (KEYS, lying.keys),
            _ => (TEXT, lying.text),
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
            let lies = ResidentData::new(data, bytes);
            let left = share.saturating_sub(begun.elapsed());
            round = self.race_resident(place, subject, data, &lies, left)?;
        }
        Ok(())
    }

    /// Gives what a round took.
    fn race_resident(
        &mut self,
        place: usize,
        subject: Subject,
        data: &str,
        lies: &ResidentData,
        share: Duration,
    ) -> Result<Duration> {
        let tokens = &self.request.tokens;
        let stage = stage(subject, tokens);
        let bytes = lies.resident.bytes_for(&stage) as u64;
        let device = &self.devices[place];
        let best = self.runners.iter().find(|it| it.is_best_on_cpu());
        let on_cpu: Box<dyn Contender + '_> = match (subject, best, &lies.text) {
            (Subject::Count, Some(runner), Some(text)) => runner.job(tokens, text),
            _ => cpu::best_stage(&stage, &lies.resident),
        };
        let ways = [Some(on_cpu), device.resident(&stage, &lies.resident)];
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

    /// Data that cases name is in the report's list. How much of it was measured is known in the end.
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

/// Data as a stage and as a job take it.
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
