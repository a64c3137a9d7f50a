//! Measures each stage with each variant of an adapter's shaders.

use std::time::{Duration, Instant};

use keymill::probe::{self, Resident};
use keymill::{Level, Result};

use crate::data;
use crate::figures::size;
use crate::measure::adapter::Variant;
use crate::measure::race::race;
use crate::measure::stage;
use crate::model::{Case, Failure, Subject};
use crate::plan::{KEYS, TEXT, UNIFORM, VARIANT_BYTES_ON_SOFTWARE};
use crate::rows::Rows;
use crate::session::Session;

const SUBJECTS: [(Subject, &str); 4] = [
    (Subject::Tokenize, TEXT),
    (Subject::Count, TEXT),
    (Subject::HashPartition, KEYS),
    (Subject::ReduceByKey, UNIFORM.name),
];

impl Session<'_> {
    /// Measures each stage with each variant of each adapter.
    pub(crate) fn variants(&mut self, weight: f64) -> Result<()> {
        let share = self.budget.share(weight);
        let is_open = |place: &usize| self.devices[*place].is_open();
        let open: Vec<usize> = (0..self.devices.len()).filter(is_open).collect();
        let parts = u32::try_from(open.len().max(1)).unwrap_or(u32::MAX);
        for place in open {
            self.variants_of(place, share / parts)?;
        }
        Ok(())
    }

    fn variants_of(&mut self, place: usize, share: Duration) -> Result<()> {
        let begun = Instant::now();
        let opened = self.open_variants(place, share / 2);
        let bytes = match self.devices[place].is_software() {
            true => VARIANT_BYTES_ON_SOFTWARE,
            false => self.plan.variant_bytes,
        };
        for (number, (subject, data)) in (0..).zip(SUBJECTS) {
            self.name_data(data);
            let bytes = self.bound(place, subject, bytes);
            let left = share.saturating_sub(begun.elapsed());
            let part = left / (SUBJECTS.len() as u32 - number);
            self.race_variants(place, &opened, (subject, data), bytes, part)?;
        }
        Ok(())
    }

    /// Opens the adapter with each variant until the time is used: first with the base and the variant
    /// of jobs, which are always opened, then with the others.
    fn open_variants(&mut self, place: usize, share: Duration) -> Vec<Variant> {
        let begun = Instant::now();
        let device = &self.devices[place];
        let number = device.number();
        let name = device.titled();
        let (few, all) = (device.variants(true), device.variants(false));
        let mut wanted = few.clone();
        wanted.extend(all.into_iter().filter(|variant| !few.contains(variant)));
        let mut opened = Vec::new();
        let mut left_out = Vec::new();
        for (place_in_order, variant) in wanted.into_iter().enumerate() {
            // Opening runs a self-test, which takes time.
            if place_in_order >= few.len() && begun.elapsed() > share {
                left_out.push(variant.to_string());
                continue;
            }
            self.say(format!("{name}, shaders: {variant}"));
            match self.devices[place].open_with(variant) {
                Ok(variant) => opened.push(variant),
                Err(error) => self.report.failures.push(Failure {
                    what: format!("{name}, shaders: {variant}"),
                    error: error.to_string(),
                    adapter: Some(number),
                }),
            }
        }
        if !left_out.is_empty() {
            let left_out = left_out.join("; ");
            let note = format!("{name}: shaders left out for lack of time: {left_out}.");
            self.report.notes.push(note);
        }
        opened
    }

    fn race_variants(
        &mut self,
        place: usize,
        opened: &[Variant],
        (subject, data): (Subject, &str),
        bytes: u64,
        share: Duration,
    ) -> Result<()> {
        let Some(stage) = stage(subject, &self.request.tokens) else {
            return Ok(());
        };
        let resident = generate(data, bytes)?;
        let bytes = resident.bytes_for(&stage) as u64;
        let what = format!("{} by variants of shaders, {}", subject.name(), size(bytes));
        self.say(what.clone());
        // The CPU's answer was checked with the oracle at the smallest size.
        let expected = probe::run(&stage, Level::best(), &resident, 0)?.answer;
        let device = &self.devices[place];
        let ways = opened.iter();
        let ways: Vec<_> = ways
            .map(|variant| device.with_variant(variant, &stage, &resident))
            .collect();
        let raced = race(ways, share, self.plan.most_rounds, &self.request.cancel)?;
        let ways = self.keep(raced, &what);
        self.report.variants.push(Case {
            subject,
            data: data.to_owned(),
            bytes,
            expected: Some(expected.into()),
            ways,
        });
        Ok(())
    }
}

fn generate(data: &str, bytes: u64) -> Result<Resident> {
    match keymill_datasets::find(data) {
        Some(set) => Ok(Resident::text(
            set.to_vec(usize::try_from(bytes).unwrap_or(usize::MAX)),
        )),
        None if data == KEYS => Ok(data::draw_keys(bytes)),
        None => Rows::draw(&UNIFORM, bytes).resident(),
    }
}
