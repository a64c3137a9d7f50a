//! The names of files that were chosen before.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

/// How long the name of a file that is gone is kept, in milliseconds.
const KEPT: u64 = 24 * 60 * 60 * 1000;

/// How often the names are compared with the folder, in milliseconds. It costs a walk over all of them.
const COMPARED: u64 = 60 * 1000;

/// The names of files that were chosen before, and are in the folder or have been gone for less than a day.
#[derive(Default)]
pub(super) struct Seen {
    /// When a file was found to be gone, in milliseconds since 1970; `None` while it is there.
    names: HashMap<String, Option<u64>>,
    /// The names of epochs that are not committed.
    pending: HashSet<String>,
    /// How many files were ever chosen.
    count: u64,
    /// When the names were compared with the folder.
    compared: Option<u64>,
}

impl Seen {
    /// Takes what a snapshot of a checkpoint has: a name for a file that was there, and
    /// `{"name": NAME, "gone": MILLISECONDS}` for one that was gone. Older checkpoints have only names.
    pub(super) fn restore(&mut self, position: &Value) {
        for entry in position.as_array().into_iter().flatten() {
            let gone = entry.get("gone").and_then(Value::as_u64);
            let name = entry.get("name").unwrap_or(entry).as_str();
            if let Some(name) = name {
                self.names.insert(name.to_owned(), gone);
            }
            if let Some(count) = entry.get("count").and_then(Value::as_u64) {
                self.count = count;
            }
        }
        self.count = self.count.max(self.names.len() as u64);
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Notes a file that was chosen for an epoch. One that is read again is noted already.
    pub(super) fn choose(&mut self, name: &str) {
        if !self.contains(name) {
            self.names.insert(name.to_owned(), None);
            self.pending.insert(name.to_owned());
            self.count += 1;
        }
    }

    /// Notes a file of a committed epoch.
    pub(super) fn commit(&mut self, name: &str) {
        self.choose(name);
        self.pending.remove(name);
    }

    /// Forgets names whose files have been gone for long. A folder without files says nothing: its disk may not be
    /// mounted.
    pub(super) fn compare<'a>(&mut self, files: impl Iterator<Item = &'a str>, now: u64) {
        let is_due = |before: u64| now.abs_diff(before) >= COMPARED;
        if !self.compared.is_none_or(is_due) {
            return;
        }
        let there: HashSet<&str> = files.collect();
        if there.is_empty() {
            return;
        }
        self.compared = Some(now);
        let pending = &self.pending;
        self.names.retain(|name, gone| {
            *gone = match there.contains(name.as_str()) {
                true => None,
                false => gone.or(Some(now)),
            };
            let is_old = gone.is_some_and(|since| now.saturating_sub(since) >= KEPT);
            !is_old || pending.contains(name)
        });
    }

    /// What a snapshot of the checkpoint keeps: the names of committed epochs, in order.
    pub(super) fn position(&self) -> Value {
        let names = self.names.iter();
        let mut names: Vec<_> = names
            .filter(|(name, _)| !self.pending.contains(*name))
            .collect();
        names.sort_unstable();
        let names = names.into_iter().map(|(name, gone)| match gone {
            None => json!(name),
            Some(since) => json!({"name": name, "gone": since}),
        });
        let count = json!({"count": self.count - self.pending.len() as u64});
        std::iter::once(count).chain(names).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A minute, in milliseconds.
    const MINUTE: u64 = 60 * 1000;

    fn name(minute: u64) -> String {
        format!("{minute:08}.csv")
    }

    #[test]
    fn a_file_a_minute_for_a_week_costs_the_names_of_a_day() {
        let mut seen = Seen::default();
        let week = 7 * 24 * 60;
        for minute in 0..week {
            // A file is moved away when it was read.
            let there = [name(minute)];
            seen.compare(there.iter().map(String::as_str), minute * MINUTE);
            assert!(!seen.contains(&there[0]));
            seen.choose(&there[0]);
            seen.commit(&there[0]);
        }
        let day = usize::try_from(KEPT / MINUTE).unwrap();
        let most = day + 2 * usize::try_from(COMPARED / MINUTE).unwrap();
        assert!((day..=most).contains(&seen.names.len()));
        assert_eq!(seen.count(), week);
        let bytes = seen.position().to_string().len();
        assert!(bytes < 50 * most, "{bytes}");
        // All that was written in the last day is known after a restart.
        let mut restored = Seen::default();
        restored.restore(&seen.position());
        assert!((week - day as u64..week).all(|minute| restored.contains(&name(minute))));
        assert_eq!(restored.count(), week);
    }

    #[test]
    fn names_of_files_that_stay_are_kept() {
        let mut seen = Seen::default();
        for name in ["stays", "goes", "waits"] {
            seen.choose(name);
        }
        seen.commit("stays");
        seen.commit("goes");
        let mut compare = |now: u64, there: &[&str]| {
            seen.compare(there.iter().copied(), now);
            ["stays", "goes", "waits"].map(|name| seen.contains(name))
        };
        assert_eq!(compare(1, &["stays", "goes"]), [true; 3]);
        assert_eq!(compare(COMPARED + 1, &["stays"]), [true; 3]);
        // It comes back, and goes again.
        assert_eq!(compare(KEPT, &["stays", "goes"]), [true; 3]);
        assert_eq!(compare(KEPT + COMPARED, &["stays"]), [true; 3]);
        assert_eq!(compare(2 * KEPT + COMPARED - 1, &["stays"]), [true; 3]);
        // Nothing is known of an empty folder, nor within a minute.
        assert_eq!(compare(9 * KEPT, &[]), [true; 3]);
        assert_eq!(compare(2 * KEPT + COMPARED, &["stays"]), [true; 3]);
        // That of an epoch which is not committed stays, too.
        assert_eq!(compare(9 * KEPT, &["stays"]), [true, false, true]);
    }

    #[test]
    fn positions_of_all_versions_are_restored() {
        let mut seen = Seen::default();
        seen.restore(&json!(["b", "a"]));
        assert_eq!(seen.count(), 2);
        seen.commit("c");
        seen.choose("chosen");
        seen.compare(["a", "b", "chosen"].into_iter(), 5);
        let position = json!([{"count": 3}, "a", "b", {"name": "c", "gone": 5}]);
        assert_eq!(seen.position(), position);
        let mut again = Seen::default();
        again.restore(&position);
        assert_eq!(again.position(), position);
        // It was found to be gone before the restart.
        again.compare(["a", "b"].into_iter(), KEPT + 5);
        assert!(!again.contains("c"));
        assert_eq!(again.count(), 3);
    }
}
