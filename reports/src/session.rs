//! Runs the cases of a comparison, for each data and each size.

use std::collections::HashMap;
use std::time::Duration;

use arrow_array::RecordBatch;
use keymill::probe::{self, Answer, Resident, Stage};
use keymill::{ErrorKind, Result};

use crate::compare::{Request, Step};
use crate::data::{self, Origin, Text};
use crate::figures::size;
use crate::measure::adapter::Device;
use crate::measure::cpu;
use crate::measure::job::Runner;
use crate::measure::race::{Raced, race};
use crate::measure::{Contender, stage, table};
use crate::model::{Case, Data, Failure, Report, Subject, Way};
use crate::plan::{self, Budget, Plan};
use crate::rows::Rows;

/// Maximum bytes of the spans of lines. A text of line feeds only has one span per byte.
const MOST_SPAN_BYTES: u64 = 256 << 20;

/// Bytes of a span.
const SPAN_BYTES: u64 = 8;

/// The time predicted for a larger size is multiplied by this, because it may exceed the caches.
const SLOWER: f64 = 1.3;

/// One round of a case may take 1/n of the remaining time, even if that is more than its share. So a
/// busy machine also measures large sizes, with fewer runs.
const MOST_PART: u32 = 2;

/// The state that all cases of a comparison share.
pub(crate) struct Session<'a> {
    pub(crate) request: &'a Request,
    pub(crate) plan: &'a Plan,
    pub(crate) devices: Vec<Device>,
    pub(crate) runners: Vec<Runner>,
    pub(crate) budget: Budget,
    /// The weight of all cases.
    pub(crate) total: f64,
    pub(crate) watch: &'a mut dyn FnMut(&Step),
    pub(crate) report: &'a mut Report,
}

/// Data of one size, for a stage and for a job.
struct Portion {
    /// Whether it is the smallest size, which is checked with the oracle.
    is_smallest: bool,
    resident: Resident,
    text: Option<Text>,
    /// Rows for jobs.
    batches: Vec<RecordBatch>,
}

/// The results of a subject at a smaller size of the same data, for predictions.
struct Prediction {
    bytes: u64,
    round: Duration,
    software: Duration,
    rows: u64,
}

type Predictions = HashMap<Subject, Prediction>;

impl Session<'_> {
    /// Measures all data, then what is resident on adapters, then the variants of their shaders.
    pub(crate) fn all(
        &mut self,
        all: Vec<(Data, Origin)>,
        adapters: f64,
        memory: u64,
    ) -> Result<()> {
        for (data, origin) in all {
            self.run(data, &origin)?;
        }
        self.resident(adapters, memory)?;
        self.variants(adapters)
    }

    /// Measures all sizes and subjects of some data.
    pub(crate) fn run(&mut self, data: Data, origin: &Origin) -> Result<()> {
        let name = data.name.clone();
        self.say(format!("generating {name}"));
        let whole = match origin {
            Origin::Given(text) => Some(text.clone()),
            Origin::Seeded(set) | Origin::Csv(set) => {
                Some(Text::new(set.to_vec(data.bytes as usize)))
            }
            Origin::Rows(_) | Origin::Keys => None,
        };
        let sizes = self.plan.sizes_of(data.bytes);
        let is_empty = data.bytes == 0;
        self.report.data.push(data);
        if is_empty {
            self.note(format!("{name} is empty: there is nothing to measure."));
            return Ok(());
        }
        let mut predictions = Predictions::new();
        for (number, bytes) in sizes.into_iter().enumerate() {
            let portion = Portion::new(number == 0, bytes, whole.as_ref(), origin)?;
            for &subject in origin.subjects() {
                self.case(subject, &name, bytes, &portion, &mut predictions)?;
            }
        }
        let is_words = origin.subjects().contains(&Subject::Count);
        if let Some(text) = whole.filter(|_| is_words && self.report.latency.is_empty()) {
            self.latency(&name, &text)?;
        }
        Ok(())
    }

    pub(crate) fn say(&mut self, what: String) {
        let done = 1.0 - self.budget.weight() / self.total.max(1.0);
        // Rounding errors may give a result outside this range.
        let done = done.clamp(0.0, 1.0);
        (self.watch)(&Step { what, done });
    }

    /// Measures one case, or notes why it is left out.
    fn case(
        &mut self,
        subject: Subject,
        data: &str,
        planned: u64,
        portion: &Portion,
        predictions: &mut Predictions,
    ) -> Result<()> {
        let stage = stage(subject, &self.request.tokens);
        let bytes = portion.bytes_for(stage.as_ref());
        let what = format!("{}, {data}, {}", subject.name(), size(bytes));
        self.say(what.clone());
        // The weight is that of the planned size, like in the total. The real size is slightly smaller.
        let share = self.budget.share(plan::weight(subject, planned));
        let most = share.max(self.budget.left() / MOST_PART);
        let before = predictions.get(&subject);
        if let Some(why) = before.and_then(|it| it.forbids(subject, bytes, most)) {
            self.note(format!("{what}: left out, {why}."));
            return Ok(());
        }
        let expected = match portion.is_smallest {
            true => Some(portion.expected(stage.as_ref())?.into()),
            false => None,
        };
        let has_software = before.is_none_or(|it| it.allows_software(bytes, most));
        self.note_left_out(&what, subject, bytes, has_software);
        let ways = self.ways(subject, stage.as_ref(), portion, has_software);
        let raced = race(ways, share, self.plan.most_rounds, &self.request.cancel)?;
        predictions.insert(
            subject,
            Prediction::after(before, &raced, bytes, has_software),
        );
        let ways = self.keep(raced, &what);
        self.report.cases.push(Case {
            subject,
            data: data.to_owned(),
            bytes,
            expected,
            ways,
        });
        Ok(())
    }

    /// Returns all ways of a case, those on the CPU first.
    fn ways<'a>(
        &'a self,
        subject: Subject,
        stage: Option<&'a Stage>,
        portion: &'a Portion,
        has_software: bool,
    ) -> Vec<Box<dyn Contender + 'a>> {
        let stages = stage
            .into_iter()
            .flat_map(|stage| cpu::stages(stage, &portion.resident));
        let mut ways: Vec<Box<dyn Contender + 'a>> = stages.collect();
        let runners = self.runners.iter();
        let runners = runners.filter(|runner| has_software || !runner.is_software());
        match (subject, &portion.text) {
            (Subject::Count, Some(text)) => {
                ways.extend(runners.map(|runner| runner.count(&self.request.tokens, text)));
            }
            (Subject::ReduceByKey, _) => {
                ways.extend(runners.map(|runner| runner.sum(&portion.batches)));
            }
            (Subject::GroupByCsv, Some(text)) => {
                let on_cpu = runners.filter(|runner| !runner.is_on_adapter());
                ways.extend(on_cpu.map(|runner| runner.group_csv(text)));
            }
            _ => {}
        }
        let Some(stage) = stage else { return ways };
        let bytes = portion.bytes_for(Some(stage));
        let devices = self.devices.iter().filter(|device| {
            let is_wanted = has_software || !device.is_software();
            is_wanted && bytes <= device.most_bytes(subject)
        });
        ways.extend(devices.filter_map(|device| device.contender(stage, &portion.resident)));
        ways
    }

    /// Notes which adapters are left out of a case.
    fn note_left_out(&mut self, what: &str, subject: Subject, bytes: u64, has_software: bool) {
        let mut notes = Vec::new();
        if subject == Subject::GroupByCsv && !self.devices.is_empty() {
            let name = subject.name();
            notes.push(format!(
                "{name}: adapters left out, because means of floating point numbers stay on the CPU."
            ));
        } else if !has_software {
            notes.push(format!(
                "{what}: software adapters left out, because they take too long."
            ));
        }
        for device in &self.devices {
            let is_wanted = device.is_open() && (has_software || !device.is_software());
            if is_wanted && bytes > device.most_bytes(subject) {
                let name = device.titled();
                notes.push(format!(
                    "{what}: {name} left out, because its bindings are too small."
                ));
            }
        }
        for note in notes {
            self.note(note);
        }
    }

    /// Adds a note to the report, without repetitions.
    pub(crate) fn note(&mut self, note: String) {
        if !self.report.notes.contains(&note) {
            self.report.notes.push(note);
        }
    }

    /// Adds the failures of a race to the report and returns the other ways.
    pub(crate) fn keep(&mut self, raced: Raced, what: &str) -> Vec<Way> {
        for (label, error) in raced.failures {
            // Input that an adapter refuses by design is not a failure.
            if label.adapter.is_some() && error.kind() == ErrorKind::Config {
                self.note(format!("{what}: {}: {error}.", label.name));
                continue;
            }
            self.report.failures.push(Failure {
                what: format!("{what}: {}", label.name),
                error: error.to_string(),
                adapter: label.adapter,
            });
        }
        raced.ways
    }
}

impl Portion {
    fn new(is_smallest: bool, bytes: u64, whole: Option<&Text>, origin: &Origin) -> Result<Self> {
        let text = whole.map(|whole| whole.first(bytes));
        let rows = match origin {
            Origin::Rows(set) => Some(Rows::draw(set, bytes)),
            _ => None,
        };
        let resident = match (&text, &rows, origin) {
            // It has no stage, only jobs.
            (.., Origin::Csv(_)) => Resident::text(""),
            (Some(text), ..) => Resident::text(text.as_ref()),
            (_, Some(rows), _) => rows.resident()?,
            (.., Origin::Keys) => data::draw_keys(bytes),
            _ => Resident::text(""),
        };
        let batches = rows.map_or(Ok(Vec::new()), |rows| rows.batches())?;
        Ok(Self {
            is_smallest,
            resident,
            text,
            batches,
        })
    }

    fn bytes_for(&self, stage: Option<&Stage>) -> u64 {
        match stage {
            Some(stage) => self.resident.bytes_for(stage) as u64,
            None => self.text.as_ref().map_or(0, Text::bytes),
        }
    }

    /// Returns the answer by plain code.
    fn expected(&self, stage: Option<&Stage>) -> Result<Answer> {
        match (stage, &self.text) {
            (Some(stage), _) => probe::expected(stage, &self.resident),
            (None, Some(text)) => Ok(table::expected(text)),
            (None, None) => Ok(Answer::default()),
        }
    }
}

impl Prediction {
    /// Creates a prediction from a race. `before` is the prediction from a smaller size.
    fn after(before: Option<&Self>, raced: &Raced, bytes: u64, has_software: bool) -> Self {
        let now = Self::of(raced, bytes);
        match before.filter(|_| !has_software) {
            Some(before) => now.with_software_of(before),
            None => now,
        }
    }

    fn of(raced: &Raced, bytes: u64) -> Self {
        Self {
            bytes,
            round: raced.round,
            software: raced.software,
            rows: raced.ways.first().map_or(0, |way| way.answer.rows),
        }
    }

    /// Adds the predicted time of software adapters that were left out, so that they are also left out
    /// at larger sizes.
    fn with_software_of(self, before: &Self) -> Self {
        let times = self.bytes as f64 / before.bytes.max(1) as f64;
        Self {
            software: before.software.mul_f64(times * SLOWER),
            ..self
        }
    }

    /// Returns whether software adapters leave most of the time to the other ways.
    fn allows_software(&self, bytes: u64, most: Duration) -> bool {
        let times = bytes as f64 / self.bytes.max(1) as f64;
        self.software.mul_f64(times * SLOWER) <= most / 4
    }

    /// Returns why a larger size is left out, if it is.
    fn forbids(&self, subject: Subject, bytes: u64, most: Duration) -> Option<String> {
        let times = bytes as f64 / self.bytes.max(1) as f64;
        if subject == Subject::Frame && self.rows as f64 * times > most_spans() {
            return Some("because the offsets of its many lines would fill the memory".to_owned());
        }
        let round = self.round.mul_f64(times * SLOWER);
        (round > most).then(|| {
            let (round, most) = (round.as_secs_f64(), most.as_secs_f64());
            format!("because one round takes about {round:.1} s, and only {most:.1} s are left")
        })
    }
}

fn most_spans() -> f64 {
    (MOST_SPAN_BYTES / SPAN_BYTES) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(round: u64, rows: u64) -> Prediction {
        Prediction {
            bytes: 1 << 20,
            round: Duration::from_secs(round),
            software: Duration::from_secs(round),
            rows,
        }
    }

    #[test]
    fn a_size_that_takes_too_long_is_left_out() {
        let share = Duration::from_secs(20);
        assert_eq!(
            prediction(1, 0).forbids(Subject::Count, 4 << 20, share),
            None
        );
        assert!(prediction(1, 0).allows_software(2 << 20, share));
        assert!(!prediction(1, 0).allows_software(4 << 20, share));
        let why = prediction(1, 0)
            .forbids(Subject::Count, 16 << 20, share)
            .unwrap();
        assert!(why.contains("20.8 s"), "{why}");
    }

    #[test]
    fn software_stays_left_out_at_larger_sizes() {
        let share = Duration::from_secs(20);
        let raced = Raced::default();
        let left_out = Prediction::of(&raced, 16 << 20).with_software_of(&prediction(1, 0));
        assert!(!left_out.allows_software(16 << 20, share));
        assert!(left_out.software > Duration::from_secs(16));
        // Without this the predicted time would be zero.
        assert!(Prediction::of(&raced, 16 << 20).allows_software(16 << 20, share));
    }

    #[test]
    fn too_many_lines_are_left_out() {
        let share = Duration::from_secs(99);
        let forbids = |subject| prediction(0, 1 << 20).forbids(subject, 64 << 20, share);
        assert!(forbids(Subject::Frame).is_some());
        assert_eq!(forbids(Subject::Tokenize), None);
    }
}
